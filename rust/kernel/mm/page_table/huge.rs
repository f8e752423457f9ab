// SPDX-License-Identifier: GPL-2.0

//! Huge pages, where a page table could be.

use super::table::Table;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use super::table::{table_span, Walkable};
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use crate::mm::additions::bindings;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use crate::mm::{
    folio::Folio,
    tlb::{AnonGather, VmaGather},
};

/// A huge page in the place of a table, or one under migration.
///
/// # Invariants
///
/// The invariants of [`Table`]. When it was looked at, without a lock, the entry `pmd` was one for
/// a huge page.
pub struct HugePage<'a, V> {
    table: Table<'a, V>,
}

impl<'a, V> HugePage<'a, V> {
    #[inline]
    pub(super) fn new(table: Table<'a, V>) -> Self {
        Self { table }
    }

    /// The table that is there when the huge page has been split meanwhile.
    #[inline]
    pub fn as_table(&mut self) -> &mut Table<'a, V> {
        &mut self.table
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> HugePage<'_, V> {
    /// Whether all of it lies in the range of the walk.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.table.range.size() == table_span()
    }

    /// Locks it; `None` when it is no huge page any more. Until the lock is dropped nothing may
    /// sleep.
    #[doc(alias = "pmd_trans_huge_lock")]
    #[inline]
    pub fn lock(&mut self) -> Option<LockedHugePage<'_, V>> {
        let Table { vma, pmd, .. } = self.table;
        vma.change_page_size(table_span());
        // SAFETY: By the type invariants the entry is one of the VMA, of which a lock is held.
        let ptl = unsafe { bindings::pmd_trans_huge_lock(pmd, vma.vma().as_ptr()) };
        // INVARIANT: The call locked the huge page unless it returned null.
        (!ptl.is_null()).then_some(LockedHugePage {
            table: &self.table,
            ptl,
        })
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl HugePage<'_, AnonGather<'_>> {
    /// Lets reclaim drop it unless it is written to before. Returns whether that was possible; if
    /// not it may have been split.
    #[doc(alias = "madvise_free_huge_pmd")]
    #[inline]
    pub fn free_lazily(&mut self) -> bool {
        let Table { vma, pmd, range } = self.table;
        let (start, end) = (range.start(), range.end());
        // SAFETY:
        // - By the type invariants the entry is one of the VMA, of which a lock is held.
        // - The call checks under the lock of the entry that it is a huge page.
        // - The collection is that of the VMA, whose huge pages have folios.
        unsafe { bindings::madvise_free_huge_pmd(vma.as_raw(), vma.as_ptr(), pmd, start, end) }
    }
}

/// A huge page whose entry is locked. Nothing may sleep until it is dropped.
///
/// # Invariants
///
/// The entry is a huge page, or one under migration; its lock `ptl` is held.
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub struct LockedHugePage<'a, V> {
    table: &'a Table<'a, V>,
    ptl: *mut bindings::spinlock_t,
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> LockedHugePage<'_, V> {
    /// The folio that is mapped; `None` when it is the shared huge page of zeros, page frames
    /// without a folio, or under migration.
    #[doc(alias = "vm_normal_folio_pmd")]
    #[inline]
    pub fn folio(&self) -> Option<&Folio> {
        let Table { vma, pmd, range } = self.table;
        // SAFETY: By the type invariants the entry is one of the VMA, is a huge page and locked.
        let folio = unsafe { bindings::huge_pmd_folio(vma.vma().as_ptr(), range.start(), *pmd) };
        if folio.is_null() {
            return None;
        }
        // SAFETY: The mapping has a reference, which stays while the entry is locked.
        let folio = unsafe { Folio::from_raw(folio) };
        (!folio.is_zone_device()).then_some(folio)
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl LockedHugePage<'_, VmaGather<'_>> {
    /// Clears the accessed bit, if it is set.
    ///
    /// C: `pmdp_invalidate()`, `pmd_mkold()`, `tlb_remove_pmd_tlb_entry()`.
    #[inline]
    pub fn clear_young(&self) {
        let Table { vma, pmd, range } = *self.table;
        // SAFETY: By the type invariants the entry is locked.
        if unsafe { bindings::huge_pmd_young(pmd) } {
            let (tlb, vma) = (vma.as_raw(), vma.as_ptr());
            // SAFETY:
            // - By the type invariants the entry is one of the VMA and locked.
            // - It maps a huge page: what is under migration does not count as used.
            // - The collection is that of the VMA.
            unsafe { bindings::huge_pmd_mkold(tlb, vma, range.start(), pmd) };
        }
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V> Drop for LockedHugePage<'_, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants we hold the lock.
        unsafe { bindings::spin_unlock_ptl(self.ptl) };
    }
}
