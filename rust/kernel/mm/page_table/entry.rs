// SPDX-License-Identifier: GPL-2.0

//! The entries of a locked page table, by what is in them.

use super::{super::swap::SwapEntry, bindings, Table, Walkable};
use crate::{
    mm::{folio::Folio, tlb::VmaGather, VmaMaybeGuard},
    page::{PAGE_SHIFT, PAGE_SIZE},
};
use core::{marker::PhantomData, mem::MaybeUninit, ptr::null_mut};

impl<V: Walkable> Table<'_, V> {
    /// Maps and locks the table, for the part of its range from `addr` on; `None` when that is
    /// empty, or there is no table any more. Until the entries are dropped nothing may sleep.
    ///
    /// C: `pte_offset_map_lock()`, `flush_tlb_batched_pending()`, `arch_enter_lazy_mmu_mode()`.
    #[inline]
    pub fn lock(&self, addr: usize) -> Option<Entries<'_, V>> {
        let range = self.range.clamp(addr, self.range.end())?;
        let (addr, end) = (range.start(), range.end());
        let mm = self.vma.vma().mm().as_raw();
        let mut ptl = null_mut();
        // SAFETY: By the type invariants `pmd` is the entry for `addr`, and a lock of the VMA is
        // held. The call checks under the lock that the table is there.
        let ptep = unsafe { bindings::pte_offset_map_lock(mm, self.pmd, addr, &mut ptl) };
        if ptep.is_null() {
            return None;
        }
        // Another processor may have cleared entries whose flush is still to come.
        // SAFETY: The address space is valid, and a page table of it is locked.
        unsafe { bindings::flush_tlb_batched_pending(mm) };
        // SAFETY: A page table is locked.
        unsafe { bindings::arch_enter_lazy_mmu_mode() };
        // INVARIANT: The call mapped and locked the table.
        Some(Entries {
            vma: self.vma,
            end,
            first: ptep,
            ptep,
            ptl,
            addr,
            taken: 0,
        })
    }
}

/// The entries of a locked page table, from one on to the end of the range of the walk.
///
/// # Invariants
///
/// The table is mapped and locked by `ptl`, and the processor is in lazy MMU mode. `first` is an
/// entry of it, as is `ptep`, the one for `addr`, or the one behind the last when `addr` is at `end`,
/// the end of the range. Before that the table has at least `taken` entries from `ptep` on.
pub struct Entries<'t, V> {
    vma: &'t V,
    end: usize,
    first: *mut bindings::pte_t,
    ptep: *mut bindings::pte_t,
    ptl: *mut bindings::spinlock_t,
    addr: usize,
    /// The number of entries that were returned last. The next is behind them.
    taken: usize,
}

