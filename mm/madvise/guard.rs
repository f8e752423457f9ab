// SPDX-License-Identifier: GPL-2.0

//! Guard regions: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE`.
//!
//! A guard is a marker in a page table entry that makes each access to the page fatal. It takes no
//! VMA of its own. [`VmFlags::MAYBE_GUARD`] says that a VMA may have them. It is set once, with the
//! first marker, under the mmap write lock and the VMA write lock, and it stays.

use super::Failure;
use core::ops::ControlFlow;
use kernel::{
    mm::page_table::{walk, Entry, Visitor},
    mm::{virt::VmaRef, PageRange, VmFlags, VmaMaybeGuard, VmaMmapLocked, VmaMmapWrite},
    prelude::*,
};

/// How often an install zaps what is in its way before it lets others have the locks.
const MAX_TRIES: usize = 3;

/// Mappings that cannot have guards: their page tables are not those of ordinary memory.
const UNFIT: VmFlags = VmFlags::SPECIAL.union(VmFlags::HUGETLB);

/// Makes each access to `range`, a part of `vma`, fatal. Memory that is there is lost.
///
/// # Errors
///
/// - `EPERM` when the VMA is sealed and its memory must not be lost.
/// - `EINVAL` when the VMA is not ordinary memory, or is locked: what is locked must not be zapped.
/// - `ENOMEM` when there is no memory for the anon_vma or a page table. The flag may be set then,
///   and some of the markers in place.
///
/// C: `madvise_guard_install()` of `mm/madvise.c`.
pub(super) fn install(vma: VmaMmapWrite<'_>, range: PageRange) -> Result<(), Failure> {
    if !may_discard(&vma) {
        return Err(EPERM.into());
    }
    if vma.vm_flags().intersects(UNFIT | VmFlags::LOCKED) {
        return Err(EINVAL.into());
    }

    let mut vma = vma.start_write();
    // Page tables of anonymous memory that hold something go with an anon_vma, in all of mm. Those
    // of a file need none: the flag alone makes fork() copy them and khugepaged keep them.
    if vma.is_anonymous() {
        vma.anon_vma_prepare()?;
    }
    let vma = vma.set_maybe_guard();

    for _ in 0..MAX_TRIES {
        if walk(&vma, range, &mut Install)?.is_continue() {
            return Ok(());
        }
        // Leaves the markers that are there already.
        vma.zap_page_range_single(range.start(), range.size());
    }
    Err(Failure::Raced)
}

/// Takes the guards in `range`, a part of `vma`, away. Nothing else changes.
///
/// A locked VMA may have guards if it was locked after they were installed.
///
/// # Errors
///
/// `EINVAL` when the VMA is not ordinary memory.
///
/// C: `madvise_guard_remove()` of `mm/madvise.c`.
pub(super) fn remove(vma: &VmaMmapLocked, range: PageRange) -> Result<(), Failure> {
    if vma.vm_flags().intersects(UNFIT) {
        return Err(EINVAL.into());
    }
    // `Remove` never breaks.
    let _ = walk(vma, range, &mut Remove)?;
    Ok(())
}

/// Returns whether the memory of a VMA may be thrown away: always, unless it is sealed. Sealed
/// memory that the process could overwrite anyway may be, and so may that of a file.
///
/// C: `can_madvise_modify()` of `mm/madvise.c`.
fn may_discard(vma: &VmaRef) -> bool {
    let flags = vma.vm_flags();
    !flags.intersects(VmFlags::SEALED)
        || !vma.is_anonymous()
        || (flags.intersects(VmFlags::WRITE) && vma.arch_write_permitted())
}

/// Fills a range with markers, up to the first page that must be zapped before.
struct Install;

impl Visitor<VmaMaybeGuard<'_>> for Install {
    const ALLOCATE: bool = true;

    fn huge(&mut self) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    #[inline]
    fn entry(&mut self, entry: Entry<'_, VmaMaybeGuard<'_>>) -> ControlFlow<()> {
        match entry {
            Entry::Empty(entry) => {
                entry.install_guard();
                ControlFlow::Continue(())
            }
            Entry::Guard(_) => ControlFlow::Continue(()),
            Entry::Other => ControlFlow::Break(()),
        }
    }
}

/// Clears the markers of a range.
struct Remove;

impl Visitor<VmaMmapLocked> for Remove {
    const ALLOCATE: bool = false;

    fn huge(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    #[inline]
    fn entry(&mut self, entry: Entry<'_, VmaMmapLocked>) -> ControlFlow<()> {
        if let Entry::Guard(guard) = entry {
            guard.remove();
        }
        ControlFlow::Continue(())
    }
}
