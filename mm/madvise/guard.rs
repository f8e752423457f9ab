// SPDX-License-Identifier: GPL-2.0

//! Guard regions: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE`.
//!
//! A guard is a marker in a page table entry that makes each access to the page fatal. It takes no
//! VMA of its own. [`VmFlags::MAYBE_GUARD`] says that a VMA may have them. It is set under the mmap
//! write lock and the VMA write lock before the first marker goes in, and it stays.

use super::Failure;
use core::ops::ControlFlow;
use kernel::{
    mm::page_table::{walk, Entry, Visitor},
    mm::{virt::VmaRef, PageRange, VmFlags, VmaMaybeGuard, VmaMmapLocked, VmaMmapWrite},
    prelude::*,
};

/// How often an install zaps what is in its way before it lets others have the locks.
///
/// No page fault can fill the range again under these locks. What a zap leaves in a file mapping is
/// the write protection of userfaultfd, until that is taken away.
const MAX_TRIES: usize = 3;

/// Makes each access to `range`, a part of `vma`, fatal. Memory that is there is lost.
///
/// # Errors
///
/// - `EPERM` when the VMA is sealed and its memory must not be lost.
/// - `EINVAL` when the VMA is not ordinary memory, or is locked: what is locked must not be zapped.
/// - `ENOMEM` when there is no memory for the anon_vma, and nothing is changed; or for a page table,
///   and the flag is set and some of the markers are in place.
///
/// C: `madvise_guard_install()` of `mm/madvise.c`.
pub(super) fn install(vma: VmaMmapWrite<'_>, range: PageRange) -> Result<(), Failure> {
    if !may_discard(&vma) {
        return Err(EPERM.into());
    }
    if vma.vm_flags().intersects(VmFlags::LOCKED) {
        return Err(EINVAL.into());
    }
    let vma = vma.start_write().set_maybe_guard()?;

    for _ in 0..MAX_TRIES {
        if walk(&vma, range, &mut Install)?.is_continue() {
            return Ok(());
        }
        // Leaves the markers that are there already.
        vma.zap_page_range_single(range.start(), range.size());
    }
    Err(Failure::Blocked)
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
