// SPDX-License-Identifier: GPL-2.0

//! Folios: the memory that page tables map.
//!
//! A [`Folio`] that is reached through a page table is kept by the lock of that table only. Who
//! wants to keep it longer takes a reference (`ARef<Folio>`).
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h),
//! [`include/linux/swap.h`](srctree/include/linux/swap.h)

use super::bindings;
use crate::{
    error::{to_result, Result},
    types::{ARef, AlwaysRefCounted, Opaque},
};
use core::{marker::PhantomData, mem::MaybeUninit, ops::Deref, ptr::NonNull};

/// One or more pages that mm handles as one.
///
/// # Invariants
///
/// The reference count is not zero while a reference to this type lives.
#[repr(transparent)]
pub struct Folio(Opaque<bindings::folio>);

// SAFETY: `folio_get()` adds a reference and `folio_put()` takes one away; the folio is freed when
// none is left.
unsafe impl AlwaysRefCounted for Folio {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_get(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(folio: NonNull<Self>) {
        // SAFETY: The caller gives its reference up.
        unsafe { bindings::folio_put(folio.cast().as_ptr()) };
    }
}

/// Makes methods that call the C function of the same name on the folio.
macro_rules! folio_methods {
    ($($(#[$doc:meta])* $name:ident: $c:ident -> $ret:ty;)*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("\n\nC: `", stringify!($c), "()`.")]
            #[inline]
            pub fn $name(&self) -> $ret {
                // SAFETY: By the type invariants the folio is valid.
                unsafe { bindings::$c(self.as_raw()) }
            }
        )*
    };
}

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

    folio_methods! {
        /// Whether this is memory of a device.
        is_zone_device: folio_is_zone_device -> bool;
        /// Whether it has more than one page.
        is_large: folio_test_large -> bool;
        /// Whether more than one address space may map it. For some large folios this is a guess.
        maybe_mapped_shared: folio_maybe_mapped_shared -> bool;
        /// Whether it is anonymous memory.
        is_anon: folio_test_anon -> bool;
        /// Whether it is on a list of reclaim.
        is_on_lru: folio_test_lru -> bool;
        /// Whether it counts as active.
        is_active: folio_test_active -> bool;
        /// Whether it has a place in swap.
        is_in_swap_cache: folio_test_swapcache -> bool;
        /// Whether it must be written before it can be dropped.
        is_dirty: folio_test_dirty -> bool;
        /// Remembers that it was part of the working set, for when it is faulted in again.
        set_workingset: folio_set_workingset -> ();
        /// Forgets that it was referenced.
        clear_referenced: folio_clear_referenced -> ();
        /// Forgets for the tracking of idle pages that it was referenced.
        test_clear_young: folio_test_clear_young -> bool;
        /// Makes it a candidate for reclaim.
        deactivate: folio_deactivate -> ();
        /// Lets reclaim drop it without writing it to swap, unless it is written to before.
        mark_lazyfree: folio_mark_lazyfree -> ();
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

    /// Whether each of its pages is mapped once on average: whoever finds all of them in one page
    /// table knows that nobody else has it mapped.
    ///
    /// C: `folio_mapcount()`, `folio_nr_pages()`.
    #[inline]
    pub fn is_mapped_once_per_page(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        let count = unsafe { bindings::folio_mapcount(self.as_raw()) };
        // CAST: A count of mappings is not negative.
        count as usize == self.nr_pages()
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

    /// Locks the folio; may sleep.
    ///
    /// C: `folio_lock()`.
    #[inline]
    pub fn lock(folio: ARef<Self>) -> LockedFolio<ARef<Self>> {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { bindings::folio_lock(folio.as_raw()) };
        // INVARIANT: The lock was just taken.
        LockedFolio(folio)
    }
}

/// A locked folio.
///
/// # Invariants
///
/// The lock of the folio is held, and is the one of this value to release.
pub struct LockedFolio<F: Deref<Target = Folio>>(F);

impl<F: Deref<Target = Folio>> LockedFolio<F> {
    /// Takes the memory out of swap, where it has its place for no one else any more.
    ///
    /// Returns whether that was done. C: `folio_free_swap()`.
    #[inline]
    pub fn free_swap(&self) -> bool {
        // SAFETY: By the type invariants the folio is valid and locked.
        unsafe { bindings::folio_free_swap(self.0.as_raw()) }
    }

    /// Lets the content be lost. C: `folio_clear_dirty()`.
    #[inline]
    pub fn clear_dirty(&self) {
        // SAFETY: By the type invariants the folio is valid and locked.
        unsafe { bindings::folio_clear_dirty(self.0.as_raw()) };
    }
}

impl LockedFolio<&Folio> {
    /// Takes a reference, so that the folio can be kept when the page table is not locked any more.
    #[inline]
    pub fn into_owned(self) -> LockedFolio<ARef<Folio>> {
        let folio = ARef::from(self.0);
        core::mem::forget(self);
        // INVARIANT: The lock went over from `self`, which does not release it.
        LockedFolio(folio)
    }
}

impl LockedFolio<ARef<Folio>> {
    /// Splits a large folio into single pages; may sleep.
    ///
    /// # Errors
    ///
    /// Those of the C function `split_folio()`: the folio is as before then.
    #[inline]
    pub fn split(self) -> Result {
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

/// Folios that were taken off the lists of reclaim, to be reclaimed together.
///
/// # Invariants
///
/// `head` is the head of a list of isolated folios, with one reference for each, and does not move
/// during `'a`.
pub struct IsolatedFolios<'a> {
    head: *mut bindings::list_head,
    _head: PhantomData<&'a mut bindings::list_head>,
}

impl IsolatedFolios<'_> {
    /// Hands an empty list to `collect` and reclaims what is on it afterwards, which may sleep.
    ///
    /// C: `reclaim_pages()`.
    #[inline]
    pub fn reclaim<R>(collect: impl FnOnce(&mut IsolatedFolios<'_>) -> R) -> R {
        let mut head = MaybeUninit::<bindings::list_head>::uninit();
        let ptr = head.as_mut_ptr();
        // SAFETY: `ptr` is valid for writes.
        unsafe { (*ptr).next = ptr };
        // SAFETY: As above.
        unsafe { (*ptr).prev = ptr };
        // INVARIANT: The list is empty, and `head` stays in its place until the end of this call.
        let result = collect(&mut IsolatedFolios {
            head: ptr,
            _head: PhantomData,
        });
        // SAFETY: By the type invariants the list holds isolated folios only.
        unsafe { bindings::reclaim_pages(ptr) };
        result
    }

    /// Takes a folio off its list of reclaim and adds it here, unless someone else took it off, or
    /// it is not evictable.
    ///
    /// C: `folio_isolate_lru()`, `folio_putback_lru()`.
    #[inline]
    pub fn isolate(&mut self, folio: &Folio) {
        // SAFETY: The folio is valid.
        if !unsafe { bindings::folio_isolate_lru(folio.as_raw()) } {
            return;
        }
        // SAFETY: As above.
        if unsafe { bindings::folio_test_unevictable(folio.as_raw()) } {
            // SAFETY: The folio was just isolated.
            unsafe { bindings::folio_putback_lru(folio.as_raw()) };
        } else {
            // SAFETY: The folio was just isolated, so that it is on no other list. By the type
            // invariants `head` is the head of a list.
            // INVARIANT: To isolate takes a reference.
            unsafe { bindings::folio_list_add(folio.as_raw(), self.head) };
        }
    }
}

/// Puts the folios that this processor has set aside on the lists of reclaim.
///
/// C: `lru_add_drain()`.
#[inline]
pub fn lru_add_drain() {
    // SAFETY: There are no requirements.
    unsafe { bindings::lru_add_drain() };
}
