// SPDX-License-Identifier: GPL-2.0

//! Guard regions: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE`.
//!
//! A guard is a marker in a page table entry that makes each access to the page fatal. It takes no
//! VMA of its own. [`VmFlags::MAYBE_GUARD`] says that a VMA may have them. It is set under the mmap
//! write lock and the VMA write lock before the first marker goes in. Where it is set already, a read
//! lock is enough to install more. It is cleared under both write locks, too, when the guards of all of a
//! VMA are taken away, so that there are none for certain.

use super::{
    behavior::{GuardWork, VmaGuards},
    Failure,
};
use kernel::{
    mm::page_table::{walk, HugePage, MissingTable, RemoveGuards, Run, Step, Table, Visitor},
    mm::{cond_resched, virt::VmaRef, PageRange, VmFlags, VmaMaybeGuard},
    prelude::*,
};

/// `MADV_GUARD_INSTALL`.
pub(super) const INSTALL: GuardWork = GuardWork {
    changes_flags: |vma, _| vma.maybe_guard().is_none(),
    apply: install,
};

/// `MADV_GUARD_REMOVE`.
pub(super) const REMOVE: GuardWork = GuardWork {
    changes_flags: removes_all,
    apply: remove,
};

/// How often an install zaps what is in its way before it lets others have the locks.
///
/// Under a read lock page faults can fill the range again. What a zap leaves in a file mapping is the
/// write protection of userfaultfd, until that is taken away.
const MAX_TRIES: usize = 3;

/// Makes each access to `range`, a part of `vma`, fatal. Memory that is there is lost.
///
/// # Errors
///
/// - `EINVAL` when the VMA is not ordinary memory, or is locked: what is locked must not be zapped.
/// - `ENOMEM` when there is no memory for the anon_vma, and nothing is changed; or for a page table,
///   and the flag is set and some of the markers are in place.
///
/// C: `madvise_guard_install()` of `mm/madvise.c`.
fn install(vma: VmaGuards<'_>, range: PageRange) -> Result<(), Failure> {
    if vma.vm_flags().intersects(VmFlags::LOCKED) {
        return Err(EINVAL.into());
    }
    let vma = match vma {
        VmaGuards::Read(vma) => vma.maybe_guard().ok_or(EINVAL)?,
        VmaGuards::Write(vma) => vma.start_write().set_maybe_guard()?,
    };

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
fn remove(vma: VmaGuards<'_>, range: PageRange) -> Result<(), Failure> {
    if !vma.is_ordinary() {
        return Err(EINVAL.into());
    }
    match vma {
        VmaGuards::Write(vma) if removes_all(&vma, range) => vma.start_write().remove_guards()?,
        vma => walk(&*vma, range, &mut RemoveGuards).map(drop)?,
    }
    Ok(())
}

/// Whether none of the guards that `vma` may have is left when those of `range` are removed.
fn removes_all(vma: &VmaRef, range: PageRange) -> bool {
    range.start() == vma.start()
        && range.end() == vma.end()
        && vma.is_ordinary()
        && vma.vm_flags().intersects(VmFlags::MAYBE_GUARD)
}

/// Fills a range with markers, up to the first page that must be zapped before.
struct Install;

impl Visitor<VmaMaybeGuard<'_>> for Install {
    fn huge_pud(&mut self) -> Option<Step> {
        Some(Step::Stop)
    }

    fn huge(&mut self, _: &HugePage<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        Ok(Step::Stop)
    }

    #[inline]
    fn missing(&mut self, table: &MissingTable<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        let step = table.allocate_guards()?;
        cond_resched();
        Ok(step)
    }

    #[inline]
    fn table(&mut self, table: &Table<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        let Some(mut entries) = table.lock(table.range().start()) else {
            return Ok(Step::Again);
        };
        while let Some(run) = entries.next_run() {
            match run {
                Run::Empty(run) => run.install_guards(),
                Run::Guards(_) => {}
                Run::Other => return Ok(Step::Stop),
            }
        }
        drop(entries);
        cond_resched();
        Ok(Step::Next)
    }
}
