// SPDX-License-Identifier: GPL-2.0

//! TLB flushes and MMU notifiers.

use super::{file::VmaFile, virt::VmaRef, MmWithUser, PageRange, VmFlags, VmaMmapLocked};
use crate::{
    error::{code::EINVAL, Result},
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
    pub fn with_vma<R>(
        &mut self,
        vma: &VmaRef,
        work: impl FnOnce(&VmaGather<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(vma);
        work(&VmaGather {
            vma,
            flushes: &self.flushes,
            page_size: Cell::new(None),
        })
    }

    /// As [`MmuGather::with_vma`], for anonymous memory in `range` that `work` may discard.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the memory is not anonymous or the range does not lie in the VMA; and those of
    /// `work`.
    #[track_caller]
    pub fn with_anon_vma<R>(
        &mut self,
        vma: &VmaRef,
        range: PageRange,
        work: impl FnOnce(&AnonGather<'_>) -> Result<R>,
    ) -> Result<R> {
        const OF_OTHERS: VmFlags = VmFlags::PFNMAP
            .union(VmFlags::MIXEDMAP)
            .union(VmFlags::HUGETLB);

        vma.check_range(range)?;
        if !vma.is_anonymous() || vma.vm_flags().intersects(OF_OTHERS) {
            return Err(EINVAL);
        }
        locks::might_sleep("to tell secondary MMUs");
        vma.require_lock();
        model::log(Event::Notify(range.start(), range.end(), true));
        let result = self.with_vma(vma, |gather| work(&AnonGather { gather, range }));
        locks::might_sleep("to tell secondary MMUs");
        model::log(Event::Notify(range.start(), range.end(), false));
        result
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
    /// `EINVAL` when huge pages may have to be split, which takes the mmap lock. A VMA of another address
    /// space is a panic here.
    #[track_caller]
    pub fn zap(&mut self, vma: &VmaRef, range: PageRange) -> Result {
        let of_driver =
            |file: &VmaFile| file.is_dax() || vma.vm_flags().intersects(VmFlags::MIXEDMAP);
        if vma.vm_flags().intersects(VmFlags::PFNMAP) || vma.file().is_some_and(of_driver) {
            return Err(EINVAL);
        }
        self.zap_any(vma, range)
    }

    /// As [`MmuGather::zap`], under the mmap lock, for any VMA.
    ///
    /// # Errors
    ///
    /// None. A VMA of another address space is a panic here.
    #[track_caller]
    pub fn zap_mmap_locked(&mut self, vma: &VmaMmapLocked, range: PageRange) -> Result {
        self.zap_any(vma, range)
    }

    #[track_caller]
    fn zap_any(&mut self, vma: &VmaRef, range: PageRange) -> Result {
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
    page_size: Cell<Option<usize>>,
}

impl VmaGather<'_> {
    /// Notes the size of the pages that change from here on.
    pub(super) fn change_page_size(&self, size: usize) {
        self.page_size.set(Some(size));
    }

    /// Collects the change of `n` pages, of the size that was noted.
    #[track_caller]
    pub(super) fn flush(&self, n: usize, size: usize) {
        locks::require(self.page_size.get() == Some(size), || {
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

/// Anonymous memory that may be discarded in a range.
pub struct AnonGather<'t> {
    gather: &'t VmaGather<'t>,
    range: PageRange,
}

impl AnonGather<'_> {
    pub(super) fn range(&self) -> PageRange {
        self.range
    }
}

impl<'t> Deref for AnonGather<'t> {
    type Target = VmaGather<'t>;

    fn deref(&self) -> &VmaGather<'t> {
        self.gather
    }
}