impl<V: Walkable> Entries<'_, V> {
    /// Passes over the rest of a batch of `n` entries, of which the first was returned last.
    #[inline]
    pub fn skip_rest(&mut self, n: usize) {
        // CAST: A number of entries fits.
        let left = self.left() as usize;
        // INVARIANT: The table has that many.
        self.taken = self.taken.max(n).min(left);
    }

    /// Goes on to the next entry.
    #[inline]
    fn advance(&mut self) {
        self.addr += self.taken * PAGE_SIZE;
        // SAFETY: By the type invariants the table has that many entries from this on.
        self.ptep = unsafe { self.ptep.add(self.taken) };
        self.taken = 0;
    }

    /// The next entries that are alike, as far as an install goes; `None` at the end.
    #[inline]
    pub fn next_run(&mut self) -> Option<Run<'_, V>> {
        self.advance();
        let max = self.left();
        if max == 0 {
            return None;
        }
        // SAFETY: By the type invariants the table has that many entries from this on, and is locked.
        let n = unsafe { bindings::ptes_vacant(self.ptep, max) };
        if n > 0 {
            // INVARIANT: The function returns the number of entries that hold no memory.
            // SAFETY: As above.
            return Some(Run::Vacant(VacantRun(unsafe { self.take(n) })));
        }
        // SAFETY: As above.
        let n = unsafe { bindings::ptes_guard(self.ptep, max) };
        if n > 0 {
            // SAFETY: As above.
            unsafe { self.take(n) };
            return Some(Run::Guards);
        }
        // SAFETY: The table has an entry here.
        unsafe { self.take(1) };
        Some(Run::Other(self.addr))
    }

    /// The next guards in a row; `None` when there are none up to the end.
    #[inline]
    pub fn next_guards(&mut self) -> Option<GuardRun<'_, V>> {
        loop {
            self.advance();
            let max = self.left();
            if max == 0 {
                return None;
            }
            // SAFETY: By the type invariants the table has that many entries from this on, and is
            // locked.
            let n = unsafe { bindings::ptes_guard(self.ptep, max) };
            if n > 0 {
                // INVARIANT: The function returns the number of entries that are guards.
                // SAFETY: As above.
                return Some(GuardRun(unsafe { self.take(n) }));
            }
            // SAFETY: As above.
            let n = unsafe { bindings::ptes_not_guard(self.ptep, max) };
            // INVARIANT: The function returns no more than that.
            // CAST: A number of entries fits.
            self.taken = n as usize;
        }
    }

    /// The number of entries from `ptep` up to the end.
    #[inline]
    fn left(&self) -> u32 {
        // CAST: There are fewer entries in a table.
        ((self.end - self.addr) >> PAGE_SHIFT) as u32
    }

    /// Takes the `n` entries from `ptep` on.
    ///
    /// # Safety
    ///
    /// The table must have that many, at least one, before the end of the range.
    #[inline]
    unsafe fn take(&mut self, n: u32) -> Places<'_, V> {
        let Self {
            vma, addr, ptep, ..
        } = *self;
        // INVARIANT: The caller promises that the table has the entries.
        // CAST: A number of entries fits.
        self.taken = n as usize;
        // INVARIANT: They stay locked while `self` is borrowed.
        Places {
            vma,
            addr,
            ptep,
            n,
            _lock: PhantomData,
        }
    }

    /// The next entry of a page in swap; `None` when there is none up to the end.
    #[inline]
    pub fn next_swapped(&mut self) -> Option<SwappedEntry<'_, V>> {
        self.advance();
        // SAFETY: By the type invariants the table has that many entries from this on, and is locked.
        let n = unsafe { bindings::ptes_not_swapped(self.ptep, self.left()) };
        // INVARIANT: The function returns no more than that.
        // CAST: A number of entries fits.
        self.taken = n as usize;
        match self.next_entry()? {
            Entry::Swap(entry) => Some(entry),
            _ => None,
        }
    }

    /// The next entry; `None` at the end.
    #[inline]
    pub fn next_entry(&mut self) -> Option<Entry<'_, V>> {
        self.advance();
        if self.addr >= self.end {
            return None;
        }
        let Self { addr, ptep, .. } = *self;
        // INVARIANT: The table has an entry here.
        self.taken = 1;
        let mut pte = MaybeUninit::uninit();
        // SAFETY: By the type invariants the entry is mapped and locked.
        let kind = unsafe { bindings::pte_read(ptep, pte.as_mut_ptr()) };
        // INVARIANT: `ptep` is the entry for `addr`, holds what `kind` says, and stays locked while
        // `self` is borrowed.
        let place = Place {
            vma: self.vma,
            addr,
            end: self.end,
            ptep,
            // SAFETY: The call wrote it.
            pte: unsafe { pte.assume_init() },
            _lock: PhantomData,
        };
        Some(match kind {
            bindings::PTE_ENTRY_NONE => Entry::Empty,
            bindings::PTE_ENTRY_PRESENT => Entry::Present(PresentEntry { place, n: 1 }),
            bindings::PTE_ENTRY_SWAP => Entry::Swap(SwappedEntry(place)),
            bindings::PTE_ENTRY_GUARD => Entry::Guard,
            bindings::PTE_ENTRY_POISONED => Entry::Poisoned(PoisonedEntry(place)),
            _ => Entry::Other,
        })
    }
}

impl<V> Drop for Entries<'_, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the processor is in lazy MMU mode.
        unsafe { bindings::arch_leave_lazy_mmu_mode() };
        // SAFETY: By the type invariants the table is mapped and locked.
        unsafe { bindings::pte_unmap_unlock(self.first, self.ptl) };
    }
}

/// An entry of a page table of the lowest level, by its content.
pub enum Entry<'e, V> {
    /// Nothing.
    Empty,
    /// A page frame.
    Present(PresentEntry<'e, V>),
    /// A page in swap.
    Swap(SwappedEntry<'e, V>),
    /// A guard marker.
    Guard,
    /// What is left of memory that was lost.
    Poisoned(PoisonedEntry<'e, V>),
    /// A page that is being moved or is in a device, or a marker of another kind.
    Other,
}

/// The place and the value of an entry.
///
/// # Invariants
///
/// `ptep` is the entry for `addr` in the page tables of `vma`, and the table has the entries for
/// `addr..end`. Its lock is held during `'e`. `pte` is the value of the entry, in which the bits that
/// say that it was used may be those of more entries.
struct Place<'e, V> {
    vma: &'e V,
    addr: usize,
    end: usize,
    ptep: *mut bindings::pte_t,
    pte: bindings::pte_t,
    _lock: PhantomData<&'e mut ()>,
}

impl<V> Place<'_, V> {
    /// The number of entries that the table has from this on.
    #[inline]
    fn max(&self) -> usize {
        (self.end - self.addr) >> PAGE_SHIFT
    }
}

