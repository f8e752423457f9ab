// SPDX-License-Identifier: GPL-2.0

//! Entries of a locked page table that map a folio, or a part of it.

use super::{
    entry::{Place, PresentEntry},
    table::Walkable,
};
use crate::mm::additions::bindings;
use crate::mm::{
    folio::Folio,
    tlb::{AnonGather, VmaGather},
};

/// The folio that a present entry maps, by how much of it the table maps.
pub enum MappedFolio<'e, V> {
    /// All of a folio of one page.
    Small(WholeFolio<'e, V>),
    /// All of a large folio.
    Large(WholeFolio<'e, V>),
    /// A part of a large folio.
    Part(FolioEntries<'e, V>),
}

impl<'e, V: Walkable> PresentEntry<'e, V> {
    /// Gathers the entries from this one on that map pages of its folio in order. The next entry is
    /// the one behind them.
    ///
    /// `None` when there is no folio that reclaim may handle: the entry maps the shared page of
    /// zeros, a page frame without a folio, or memory of a device.
    ///
    /// C: `vm_normal_folio()`, `folio_pte_batch_flags()`.
    #[inline(always)]
    pub fn into_folio(self) -> Option<MappedFolio<'e, V>> {
        let Self { mut place, taken } = self;
        // SAFETY: By the type invariants the entry is one of the VMA and maps a page frame.
        let folio = unsafe {
            bindings::vm_normal_folio_of(place.vma.vma().as_ptr(), place.addr, &place.pte)
        };
        if folio.is_null() {
            return None;
        }
        // SAFETY: The mapping has a reference, which stays while the table is locked.
        let folio: &'e Folio = unsafe { Folio::from_raw(folio) };
        if folio.is_zone_device() {
            return None;
        }
        if !folio.is_large() {
            // INVARIANT: The entry maps the only page of the folio.
            let entries = FolioEntries { place, folio, n: 1 };
            return Some(MappedFolio::Small(WholeFolio(entries)));
        }
        // SAFETY:
        // - By the type invariants the entry is locked, has the value but for its accessed and
        //   dirty bits, and the table has `max` entries from it on.
        // - It maps a page of the folio, which is a large one.
        let (n, pte) = unsafe { batch::<()>(folio, place.ptep, place.pte, place.max()) };
        place.pte = pte;
        // INVARIANT: The function returns no more than `max`.
        // CAST: A number of entries fits.
        *taken = n as usize;
        let is_whole = n as usize == folio.nr_pages();
        // INVARIANT: The function returns the number of entries that map pages of the folio in
        // order.
        let entries = FolioEntries { place, folio, n };
        Some(if is_whole {
            // INVARIANT: They are as many as the folio has pages.
            MappedFolio::Large(WholeFolio(entries))
        } else {
            MappedFolio::Part(entries)
        })
    }
}

/// Returns the number of entries, of `max` from `ptep` on, that map pages of `folio` in order, and
/// `pte` with the accessed and dirty bits of all. Out of line, as most folios are small, and
/// generic in nothing, so that only the object of the caller has it.
///
/// # Safety
///
/// - `ptep` must be an entry in a locked table that has `max` entries from it on.
/// - It must map a page of `folio`, which must be large.
/// - `pte` must be its value, but for the accessed and dirty bits.
#[inline(never)]
#[expect(clippy::extra_unused_type_parameters)]
unsafe fn batch<Nothing>(
    folio: &Folio,
    ptep: *mut bindings::pte_t,
    mut pte: bindings::pte_t,
    max: u32,
) -> (u32, bindings::pte_t) {
    // SAFETY: The caller promises it.
    let n = unsafe { bindings::folio_pte_batch_young_dirty(folio.as_raw(), ptep, &mut pte, max) };
    (n, pte)
}

/// Entries in a row that map pages of one folio in order.
///
/// # Invariants
///
/// The table has `n` entries from the place on, and they map pages of `folio` in order. The value
/// of the place has the accessed and dirty bits of all of them.
pub struct FolioEntries<'e, V> {
    place: Place<'e, V>,
    folio: &'e Folio,
    n: u32,
}

impl<'e, V> FolioEntries<'e, V> {
    /// The address that the first entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// The number of entries, at least one.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // CAST: A number of entries fits.
        self.n as usize
    }

    /// The folio.
    #[inline]
    pub fn folio(&self) -> &'e Folio {
        self.folio
    }
}

/// Entries that map all of a folio.
///
/// # Invariants
///
/// They are as many as the folio has pages.
pub struct WholeFolio<'e, V>(FolioEntries<'e, V>);

impl<'e, V> WholeFolio<'e, V> {
    /// The folio.
    #[inline]
    pub fn folio(&self) -> &'e Folio {
        self.0.folio
    }

    /// Whether nobody else has the folio mapped: it is mapped as often as there are entries.
    #[doc(alias = "folio_mapcount")]
    #[inline]
    pub fn is_mapped_once(&self) -> bool {
        self.0.folio.mapcount() == self.0.len()
    }

    /// Whether the accessed bit of an entry is set.
    #[inline]
    pub fn is_young(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_young(&self.0.place.pte) }
    }

    /// Whether the dirty bit of an entry is set.
    #[inline]
    fn is_dirty(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_dirty(&self.0.place.pte) }
    }
}

impl WholeFolio<'_, VmaGather<'_>> {
    /// Clears the accessed bits.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    pub fn clear_young(self) {
        let FolioEntries { place, n, .. } = self.0;
        let (vma, tlb) = (place.vma.as_ptr(), place.vma.as_raw());
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_ptes(vma, place.addr, place.ptep, n) };
        // SAFETY: As above; the collection is that of the VMA.
        unsafe { bindings::tlb_remove_tlb_entries(tlb, place.ptep, n, place.addr) };
    }
}

impl WholeFolio<'_, AnonGather<'_>> {
    /// Lets reclaim drop the folio without writing it to swap, unless it is written to before.
    /// Leaves it alone when it is in use elsewhere.
    ///
    /// C: in `madvise_free_pte_range()` of `mm/madvise.c`.
    #[inline(always)]
    pub fn free_lazily(self) {
        let folio = self.folio();
        if folio.is_in_swap_cache() || folio.is_dirty() {
            let Some(locked) = folio.try_lock() else {
                return;
            };
            // SAFETY: The memory of the gather may be discarded, and nobody else has it mapped.
            if !self.is_mapped_once() || !unsafe { locked.discard() } {
                return;
            }
        }
        if self.is_young() || self.is_dirty() {
            self.clear_young_dirty();
        }
        // SAFETY: The memory of the gather may be discarded.
        unsafe { folio.mark_lazyfree() };
    }

    /// Clears the accessed and dirty bits.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    fn clear_young_dirty(self) {
        let FolioEntries { place, n, .. } = self.0;
        let (vma, tlb) = (place.vma.as_ptr(), place.vma.as_raw());
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_dirty_ptes(vma, place.addr, place.ptep, n) };
        // SAFETY: As above; the collection is that of the VMA.
        unsafe { bindings::tlb_remove_tlb_entries(tlb, place.ptep, n, place.addr) };
    }
}
