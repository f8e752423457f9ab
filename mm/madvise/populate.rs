// SPDX-License-Identifier: GPL-2.0

//! Advice that fills page tables now: `MADV_POPULATE_READ`, `MADV_POPULATE_WRITE`, `MADV_COLLAPSE`.

use kernel::{
    bindings::{EFAULT, EHWPOISON, EINTR, EINVAL, ENOMEM},
    error::{code, Error, Result},
    mm::{MmapReadGuard, PageRange},
    page::PAGE_SIZE,
    pr_warn,
    sync::atomic::{Atomic, Relaxed},
};

/// `MADV_POPULATE_READ`: faults all pages of `range` in, as a read of each would do.
///
/// # Errors
///
/// - `ENOMEM` when a part of the range is not mapped, or there is no memory.
/// - `EINVAL` when a mapping does not allow the access, or is one of a driver.
/// - `EFAULT` when the access would kill the process, as that to a guard.
/// - `EHWPOISON` when a page has failed.
/// - `EINTR` when a fatal signal is pending.
///
/// The pages before the one that failed are there. C: `madvise_populate()` of `mm/madvise.c`.
pub(super) fn read(guard: &mut MmapReadGuard<'_>, range: PageRange) -> Result {
    populate(guard, range, false)
}

/// `MADV_POPULATE_WRITE`: as [`read`], as a write to each page would do.
///
/// # Errors
///
/// Errors of [`read`].
pub(super) fn write(guard: &mut MmapReadGuard<'_>, range: PageRange) -> Result {
    populate(guard, range, true)
}

fn populate(guard: &mut MmapReadGuard<'_>, range: PageRange, write: bool) -> Result {
    let mut rest = Some(range);
    while let Some(part) = rest {
        let pages = guard.faultin(part, write).map_err(known_error)?;
        rest = part.clamp(part.start() + pages * PAGE_SIZE, part.end());
    }
    Ok(())
}

/// Returns an error that userspace knows: `e`, or else a lack of memory.
fn known_error(e: Error) -> Error {
    static WARNED: Atomic<i32> = Atomic::new(0);

    // CAST: An errno is small, and negative here.
    match -e.to_errno() as u32 {
        EINTR | EINVAL | EHWPOISON | EFAULT | ENOMEM => e,
        errno => {
            if WARNED.xchg(1, Relaxed) == 0 {
                pr_warn!("madvise: unexpected error {errno} as pages were populated\n");
            }
            code::ENOMEM
        }
    }
}

/// `MADV_COLLAPSE`: makes huge pages of what is mapped in `range`, a part of `vma`.
///
/// # Errors
///
/// - `EINVAL` when the VMA cannot have huge pages.
/// - `ENOMEM`, `EBUSY`, `EAGAIN` when a huge page could not be made.
///
/// C: `madvise_collapse()` of `mm/khugepaged.c`.
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub(super) fn collapse(vma: kernel::mm::VmaMmapRead<'_>, range: PageRange) -> Result {
    vma.collapse(range)
}
