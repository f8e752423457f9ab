// SPDX-License-Identifier: GPL-2.0

//! Guard markers in page tables, found by the ioctl `PAGEMAP_SCAN`.

use crate::smaps;
use std::{fs::File, io, os::fd::AsRawFd, ptr};

/// Pages that are guards, from an address on to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    pub end: u64,
}

/// `struct page_region` of `linux/fs.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg` of `linux/fs.h`.
#[repr(C)]
#[derive(Default)]
struct PmScanArg {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`
const PAGEMAP_SCAN: u64 =
    (3 << 30) | ((size_of::<PmScanArg>() as u64) << 16) | ((b'f' as u64) << 8) | 16;
const PAGE_IS_GUARD: u64 = 1 << 8;

/// Appends the guards in `start..end` to `found`. `pagemap` is `/proc/PID/pagemap`.
///
/// There are none in what has no page tables of the process, such as `[vsyscall]`.
///
/// # Errors
///
/// `EINVAL` when the kernel's scan does not know guards.
pub fn scan(pagemap: &File, start: u64, end: u64, found: &mut Vec<Range>) -> io::Result<()> {
    let mut regions = [PageRegion::default(); 512];
    let mut from = start;
    while from < end {
        let mut arg = PmScanArg {
            size: size_of::<PmScanArg>() as u64,
            start: from,
            end,
            vec: regions.as_mut_ptr() as u64,
            vec_len: regions.len() as u64,
            category_mask: PAGE_IS_GUARD,
            return_mask: PAGE_IS_GUARD,
            ..PmScanArg::default()
        };
        // SAFETY: The number goes with the struct, and the vector in it is valid and has room for as many
        // regions as it says.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut arg) };
        let Ok(count) = usize::try_from(count) else {
            match io::Error::last_os_error() {
                // A signal came before something was found.
                e if e.kind() == io::ErrorKind::Interrupted => continue,
                e if e.raw_os_error() == Some(libc::EFAULT) => return Ok(()),
                e => return Err(e),
            }
        };
        for region in regions.iter().take(count) {
            match found.last_mut() {
                Some(last) if last.end == region.start => last.end = region.end,
                _ => found.push(Range {
                    start: region.start,
                    end: region.end,
                }),
            }
        }
        // The kernel always goes forward.
        if arg.walk_end <= from {
            break;
        }
        from = arg.walk_end;
    }
    Ok(())
}

/// What the running kernel knows of guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Nothing: there can be none.
    NoGuards,
    /// They can be found by a scan, but smaps does not say where they may be.
    ScanOnly,
    /// smaps shows `gu`.
    Flag,
}

/// Finds out what the kernel knows, by a guard of our own.
///
/// # Errors
///
/// When there is no memory, or `/proc` cannot be read.
pub fn support() -> io::Result<Support> {
    /// `MADV_GUARD_INSTALL` of `asm-generic/mman-common.h`.
    const GUARD_INSTALL: libc::c_int = 102;
    // SAFETY: There are no requirements.
    let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
        .map_err(|_| io::Error::last_os_error())?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: This is new memory, which nobody else uses.
    let page = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: The page is ours and in use by no one.
    let answer = match unsafe { libc::madvise(page, size, GUARD_INSTALL) } {
        0 => File::open("/proc/self/smaps")
            .and_then(|file| smaps::parse(io::BufReader::new(file)))
            .map(
                |mappings| match mappings.iter().any(|m| m.may_have_guards) {
                    true => Support::Flag,
                    false => Support::ScanOnly,
                },
            ),
        _ => Ok(Support::NoGuards),
    };
    // SAFETY: As above.
    unsafe { libc::munmap(page, size) };
    answer
}