/// Entries in a row that are alike, as far as an install goes.
pub enum Run<'e, V> {
    /// Entries that hold no memory.
    Vacant(VacantRun<'e, V>),
    /// Entries with guard markers.
    Guards,
    /// An entry that holds memory, or what is left of it, at this address.
    Other(usize),
}

/// The place of entries in a row.
///
/// # Invariants
///
/// `ptep` is the entry for `addr` in the page tables of `vma`, and the table has `n` entries from it
/// on. Its lock is held during `'e`.
struct Places<'e, V> {
    vma: &'e V,
    addr: usize,
    ptep: *mut bindings::pte_t,
    n: u32,
    _lock: PhantomData<&'e mut ()>,
}

/// Entries in a row that hold no memory: empty ones, and markers of userfaultfd's write protection.
///
/// # Invariants
///
/// No entry is present or refers to memory, in swap or elsewhere; none is a guard.
pub struct VacantRun<'e, V>(Places<'e, V>);

impl VacantRun<'_, VmaMaybeGuard<'_>> {
    /// Puts guard markers in, so that every access to the pages is fatal.
    #[inline]
    pub fn install_guards(self) {
        let Places {
            vma, addr, ptep, n, ..
        } = self.0;
        // SAFETY: By the type invariants the entries are those of the VMA, hold no memory, so that
        // nothing is lost, and are locked. The VMA has the flag that announces the markers.
        unsafe { bindings::ptes_install_guard(vma.as_ptr(), addr, ptep, n) };
    }
}

/// Guard markers in a row.
///
/// # Invariants
///
/// The entries hold guard markers.
pub struct GuardRun<'e, V>(Places<'e, V>);

impl<V: Walkable> GuardRun<'_, V> {
    /// Takes the markers away, so that the pages can be faulted in again.
    #[inline]
    pub fn remove(self) {
        let Places {
            vma, addr, ptep, n, ..
        } = self.0;
        // SAFETY: By the type invariants the entries are those of the VMA, hold guard markers, which
        // stand for no memory, and are locked.
        unsafe { bindings::ptes_clear_guard(vma.vma().as_ptr(), addr, ptep, n) };
    }
}

/// An entry that maps a page frame, or a batch: some that map pages of one folio in order.
///
/// # Invariants
///
/// The entry maps a page frame. The table has `n` entries from this on, which map pages of one folio
/// in order if they are more than one.
pub struct PresentEntry<'e, V> {
    place: Place<'e, V>,
    n: usize,
}

impl<'e, V: Walkable> PresentEntry<'e, V> {
    /// The folio that is mapped, if it is memory that reclaim may handle: neither without a folio,
    /// such as the shared page of zeros, nor of a device.
    ///
    /// C: `vm_normal_folio()`.
    #[inline]
    pub fn folio(&self) -> Option<&'e Folio> {
        let Place { vma, addr, .. } = self.place;
        // SAFETY: By the type invariants the entry is one of the VMA and maps a page frame.
        let folio =
            unsafe { bindings::vm_normal_folio_of(vma.vma().as_ptr(), addr, &self.place.pte) };
        if folio.is_null() {
            return None;
        }
        // SAFETY: The mapping has a reference, which stays while the table is locked.
        let folio = unsafe { Folio::from_raw(folio) };
        (!folio.is_zone_device()).then_some(folio)
    }

    /// The address that the entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// Makes this a batch of the entries from this on that map pages of its folio in order, and
    /// returns their number. The batch counts as used if any of them was.
    ///
    /// C: `folio_pte_batch_flags()`.
    #[inline]
    pub fn batch(&mut self) -> usize {
        if let Some(folio) = self.folio() {
            let Place { ptep, pte, .. } = self.place;
            // SAFETY: By the type invariants the entry is locked, has the value but for the bits for use,
            // and maps a page of the folio, and the table has that many entries.
            let (n, pte) = unsafe { batch::<V>(folio, ptep, pte, self.place.max()) };
            // INVARIANT: The function returns the number of entries that are as they must be.
            self.n = n;
            self.place.pte = pte;
        }
        self.n
    }

    /// Whether the page was used, as far as this entry shows.
    #[inline]
    pub fn is_young(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_young(&self.place.pte) }
    }

    /// Whether the page was written to, as far as this entry shows.
    #[inline]
    pub fn is_dirty(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_dirty(&self.place.pte) }
    }
}

