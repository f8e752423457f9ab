// SPDX-License-Identifier: GPL-2.0

//! Folios: the memory that page tables map.
//!
//! A [`Folio`] that is reached through a page table is kept by the lock of that table only. To keep
//! it longer, lock it and take a reference ([`FolioRef`]).
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h),
//! [`include/linux/swap.h`](srctree/include/linux/swap.h)

use crate::mm::additions::bindings;
use crate::{
    error::{code::EINVAL, to_result, Result},
    prelude::*,
    types::Opaque,
};
use core::{convert::Infallible, ops::Deref, pin::Pin, ptr::NonNull};
use pin_init::{pin_init_from_closure, stack_pin_init};

/// One or more pages that mm handles as one.
///
/// # Invariants
///
/// The reference count is not zero while a reference to this type lives.
#[repr(transparent)]
pub struct Folio(Opaque<bindings::folio>);

impl Folio {
    /// Makes a reference of a raw pointer.
    ///
    /// # Safety
    ///
    /// The folio must be valid, with a reference that is kept during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(folio: *mut bindings::folio) -> &'a Self {
        // SAFETY: The caller promises it; the type is `repr(transparent)`.
        unsafe { &*folio.cast() }
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::folio {
        self.0.get()
    }

    /// Whether this is memory of a device.
    #[doc(alias = "folio_is_zone_device")]
    #[inline]
    pub(super) fn is_zone_device(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_is_zone_device(self.as_raw()) }
    }

    /// Whether it has more than one page.
    #[doc(alias = "folio_test_large")]
    #[inline]
    pub fn is_large(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_large(self.as_raw()) }
    }

    /// Whether more than one address space may map it. For some large folios this is a guess.
    #[doc(alias = "folio_maybe_mapped_shared")]
    #[inline]
    pub fn maybe_mapped_shared(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_maybe_mapped_shared(self.as_raw()) }
    }

    /// Whether it is anonymous memory.
    #[doc(alias = "folio_test_anon")]
    #[inline]
    pub fn is_anon(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_anon(self.as_raw()) }
    }

    /// Whether it is anonymous memory that KSM does not share.
    #[doc(alias = "folio_test_ksm")]
    #[inline]
    pub(super) fn is_anon_not_ksm(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_anon_not_ksm(self.as_raw()) }
    }

    /// Whether it is on a list of reclaim.
    #[doc(alias = "folio_test_lru")]
    #[inline]
    pub fn is_on_lru(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_lru(self.as_raw()) }
    }

    /// Whether reclaim counts it as active.
    #[doc(alias = "folio_test_active")]
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_active(self.as_raw()) }
    }

    /// Whether it has a place in swap.
    #[doc(alias = "folio_test_swapcache")]
    #[inline]
    pub(super) fn is_in_swap_cache(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_swapcache(self.as_raw()) }
    }

    /// Whether it must be written before it can be dropped.
    #[doc(alias = "folio_test_dirty")]
    #[inline]
    pub(super) fn is_dirty(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_dirty(self.as_raw()) }
    }

    /// Notes that it was part of the working set, for when it is faulted in again.
    #[doc(alias = "folio_set_workingset")]
    #[inline]
    pub fn set_workingset(&self) {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_set_workingset(self.as_raw()) };
    }

    /// Clears the note that it was referenced.
    #[doc(alias = "folio_clear_referenced")]
    #[inline]
    pub fn clear_referenced(&self) {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_clear_referenced(self.as_raw()) };
    }

    /// Clears the note for idle page tracking that it was referenced. Returns whether there was
    /// one.
    #[doc(alias = "folio_test_clear_young")]
    #[inline]
    pub fn test_clear_young(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_test_clear_young(self.as_raw()) }
    }

    /// Makes it a candidate for reclaim.
    #[doc(alias = "folio_deactivate")]
    #[inline]
    pub fn deactivate(&self) {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_deactivate(self.as_raw()) };
    }

    /// Lets reclaim drop it without writing it to swap, unless it is written to before.
    ///
    /// # Safety
    ///
    /// Nobody may need the content.
    #[doc(alias = "folio_mark_lazyfree")]
    #[inline]
    pub(super) unsafe fn mark_lazyfree(&self) {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_mark_lazyfree(self.as_raw()) };
    }

    /// The number of pages.
    ///
    /// C: `folio_nr_pages()`.
    #[inline]
    pub fn nr_pages(&self) -> usize {
        // SAFETY: By the type invariants the folio is valid.
        // CAST: The number is positive.
        unsafe { bindings::folio_nr_pages(self.as_raw()) as usize }
    }

    /// How often its pages are mapped, in all.
    #[doc(alias = "folio_mapcount")]
    #[inline]
    pub(super) fn mapcount(&self) -> usize {
        // SAFETY: By the type invariants the folio is valid.
        // CAST: A count of mappings is not negative.
        unsafe { bindings::folio_mapcount(self.as_raw()) as usize }
    }

    /// Locks the folio unless someone else has it locked.
    ///
    /// C: `folio_trylock()`.
    #[inline]
    pub fn try_lock(&self) -> Option<LockedFolio<&Self>> {
        // SAFETY: By the type invariants the folio is valid.
        let locked = unsafe { bindings::folio_trylock(self.as_raw()) };
        // INVARIANT: The lock was just taken.
        locked.then_some(LockedFolio(self))
    }
}

