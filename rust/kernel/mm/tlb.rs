// SPDX-License-Identifier: GPL-2.0

//! What is to be told to the MMUs when page tables change.
//!
//! C headers: [`include/asm-generic/tlb.h`](srctree/include/asm-generic/tlb.h),
//! [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

use super::bindings;
use crate::{
    error::{code::EINVAL, Result},
    mm::{virt::VmaRef, MmWithUser, PageRange},
    page::PAGE_SIZE,
};
use core::{marker::PhantomData, mem::MaybeUninit, ops::Deref};

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use crate::mm::page_table;

/// Collects changes of the page tables of an address space, so that the TLBs are flushed once.
///
/// C: `struct mmu_gather`.
///
/// # Invariants
///
/// `tlb` was initialized by `tlb_gather_mmu()` for an address space with users, and stays in its place
/// during `'s`.
pub struct MmuGather<'s> {
    tlb: *mut bindings::mmu_gather,
    // Each scope has its own `'s`, so that no two of these can change places.
    _scope: PhantomData<fn(&'s ()) -> &'s ()>,
}

impl MmuGather<'_> {
    /// Collects what `work` does to the page tables of `mm` and flushes the TLBs at the end.
    ///
    /// C: `tlb_gather_mmu()`, `tlb_finish_mmu()`.
    #[inline]
    pub fn scope<R>(mm: &MmWithUser, work: impl for<'s> FnOnce(&mut MmuGather<'s>) -> R) -> R {
        let mut tlb = MaybeUninit::uninit();
        let tlb = tlb.as_mut_ptr();
        // SAFETY: `tlb` is valid for writes, and the address space has users.
        unsafe { bindings::tlb_gather_mmu(tlb, mm.as_raw()) };
        // INVARIANT: It was just initialized, and stays in its place until the end of this call.
        let result = work(&mut MmuGather {
            tlb,
            _scope: PhantomData,
        });
        // SAFETY: It was initialized above.
        unsafe { bindings::tlb_finish_mmu(tlb) };
        result
    }

    /// Collects what `work` does to the page tables of `vma`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA is one of another address space, and those of `work`.
    ///
    /// C: `tlb_start_vma()`, `tlb_end_vma()`.
    #[inline]
    pub fn of_vma<R>(
        &mut self,
        vma: &VmaRef,
        work: impl FnOnce(&VmaGather<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(vma)?;
        // SAFETY: By the type invariants the collection is valid; the VMA is valid.
        unsafe { bindings::tlb_start_vma(self.tlb, vma.as_ptr()) };
        // INVARIANT: It was checked and started, and `self` is borrowed exclusively.
        let result = work(&VmaGather { vma, tlb: self.tlb });
        // SAFETY: As above.
        unsafe { bindings::tlb_end_vma(self.tlb, vma.as_ptr()) };
        result
    }

    #[inline]
    fn check(&self, vma: &VmaRef) -> Result {
        // SAFETY: By the type invariants the collection is valid.
        match unsafe { (*self.tlb).mm } == vma.mm().as_raw() {
            true => Ok(()),
            false => Err(EINVAL),
        }
    }

    /// Unmaps all of `range`, which must lie in `vma`, and frees page tables that become empty,
    /// where the architecture can do that.
    ///
    /// Private copies of the pages of a file are dropped, too. Outside the VMA nothing is done.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA is one of another address space, or one of hugetlb and the range cuts
    /// a huge page.
    ///
    /// C: `zap_page_range_single_batched()`.
    #[inline]
    pub fn zap(&mut self, vma: &VmaRef, range: PageRange) -> Result {
        self.check(vma)?;
        let Some(range) = range.clamp(vma.start(), vma.end()) else {
            return Ok(());
        };
        if let Some(size) = vma.hugetlb_page_size() {
            if (range.start() | range.end()) & (size - 1) != 0 {
                return Err(EINVAL);
            }
        }
        let mut details = bindings::zap_details {
            reclaim_pt: true,
            even_cows: true,
            ..Default::default()
        };
        // SAFETY: The VMA is valid, `range` lies in it, and by the type invariants the collection
        // is valid.
        unsafe {
            bindings::zap_page_range_single_batched(
                self.tlb,
                vma.as_ptr(),
                range.start(),
                range.size(),
                &mut details,
            )
        };
        Ok(())
    }
}

/// A VMA, under any of its locks, the changes of whose page tables are collected.
///
/// # Invariants
///
/// `tlb` is a valid collection for the address space of the VMA, was started for the VMA, and is used
/// through this alone.
pub struct VmaGather<'t> {
    vma: &'t VmaRef,
    tlb: *mut bindings::mmu_gather,
}

impl VmaGather<'_> {
    /// Says that single pages change from here on.
    ///
    /// C: `tlb_change_page_size()`.
    #[inline]
    pub fn change_to_pages(&self) {
        // SAFETY: By the type invariants the collection is valid.
        // CAST: The size of a page fits.
        unsafe { bindings::tlb_change_page_size(self.tlb, PAGE_SIZE as u32) };
    }

    /// Says that huge pages change from here on.
    ///
    /// C: `tlb_change_page_size()`.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn change_to_huge_pages(&self) {
        // SAFETY: By the type invariants the collection is valid.
        // CAST: The size of a huge page fits.
        unsafe { bindings::tlb_change_page_size(self.tlb, page_table::table_span() as u32) };
    }

    #[inline]
    pub(super) fn tlb(&self) -> *mut bindings::mmu_gather {
        self.tlb
    }
}

impl Deref for VmaGather<'_> {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        self.vma
    }
}

/// Tells those who mirror the page tables of `vma`, such as virtual machines, that `range` is about
/// to be cleared, does `work`, and tells them that it is done.
///
/// C: `mmu_notifier_invalidate_range_start()` with `MMU_NOTIFY_CLEAR`,
/// `mmu_notifier_invalidate_range_end()`.
#[inline]
pub fn notify_clear<R>(vma: &VmaRef, range: PageRange, work: impl FnOnce() -> R) -> R {
    let mut notifier = MaybeUninit::uninit();
    let notifier = notifier.as_mut_ptr();
    // SAFETY: `notifier` is valid for writes, and the address space is valid.
    unsafe {
        bindings::mmu_notifier_range_init_clear(
            notifier,
            vma.mm().as_raw(),
            range.start(),
            range.end(),
        )
    };
    // SAFETY: It was just initialized.
    unsafe { bindings::mmu_notifier_invalidate_range_start(notifier) };
    let result = work();
    // SAFETY: It is the one that was started.
    unsafe { bindings::mmu_notifier_invalidate_range_end(notifier) };
    result
}
