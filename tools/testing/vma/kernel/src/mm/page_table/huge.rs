// SPDX-License-Identifier: GPL-2.0

//! Huge pages, where a page table could be.

use super::Table;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use super::Walkable;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use crate::{
    locks,
    mm::{
        folio::Folio,
        space::{Mapped, Slot},
        tlb::{AnonGather, VmaGather},
    },
    page::{TABLE_PAGES, TABLE_SIZE},
};

/// A huge page in the place of a table, or one that is being moved.
pub struct HugePage<'a, V> {
    table: Table<'a, V>,
}

impl<'a, V> HugePage<'a, V> {
    pub(super) fn new(table: Table<'a, V>) -> Self {
        Self { table }
    }

    /// What is there when the huge page has been split meanwhile.
    pub fn as_table(&mut self) -> &mut Table<'a, V> {
        &mut self.table
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> HugePage<'_, V> {
    /// Whether all of it lies in the range of the walk.
    pub fn is_whole(&self) -> bool {
        self.table.range.size() == TABLE_SIZE
    }

    /// Locks it; `None` when it is no huge page any more.
    #[track_caller]
    pub fn lock(&mut self) -> Option<LockedHugePage<'_, V>> {
        self.table.vma.change_page_size(TABLE_SIZE);
        let folio = match self.slot()? {
            Slot::Table => return None,
            Slot::Huge(mapped) => mapped.folio,
            Slot::Moving => None,
        };
        locks::acquire(self.table.lock_id());
        Some(LockedHugePage {
            table: &self.table,
            folio,
        })
    }

    fn slot(&self) -> Option<Slot> {
        let base = self.table.base();
        self.table
            .vma
            .vma()
            .space(|space| space.slots.get(&base).cloned())
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl HugePage<'_, AnonGather<'_>> {
    /// Lets reclaim drop it unless it is written to before. Returns whether that was possible; if not
    /// it may have been split.
    ///
    /// C: `madvise_free_huge_pmd()`.
    #[track_caller]
    pub fn free_lazily(&mut self) -> bool {
        let vma = self.table.vma;
        vma.change_page_size(TABLE_SIZE);
        let Some(Slot::Huge(Mapped {
            folio: Some(folio),
            young,
            dirty,
            ..
        })) = self.slot()
        else {
            return false;
        };
        let state = folio.state();
        if folio.maybe_mapped_shared() || state.locked_elsewhere.get() {
            return false;
        }
        let base = self.table.base();
        if !self.is_whole() {
            // The pages become those of a table, or stay when the folio is in use.
            if !state.pinned.get() {
                if let Some(locked) = folio.try_lock() {
                    let _ = locked.into_owned().split();
                }
            }
            return false;
        }
        state.dirty.set(false);
        folio.mark_lazyfree();
        if young || dirty {
            vma.flush(TABLE_PAGES, TABLE_SIZE);
            vma.space(|space| {
                if let Some(Slot::Huge(mapped)) = space.slots.get_mut(&base) {
                    (mapped.young, mapped.dirty) = (false, false);
                }
            });
        }
        true
    }
}

/// A huge page whose entry is locked. Nothing may sleep until it is dropped.
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub struct LockedHugePage<'a, V: Walkable> {
    table: &'a Table<'a, V>,
    folio: Option<Folio>,
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> LockedHugePage<'_, V> {
    /// The folio that is mapped; `None` when it is the huge page of zeros, or being moved.
    pub fn folio(&self) -> Option<&Folio> {
        self.folio.as_ref()
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl LockedHugePage<'_, VmaGather<'_>> {
    /// Clears the accessed bit, if it is set.
    #[track_caller]
    pub fn clear_young(&self) {
        let base = self.table.base();
        self.table.vma.flush(TABLE_PAGES, TABLE_SIZE);
        self.table.vma.vma().space(|space| {
            if let Some(Slot::Huge(mapped)) = space.slots.get_mut(&base) {
                mapped.young = false;
            }
        });
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> Drop for LockedHugePage<'_, V> {
    fn drop(&mut self) {
        locks::release(self.table.lock_id());
    }
}
