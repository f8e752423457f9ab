// SPDX-License-Identifier: GPL-2.0

//! What is to be told to the MMUs when page tables change.

use super::{virt::VmaRef, MmWithUser, PageRange};
use crate::{
    error::Result,
    locks,
    model::{self, Event},
};
use core::{marker::PhantomData, ops::Deref};
use std::cell::Cell;

thread_local! {
    static GATHERING: Cell<bool> = const { Cell::new(false) };
}

/// Panics when changes are being collected: what flushes on its own would flush too little.
#[track_caller]
pub(crate) fn assert_no_gather() {
    locks::require(!GATHERING.get(), || "an mmu_gather is open".into());
}

/// Collects changes of the page tables of an address space, so that the TLBs are flushed once.
pub struct MmuGather<'s> {
    mm: MmWithUser,
    flushes: Cell<usize>,
    // Each scope has its own `'s`, so that no two of these can change places.
    _scope: PhantomData<fn(&'s ()) -> &'s ()>,
}

/// Ends a collection, also when a test fails in it.
struct Gathering;

impl Drop for Gathering {
    fn drop(&mut self) {
        GATHERING.set(false);
    }
}

impl MmuGather<'_> {
    /// Collects what `work` does to the page tables of `mm` and flushes the TLBs at the end.
    #[track_caller]
    pub fn scope<R>(mm: &MmWithUser, work: impl for<'s> FnOnce(&mut MmuGather<'s>) -> R) -> R {
        assert_no_gather();
        GATHERING.set(true);
        let gathering = Gathering;
        let mut tlb = MmuGather {
            mm: mm.clone(),
            flushes: Cell::new(0),
            _scope: PhantomData,
        };
        let result = work(&mut tlb);
        drop(gathering);
        locks::might_sleep("to free what was collected");
        if tlb.flushes.get() > 0 {
            model::log(Event::Flush(tlb.flushes.get()));
        }
        result
    }

    /// Collects what `work` does to the page tables of `vma`.
    ///
    /// # Errors
    ///
    /// Those of `work`. A VMA of another address space is a panic here.
    #[track_caller]
    pub fn of_vma<R>(
        &mut self,
        vma: &VmaRef,
        work: impl FnOnce(&VmaGather<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(vma);
        work(&VmaGather {
            vma,
            flushes: &self.flushes,
            huge: Cell::new(None),
        })
    }

    #[track_caller]
    fn check(&self, vma: &VmaRef) {
        let (own, other) = (self.mm.id(), vma.mm().id());
        locks::require(own == other, || {
            format!("an mmu_gather of mm {own} is used for mm {other}")
        });
    }

    /// Unmaps all of `range`, which must lie in `vma`.
    ///
    /// # Errors
    ///
    /// None. A VMA of another address space is a panic here.
    #[track_caller]
    pub fn zap(&mut self, vma: &VmaRef, range: PageRange) -> Result {
        self.check(vma);
        vma.require_lock_to_zap();
        let Some(range) = range.clamp(vma.start(), vma.end()) else {
            return Ok(());
        };
        let n = vma.space(|space| space.zap(range.start(), range.end(), true));
        self.flushes.set(self.flushes.get() + n);
        Ok(())
    }
}

/// A VMA, under any of its locks, the changes of whose page tables are collected.
pub struct VmaGather<'t> {
    vma: &'t VmaRef,
    flushes: &'t Cell<usize>,
    huge: Cell<Option<bool>>,
}

impl VmaGather<'_> {
    /// Says that single pages change from here on.
    pub fn change_to_pages(&self) {
        self.huge.set(Some(false));
    }

    /// Says that huge pages change from here on.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    pub fn change_to_huge_pages(&self) {
        self.huge.set(Some(true));
    }

    /// Collects the change of `n` pages, of the size that was announced.
    #[track_caller]
    pub(super) fn flush(&self, n: usize, huge: bool) {
        locks::require(self.huge.get() == Some(huge), || {
            "pages of another size change than was said".into()
        });
        self.flushes.set(self.flushes.get() + n);
    }
}

impl Deref for VmaGather<'_> {
    type Target = VmaRef;

    fn deref(&self) -> &VmaRef {
        self.vma
    }
}

/// Tells those who mirror the page tables that `range` is about to be cleared, does `work`, and tells
/// them that it is done.
#[track_caller]
pub fn notify_clear<R>(vma: &VmaRef, range: PageRange, work: impl FnOnce() -> R) -> R {
    locks::might_sleep("to tell those who mirror page tables");
    vma.require_lock();
    model::log(Event::Notify(range.start(), range.end(), true));
    let result = work();
    locks::might_sleep("to tell those who mirror page tables");
    model::log(Event::Notify(range.start(), range.end(), false));
    result
}
