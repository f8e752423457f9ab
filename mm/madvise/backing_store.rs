// SPDX-License-Identifier: GPL-2.0

//! Advice for the storage behind memory: `MADV_WILLNEED` and `MADV_REMOVE`.
//!
//! File systems take locks that come before the mmap lock. So it is released while they work.

use kernel::{
    mm::{PageRange, VmFlags, VmaMmapRead},
    prelude::*,
};

/// `MADV_WILLNEED`: begins to read the memory of `range`, a part of `vma`, from the file or from
/// swap, and does not wait for it.
///
/// # Errors
///
/// `EBADF` for anonymous memory in a kernel without swap. It is no error when something cannot be
/// read.
///
/// C: `madvise_willneed()` of `mm/madvise.c`.
pub(super) fn will_need(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    #[cfg(CONFIG_SWAP)]
    if swap::read(&vma, range)? {
        return Ok(());
    }
    if vma.file().ok_or(EBADF)?.is_dax() {
        return Ok(());
    }
    // It is advice: errors of the file system are of no interest.
    let _ = vma.will_need(range);
    Ok(())
}

/// `MADV_REMOVE`: punches a hole in the file for `range`, a part of `vma`, which reads as zero
/// afterwards.
///
/// # Errors
///
/// `EINVAL` when the VMA is locked, and errors of [`VmaMmapRead::punch_hole`].
///
/// C: `madvise_remove()` of `mm/madvise.c`.
pub(super) fn remove(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    if vma.vm_flags().intersects(VmFlags::LOCKED) {
        return Err(EINVAL);
    }
    vma.punch_hole(range)
}

#[cfg(CONFIG_SWAP)]
mod swap {
    use kernel::{
        mm::folio::lru_add_drain,
        mm::page_table::{walk, HugePage, Step, Table, Visitor},
        mm::{virt::VmaRef, PageRange, SwapEntry, SwapReader},
        page::PAGE_SIZE,
        prelude::*,
        task::cond_resched,
    };

    /// Begins to read what of `range` is in swap, and returns true, if it is anonymous or shared
    /// memory. It is no error when some of it cannot be read.
    pub(super) fn read(vma: &VmaRef, range: PageRange) -> Result<bool> {
        match vma.file() {
            None => {
                walk(vma, range, &mut ReadSwap)?;
            }
            Some(file) if file.is_shmem() => {
                SwapReader::scope(|reader| reader.read_shmem(vma, range, file));
            }
            Some(_) => return Ok(false),
        }
        lru_add_drain();
        Ok(true)
    }

    /// Reads the pages in swap that the entries of a range refer to.
    struct ReadSwap;

    impl Visitor<VmaRef> for ReadSwap {
        fn huge(&mut self, _: &mut HugePage<'_, VmaRef>) -> Result<Step> {
            cond_resched();
            Ok(Step::Next)
        }

        fn table(&mut self, table: &mut Table<'_, VmaRef>) -> Result<Step> {
            SwapReader::scope(|reader| {
                let mut addr = table.range().start();
                while let Some((at, entry)) = next_swapped(table, addr) {
                    reader.read(table.vma(), at, entry);
                    addr = at + PAGE_SIZE;
                    if addr >= table.range().end() {
                        break;
                    }
                }
            });
            cond_resched();
            Ok(Step::Next)
        }
    }

    /// Finds the first page in swap from `addr` on. A read may sleep, so that the table is locked
    /// anew for each.
    fn next_swapped(table: &mut Table<'_, VmaRef>, addr: usize) -> Option<(usize, SwapEntry)> {
        let mut entries = table.lock(addr)?;
        let swapped = entries.next_swapped()?;
        Some((swapped.addr(), swapped.entry()))
    }
}
