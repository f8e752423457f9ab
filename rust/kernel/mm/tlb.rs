// SPDX-License-Identifier: GPL-2.0

//! TLB flushes and MMU notifiers.
//!
//! C headers: [`include/asm-generic/tlb.h`](srctree/include/asm-generic/tlb.h),
//! [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

use crate::mm::additions::bindings;
use crate::{
    error::{code::EINVAL, Result},
    mm::{virt::VmaRef, MmWithUser, PageRange, VmFlags, VmaMmapLocked},
};
use core::{marker::PhantomData, mem::MaybeUninit, ops::Deref};

/// A collection of page table changes in an address space, for one flush of the TLBs.
///
/// It may outlive the locks under which changes were collected: pages stay allocated, and
/// `mm_tlb_flush_pending()` says so to others, until the flush at the end of the scope. C does the
/// same where it works under VMA locks.
///
/// # Invariants
///
/// `tlb` was initialized by `tlb_gather_mmu()` for an address space with users, and stays in its
/// place during `'s`.
#[doc(alias = "mmu_gather")]
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
    /// `EINVAL` when the VMA is one of another address space, and errors of `work`.
    ///
    /// C: `tlb_start_vma()`, `tlb_end_vma()`.
    #[inline]
    pub fn with_vma<R>(
        &mut self,
        vma: &VmaRef,
        work: impl FnOnce(&VmaGather<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(vma)?;
        self.started(vma, |gather| work(&gather))
    }

    /// Hands the collection to `work` as one that was started for `vma`, of the same address space.
    #[inline]
    fn started<R>(&mut self, vma: &VmaRef, work: impl FnOnce(VmaGather<'_>) -> R) -> R {
        // SAFETY: By the type invariants the collection is valid; the VMA is valid.
        unsafe { bindings::tlb_start_vma(self.tlb, vma.as_ptr()) };
        // INVARIANT: It was started, and `self` is borrowed exclusively.
        let result = work(VmaGather { vma, tlb: self.tlb });
        // SAFETY: As above.
        unsafe { bindings::tlb_end_vma(self.tlb, vma.as_ptr()) };
        result
    }

    /// As [`MmuGather::with_vma`], for anonymous memory in `range`, a part of `vma`, that `work`
    /// may discard. Secondary MMUs, such as those of virtual machines, are told before and
    /// afterwards.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the memory is not anonymous, or is a driver's or of hugetlb, the range does
    /// not lie in the VMA, or the VMA is one of another address space; and errors of `work`.
    ///
    /// C: `mmu_notifier_invalidate_range_start()` with `MMU_NOTIFY_CLEAR`,
    /// `mmu_notifier_invalidate_range_end()`.
    #[inline]
    pub fn with_anon_vma<R>(
        &mut self,
        vma: &VmaRef,
        range: PageRange,
        work: impl FnOnce(&AnonGather<'_>) -> Result<R>,
    ) -> Result<R> {
        const OF_OTHERS: VmFlags = VmFlags::PFNMAP
            .union(VmFlags::MIXEDMAP)
            .union(VmFlags::HUGETLB);

        self.check(vma)?;
        vma.check_range(range)?;
        if !vma.is_anonymous() || vma.vm_flags().intersects(OF_OTHERS) {
            return Err(EINVAL);
        }
        let mut notifier = MaybeUninit::uninit();
        let notifier = notifier.as_mut_ptr();
        let (mm, start, end) = (vma.mm().as_raw(), range.start(), range.end());
        // SAFETY: `notifier` is valid for writes, and the address space is valid.
        unsafe { bindings::mmu_notifier_range_init_clear(notifier, mm, start, end) };
        // SAFETY: It was just initialized.
        unsafe { bindings::mmu_notifier_invalidate_range_start(notifier) };
        // INVARIANT: The VMA was checked, and secondary MMUs know of the range.
        let result = self.started(vma, |gather| work(&AnonGather { gather, range }));
        // SAFETY: It is the one that was started.
        unsafe { bindings::mmu_notifier_invalidate_range_end(notifier) };
        result
    }

    #[inline]
    fn check(&self, vma: &VmaRef) -> Result {
        // SAFETY: By the type invariants the collection is valid.
        if unsafe { (*self.tlb).mm } != vma.mm().as_raw() {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Unmaps all of `range`, as far as it lies in `vma`, and frees page tables that become empty,
    /// where the architecture can do that.
    ///
    /// Private copies of the pages of a file are dropped, too.
    ///
    /// # Errors
    ///
    /// - `EINVAL` when the VMA is one of another address space.
    /// - `EINVAL` when it is one of hugetlb and the range cuts a huge page.
    /// - `EINVAL` when a PUD may map huge pages, as for DAX or a driver. To split them takes the
    ///   mmap lock: see [`MmuGather::zap_mmap_locked`].
    #[doc(alias = "zap_vma_range_batched")]
    #[inline]
    pub fn zap(&mut self, vma: &VmaRef, range: PageRange) -> Result {
        let may_have_huge_puds = vma.vm_flags().intersects(VmFlags::PFNMAP)
            || vma
                .file()
                .is_some_and(|file| file.is_dax() || vma.vm_flags().intersects(VmFlags::MIXEDMAP));
        if may_have_huge_puds {
            return Err(EINVAL);
        }
        // SAFETY: No PUD maps huge pages.
        unsafe { self.zap_any::<()>(vma, range) }
    }

    /// As [`MmuGather::zap`], under the mmap lock, for any VMA.
    ///
    /// # Errors
    ///
    /// - `EINVAL` when the VMA is one of another address space.
    /// - `EINVAL` when it is one of hugetlb and the range cuts a huge page.
    #[inline]
    pub fn zap_mmap_locked(&mut self, vma: &VmaMmapLocked, range: PageRange) -> Result {
        // SAFETY: The mmap lock is held.
        unsafe { self.zap_any::<()>(vma, range) }
    }

    /// See [`MmuGather::zap`]. Out of line, and generic in nothing, so that only the object of the
    /// caller has it, once.
    ///
    /// # Safety
    ///
    /// The mmap lock must be held where a PUD may map huge pages.
    #[inline(never)]
    #[expect(clippy::extra_unused_type_parameters)]
    unsafe fn zap_any<Nothing>(&mut self, vma: &VmaRef, range: PageRange) -> Result {
        self.check(vma)?;
        let Some(range) = range.clamp(vma.start(), vma.end()) else {
            return Ok(());
        };
        if let Some(size) = vma.hugetlb_page_size() {
            if (range.start() | range.end()) & (size - 1) != 0 {
                return Err(EINVAL);
            }
        }
        // SAFETY:
        // - The VMA is valid, and `range` lies in it.
        // - The caller holds the mmap lock where huge pages that a PUD maps may have to be split.
        // - By the type invariants the collection is valid; it is one of the same address space.
        unsafe {
            bindings::zap_vma_range_batched(self.tlb, vma.as_ptr(), range.start(), range.size())
        };
        Ok(())
    }
}

/// A VMA, under any of its locks, the changes of whose page tables are collected.
///
/// # Invariants
///
/// `tlb` is a valid collection for the address space of the VMA, was started for the VMA, and is
/// used through this alone.
pub struct VmaGather<'t> {
    vma: &'t VmaRef,
    tlb: *mut bindings::mmu_gather,
}

impl VmaGather<'_> {
    /// Notes the size of the pages that change from here on, in bytes.
    #[doc(alias = "tlb_change_page_size")]
    #[inline]
    pub(super) fn change_page_size(&self, size: usize) {
        // SAFETY: By the type invariants the collection is valid.
        // CAST: The size of a huge page fits.
        unsafe { bindings::tlb_change_page_size(self.tlb, size as u32) };
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::mmu_gather {
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

/// Anonymous memory that may be discarded in a range: a [`VmaGather`] of which secondary MMUs know.
///
/// # Invariants
///
/// - The VMA is anonymous, neither a driver's nor of hugetlb: its memory has anonymous folios.
/// - `range` lies in the VMA. Secondary MMUs have been told that it is about to be cleared.
pub struct AnonGather<'t> {
    gather: VmaGather<'t>,
    range: PageRange,
}

impl AnonGather<'_> {
    /// The addresses whose memory may be discarded.
    #[inline]
    pub(super) fn range(&self) -> PageRange {
        self.range
    }
}

impl<'t> Deref for AnonGather<'t> {
    type Target = VmaGather<'t>;

    #[inline]
    fn deref(&self) -> &VmaGather<'t> {
        &self.gather
    }
}