/// Returns the number of entries, of `max` from `ptep` on, that map pages of `folio` in order, and the
/// value of the first, `pte`, with the bits for use of all. Out of line, as most folios are small,
/// and generic, so that no object but that of the caller has it.
///
/// # Safety
///
/// `ptep` must be an entry in a locked table that has `max` entries from it on, and map a page of
/// `folio`; `pte` must be its value, but for the bits for use.
#[expect(clippy::extra_unused_type_parameters)]
#[inline(never)]
unsafe fn batch<V>(
    folio: &Folio,
    ptep: *mut bindings::pte_t,
    mut pte: bindings::pte_t,
    max: usize,
) -> (usize, bindings::pte_t) {
    // CAST: There are fewer entries in a table.
    let max = max as u32;
    // SAFETY: The caller promises what is needed.
    let n = unsafe { bindings::folio_pte_batch_young_dirty(folio.as_raw(), ptep, &mut pte, max) };
    // CAST: A number of entries fits.
    (n as usize, pte)
}

impl PresentEntry<'_, VmaGather<'_>> {
    /// Forgets that the pages were used.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    pub fn clear_young(self) {
        let Place {
            vma, addr, ptep, ..
        } = self.place;
        // CAST: There are fewer entries in a table.
        let n = self.n as u32;
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_ptes(vma.as_ptr(), addr, ptep, n) };
        // SAFETY: As above; the collection is that of the VMA.
        unsafe { bindings::tlb_remove_tlb_entries(vma.tlb(), ptep, n, addr) };
    }

    /// Forgets that the pages were used and written to.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    pub fn clear_young_dirty(self) {
        let Place {
            vma, addr, ptep, ..
        } = self.place;
        // CAST: There are fewer entries in a table.
        let n = self.n as u32;
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_dirty_ptes(vma.as_ptr(), addr, ptep, n) };
        // SAFETY: As above; the collection is that of the VMA.
        unsafe { bindings::tlb_remove_tlb_entries(vma.tlb(), ptep, n, addr) };
    }
}

/// An entry of a page that is in swap.
///
/// # Invariants
///
/// The entry holds a swap entry, which it keeps in use.
pub struct SwappedEntry<'e, V>(Place<'e, V>);

impl<V: Walkable> SwappedEntry<'_, V> {
    /// The address that the entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.0.addr
    }

    /// The place in swap.
    #[inline]
    pub fn entry(&self) -> SwapEntry {
        // SAFETY: By the type invariants the value is a swap entry.
        let val = unsafe { bindings::pte_to_swp_entry(&self.0.pte) };
        // INVARIANT: By the type invariants it is one in swap.
        SwapEntry(bindings::swp_entry_t { val })
    }
}

impl SwappedEntry<'_, VmaGather<'_>> {
    /// Drops the content of this page and of those behind it that follow each other in swap, too.
    /// Returns their number. The caller corrects the counter of the address space.
    ///
    /// C: `swap_pte_batch()`, `free_swap_and_cache_nr()`, `clear_not_present_full_ptes()`.
    #[inline]
    pub fn free(self) -> usize {
        let Place {
            vma, addr, ptep, ..
        } = self.0;
        // SAFETY: By the type invariants the table has that many entries, and the first is a swap
        // entry.
        // CAST: There are fewer entries in a table.
        let n = unsafe { bindings::swap_pte_batch(ptep, self.0.max() as i32, &self.0.pte) };
        // SAFETY: The entries keep those in swap in use, and are cleared below.
        unsafe { bindings::free_swap_and_cache_nr(self.entry().0, n) };
        // SAFETY: By the type invariants the entries are those of the VMA, are locked and not
        // present; the collection is that of the VMA.
        // CAST: The number is positive.
        unsafe { bindings::clear_not_present_full_ptes(vma.tlb(), addr, ptep, n as u32) };
        n as usize
    }
}

/// An entry that stands for memory that was lost: to use it is fatal.
///
/// # Invariants
///
/// The entry is not present.
pub struct PoisonedEntry<'e, V>(Place<'e, V>);

impl PoisonedEntry<'_, VmaGather<'_>> {
    /// Forgets the loss, so that the page can be faulted in again.
    ///
    /// C: `pte_clear_not_present_full()`.
    #[inline]
    pub fn clear(self) {
        let Place {
            vma, addr, ptep, ..
        } = self.0;
        // SAFETY: By the type invariants the entry is one of the VMA, is locked and not present;
        // the collection is that of the VMA.
        unsafe { bindings::clear_not_present_full_ptes(vma.tlb(), addr, ptep, 1) };
    }
}
