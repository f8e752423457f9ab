// SPDX-License-Identifier: GPL-2.0

//! Advice that is about what is stored: `MADV_WILLNEED` and `MADV_REMOVE`.
//!
//! File systems take locks that come before the mmap lock. So it is released while they work.

use kernel::{
    mm::{PageRange, VmFlags, VmaMmapRead},
    prelude::*,
    types::ARef,
};

/// `MADV_WILLNEED`: begins to read what is mapped in `range`, a part of `vma`, from the file or from
/// swap, and does not wait for it.
///
/// # Errors
///
/// `EBADF` for anonymous memory in a kernel without swap. What cannot be read is no error.
///
/// C: `madvise_willneed()` of `mm/madvise.c`.
pub(super) fn will_need(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    let Some(file) = vma.file() else {
        #[cfg(CONFIG_SWAP)]
        return swap::read_anonymous(&vma, range);
        #[cfg(not(CONFIG_SWAP))]
        return Err(EBADF);
    };
    #[cfg(CONFIG_SWAP)]
    if file.is_shmem() {
        swap::read_shared(&vma, range, file);
        return Ok(());
    }
    if file.is_dax() {
        return Ok(());
    }
    let file = ARef::from(file);
    let offset = vma.byte_offset(range.start());
    // It is advice: what the file system says of it is of no interest.
    let _ = vma.unlocked(move || file.will_need(offset, range.size()));
    Ok(())
}

/// `MADV_REMOVE`: frees what the file stores for `range`, a part of `vma`, which reads as zero
/// afterwards.
///
/// # Errors
///
/// - `EINVAL` when the VMA is locked or maps no file that has pages.
/// - `EACCES` when the mapping is private, or the file was not opened for writing.
/// - Those of the file system, such as `EOPNOTSUPP`.
///
/// C: `madvise_remove()` of `mm/madvise.c`.
pub(super) fn remove(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    const WRITABLE: VmFlags = VmFlags::SHARED.union(VmFlags::MAYWRITE);

    if vma.vm_flags().intersects(VmFlags::LOCKED) {
        return Err(EINVAL);
    }
    let file = vma.file().filter(|file| file.has_pages()).ok_or(EINVAL)?;
    if !vma.vm_flags().contains(WRITABLE) {
        return Err(EACCES);
    }
    let file = ARef::from(file);
    let offset = vma.byte_offset(range.start());
    vma.unlocked_for_removal(range, move || file.punch_hole(offset, range.size()))
}

#[cfg(CONFIG_SWAP)]
mod swap {
    use kernel::{
        mm::file::VmaFile,
        mm::folio::lru_add_drain,
        mm::page_table::{walk, HugePage, Step, Table, Visitor},
        mm::{cond_resched, virt::VmaRef, PageRange, SwapReader},
        prelude::*,
    };

    /// Begins to read the anonymous memory in `range` that is in swap. What cannot be read is no error.
    pub(super) fn read_anonymous(vma: &VmaRef, range: PageRange) -> Result {
        walk(vma, range, &mut ReadSwap)?;
        lru_add_drain();
        Ok(())
    }

    /// Begins to read the shared memory in `range` that is in swap.
    pub(super) fn read_shared(vma: &VmaRef, range: PageRange, file: &VmaFile) {
        SwapReader::default().read_shmem(vma, range, file);
        lru_add_drain();
    }

    /// Reads what the entries of a range refer to in swap.
    struct ReadSwap;

    impl Visitor<VmaRef> for ReadSwap {
        fn huge(&mut self, _: &HugePage<'_, VmaRef>) -> Result<Step> {
            cond_resched();
            Ok(Step::Next)
        }

        fn table(&mut self, table: &Table<'_, VmaRef>) -> Result<Step> {
            let mut reader = SwapReader::default();
            let mut addr = table.range().start();
            while let Some((at, entry)) = next_swapped(table, addr) {
                reader.read(table.vma(), at, entry);
                addr = at + kernel::page::PAGE_SIZE;
                if addr >= table.range().end() {
                    break;
                }
            }
            drop(reader);
            cond_resched();
            Ok(Step::Next)
        }
    }

    /// Finds the first page in swap from `addr` on. A read may sleep, so that the table is locked
    /// anew for each.
    fn next_swapped(
        table: &Table<'_, VmaRef>,
        addr: usize,
    ) -> Option<(usize, kernel::mm::SwapEntry)> {
        let mut entries = table.lock(addr)?;
        let swapped = entries.next_swapped()?;
        Some((swapped.addr(), swapped.entry()))
    }
}