/// A reference to a folio.
///
/// The one who locks the folio can take one, so that their number cannot overflow.
///
/// # Invariants
///
/// It owns a reference.
#[doc(alias = "folio_get")]
pub struct FolioRef(NonNull<Folio>);

impl Deref for FolioRef {
    type Target = Folio;

    #[inline]
    fn deref(&self) -> &Folio {
        // SAFETY: By the type invariants there is a reference to the folio.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for FolioRef {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is the one of this value to give up.
        unsafe { bindings::folio_put(self.0.as_ptr().cast()) };
    }
}

/// A locked folio.
///
/// # Invariants
///
/// The lock of the folio is held, and is the one of this value to release.
pub struct LockedFolio<F: Deref<Target = Folio>>(F);

impl<F: Deref<Target = Folio>> LockedFolio<F> {
    /// Lets the content be lost. Returns whether that was possible: it is anonymous memory that KSM
    /// does not share, without a place in swap that others use.
    ///
    /// C: `folio_free_swap()`, `folio_clear_dirty()`.
    ///
    /// # Safety
    ///
    /// Nobody may need the content: no other address space has the folio mapped.
    #[inline]
    pub(super) unsafe fn discard(&self) -> bool {
        if !self.0.is_anon_not_ksm() {
            return false;
        }
        // SAFETY: By the type invariants the folio is valid and locked.
        if self.0.is_in_swap_cache() && !unsafe { bindings::folio_free_swap(self.0.as_raw()) } {
            return false;
        }
        // SAFETY: As above.
        unsafe { bindings::folio_clear_dirty(self.0.as_raw()) };
        true
    }
}

impl LockedFolio<&Folio> {
    /// Takes a reference, to keep the folio when the page table is not locked any more.
    #[inline]
    pub fn into_owned(self) -> LockedFolio<FolioRef> {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_get(self.0.as_raw()) };
        // INVARIANT: The reference was just taken.
        let folio = FolioRef(self.0.into());
        core::mem::forget(self);
        // INVARIANT: The lock went over from `self`, which does not release it.
        LockedFolio(folio)
    }
}

impl LockedFolio<FolioRef> {
    /// Splits a large folio into folios as small as they can be; may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is not large, and errors of the C function. The folio is as before then.
    #[doc(alias = "split_folio")]
    #[inline]
    pub fn split(self) -> Result {
        if !self.0.is_large() {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants the folio is valid and locked, and `self` has a reference.
        to_result(unsafe { bindings::split_folio(self.0.as_raw()) })
    }
}

impl<F: Deref<Target = Folio>> Drop for LockedFolio<F> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants we hold the lock.
        unsafe { bindings::folio_unlock(self.0.as_raw()) };
    }
}

/// A list of folios that were isolated from the lists of reclaim, to be reclaimed together.
///
/// Folios that are still on it when it is dropped go back to those lists.
///
/// # Invariants
///
/// It is the head of a list of isolated folios, with one reference for each. The first and the last
/// point to it, so that it does not move.
pub struct IsolatedFolios(Opaque<bindings::list_head>);

impl IsolatedFolios {
    /// Hands an empty list to `collect` and reclaims what is on it afterwards, which may sleep. So
    /// what is returned borrows nothing that is locked.
    #[doc(alias = "reclaim_pages")]
    #[inline]
    pub fn reclaim<R: 'static>(collect: impl FnOnce(Pin<&mut Self>) -> R) -> R {
        stack_pin_init!(let list = Self::new());
        let result = collect(list.as_mut());
        // SAFETY: By the type invariants the list holds isolated folios only. The call takes them,
        // or puts them back.
        unsafe { bindings::reclaim_pages(list.0.get()) };
        result
    }

    #[inline]
    fn new() -> impl PinInit<Self> {
        let init = |list: *mut Self| {
            // SAFETY: The pointer is valid for writes.
            unsafe { bindings::INIT_LIST_HEAD(Opaque::cast_into(&raw const (*list).0)) };
            Ok(())
        };
        // INVARIANT: The list is empty.
        // SAFETY: All of it is initialized, and cannot fail.
        unsafe { pin_init_from_closure::<_, Infallible>(init) }
    }

    /// Takes a folio off its list of reclaim and adds it here, unless somebody else took it off, or
    /// it is not evictable.
    ///
    /// C: `folio_isolate_lru()`, `folio_putback_lru()`.
    #[inline]
    pub fn isolate(self: Pin<&mut Self>, folio: &Folio) {
        // SAFETY: The folio is valid.
        if !unsafe { bindings::folio_isolate_lru(folio.as_raw()) } {
            return;
        }
        // SAFETY: As above.
        if unsafe { bindings::folio_test_unevictable(folio.as_raw()) } {
            // SAFETY: The folio was just isolated.
            unsafe { bindings::folio_putback_lru(folio.as_raw()) };
        } else {
            // SAFETY:
            // - The folio was just isolated, so that it is on no other list.
            // - By the type invariants this is the head of a list.
            // INVARIANT: To isolate takes a reference.
            unsafe { bindings::folio_list_add(folio.as_raw(), self.0.get()) };
        }
    }
}

impl Drop for IsolatedFolios {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the list holds isolated folios only.
        unsafe { bindings::folios_putback(self.0.get()) };
    }
}

/// Puts the folios that this processor has set aside on the lists of reclaim. Does nothing in an
/// interrupt, which may have come while that was done.
#[inline]
pub fn lru_add_drain() {
    // SAFETY: The function checks that this is no interrupt.
    unsafe { bindings::lru_add_drain_in_task() };
}
