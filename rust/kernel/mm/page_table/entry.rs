// SPDX-License-Identifier: GPL-2.0

//! The entries of a locked page table, by what is in them.

use super::{
    super::swap::SwapEntry,
    table::{Table, Walkable},
};
use crate::mm::additions::bindings;
use crate::{
    mm::tlb::AnonGather,
    page::{PAGE_SHIFT, PAGE_SIZE},
};
use core::{marker::PhantomData, mem::MaybeUninit, ptr::null_mut};

impl<V: Walkable> Table<'_, V> {
    /// Maps and locks the table, for the part of its range from `addr` on; `None` when that is
    /// empty, or there is no table any more. Until the entries are dropped nothing may sleep or
    /// lock a page table.
    ///
    /// C: `pte_offset_map_lock()`, `flush_tlb_batched_pending()`, `lazy_mmu_mode_enable()`.
    #[inline]
    pub fn lock(&mut self, addr: usize) -> Option<Entries<'_, V>> {
        Entries::lock(self, addr)
    }
}

/// The entries of a locked page table, from one on to the end of the range of the walk.
///
/// # Invariants
///
/// - The table is mapped and locked by `ptl`, and the processor is in lazy MMU mode. `table` was
///   borrowed exclusively for that. `vma` and `end` are copies from it.
/// - `first` is an entry of it, as is `ptep`, the one for `addr`, or the one behind the last when
///   `addr` is at the end of the range. Before that the table has at least `taken` entries from
///   `ptep` on.
/// - `freed_swap` is the number of entries of pages in swap that were cleared.
pub struct Entries<'t, V: Walkable> {
    table: &'t Table<'t, V>,
    vma: &'t V,
    end: usize,
    first: *mut bindings::pte_t,
    ptep: *mut bindings::pte_t,
    ptl: *mut bindings::spinlock_t,
    addr: usize,
    /// The number of entries that were returned last. The next is behind them.
    taken: usize,
    freed_swap: usize,
}

impl<'t, V: Walkable> Entries<'t, V> {
    /// See [`Table::lock`]. The caller has borrowed the table exclusively for `'t`.
    #[inline]
    fn lock(table: &'t Table<'t, V>, addr: usize) -> Option<Self> {
        let addr = table.range.clamp(addr, table.range.end())?.start();
        let mm = table.vma.vma().mm().as_raw();
        table.vma.change_page_size(PAGE_SIZE);
        let mut ptl = null_mut();
        // SAFETY:
        // - By the type invariants `pmd` is the entry for `addr`, and a lock of the VMA is held.
        // - The call checks under the lock that the table is there.
        let ptep = unsafe { bindings::pte_offset_map_lock(mm, table.pmd, addr, &mut ptl) };
        if ptep.is_null() {
            return None;
        }
        // Another processor may have cleared entries whose flush is still to come.
        // SAFETY: The address space is valid, and a page table of it is locked.
        unsafe { bindings::flush_tlb_batched_pending(mm) };
        // SAFETY: A page table is locked, and no other by this thread, so that the mode is off.
        unsafe { bindings::lazy_mmu_mode_enable() };
        // INVARIANT: The call mapped and locked the table; nothing was taken or freed.
        Some(Self {
            table,
            vma: table.vma,
            end: table.range.end(),
            first: ptep,
            ptep,
            ptl,
            addr,
            taken: 0,
            freed_swap: 0,
        })
    }

    /// Unlocks the table while `work` runs, which may sleep, and locks it again from the address on
    /// that `work` returns. `None` as from [`Table::lock`].
    #[inline(always)]
    pub fn unlocked(self, work: impl FnOnce() -> usize) -> Option<Self> {
        let table = self.table;
        drop(self);
        Self::lock_again(table, work())
    }

    /// As [`Entries::lock`], out of line: entries stay in registers where the table is seldom
    /// unlocked.
    #[inline(never)]
    fn lock_again(table: &'t Table<'t, V>, addr: usize) -> Option<Self> {
        Self::lock(table, addr)
    }

    /// The address of the entry returned last, or else of the first.
    #[inline]
    pub fn addr(&self) -> usize {
        self.addr
    }

    /// Goes on to the next entry, and returns it; `None` at the end.
    #[inline]
    pub(in crate::mm) fn advance(&mut self) -> Option<*mut bindings::pte_t> {
        self.addr += self.taken * PAGE_SIZE;
        // SAFETY: By the type invariants the table has that many entries from this on.
        self.ptep = unsafe { self.ptep.add(self.taken) };
        self.taken = 0;
        (self.addr < self.end).then_some(self.ptep)
    }

    /// The number of entries from the one that `advance()` returned up to the end.
    #[inline]
    pub(in crate::mm) fn left(&self) -> u32 {
        // CAST: There are fewer entries in a table.
        ((self.end - self.addr) >> PAGE_SHIFT) as u32
    }

    /// Takes `n` entries, starting at the one that `advance()` returned.
    ///
    /// # Safety
    ///
    /// The table must have that many, at least one, before the end of the range.
    #[inline]
    pub(in crate::mm) unsafe fn take(&mut self, n: u32) -> Places<'_, V> {
        // INVARIANT: The caller promises that the table has the entries.
        // CAST: A number of entries fits.
        self.taken = n as usize;
        // INVARIANT: They stay locked while `self` is borrowed.
        Places {
            vma: self.vma,
            addr: self.addr,
            ptep: self.ptep,
            n,
            _lock: PhantomData,
        }
    }

    /// The next entry of a page in swap; `None` when there is none up to the end.
    #[inline]
    pub fn next_swapped(&mut self) -> Option<SwappedEntry<'_, V>> {
        let ptep = self.advance()?;
        // SAFETY: The table has that many entries from `ptep` on, which are locked.
        let n = unsafe { bindings::ptes_not_swapped(ptep, self.left()) };
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
        let ptep = self.advance()?;
        // INVARIANT: The table has an entry here.
        self.taken = 1;
        let mut pte = MaybeUninit::uninit();
        // SAFETY: By the type invariants the entry is mapped and locked.
        let kind = unsafe { bindings::pte_read(ptep, pte.as_mut_ptr()) };
        // INVARIANT: `ptep` is the entry for `addr`, holds what `kind` says, and stays locked while
        // `self` is borrowed.
        let place = Place {
            vma: self.vma,
            addr: self.addr,
            end: self.end,
            ptep,
            // SAFETY: The call wrote it.
            pte: unsafe { pte.assume_init() },
            _lock: PhantomData,
        };
        let taken = &mut self.taken;
        Some(match kind {
            bindings::PTE_ENTRY_NONE => Entry::Empty,
            bindings::PTE_ENTRY_PRESENT => Entry::Present(PresentEntry { place, taken }),
            bindings::PTE_ENTRY_SWAP => Entry::Swap(SwappedEntry {
                place,
                taken,
                freed: &mut self.freed_swap,
            }),
            bindings::PTE_ENTRY_GUARD => Entry::Guard,
            bindings::PTE_ENTRY_POISONED => Entry::Poisoned(PoisonedEntry(place)),
            _ => Entry::Other,
        })
    }
}

impl<V: Walkable> Drop for Entries<'_, V> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.freed_swap > 0 {
            let mm = self.table.vma.vma().mm().as_raw();
            // SAFETY: The address space is valid.
            unsafe { bindings::mm_sub_swapents(mm, self.freed_swap) };
        }
        // SAFETY: By the type invariants the processor is in lazy MMU mode.
        unsafe { bindings::lazy_mmu_mode_disable() };
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
    /// A marker of memory that was lost.
    Poisoned(PoisonedEntry<'e, V>),
    /// A page under migration or in a device, or a marker of another kind.
    Other,
}

/// The place and the value of an entry.
///
/// # Invariants
///
/// - `ptep` is the entry for `addr` in the page tables of `vma`, and the table has the entries up
///   to `end`. Its lock is held during `'e`.
/// - `pte` is the value of the entry, but for its accessed and dirty bits.
pub(super) struct Place<'e, V> {
    pub(super) vma: &'e V,
    pub(super) addr: usize,
    pub(super) end: usize,
    pub(super) ptep: *mut bindings::pte_t,
    pub(super) pte: bindings::pte_t,
    _lock: PhantomData<&'e mut ()>,
}

impl<V> Place<'_, V> {
    /// The number of entries from this one up to the end.
    #[inline]
    pub(super) fn max(&self) -> u32 {
        // CAST: There are fewer entries in a table.
        ((self.end - self.addr) >> PAGE_SHIFT) as u32
    }
}

/// The place of entries in a row.
///
/// # Invariants
///
/// `ptep` is the entry for `addr` in the page tables of `vma`, and the table has `n` entries from
/// it on. Its lock is held during `'e`.
pub(in crate::mm) struct Places<'e, V> {
    vma: &'e V,
    addr: usize,
    ptep: *mut bindings::pte_t,
    n: u32,
    _lock: PhantomData<&'e mut ()>,
}

impl<V> Places<'_, V> {
    #[inline]
    pub(in crate::mm) fn vma(&self) -> &V {
        self.vma
    }

    /// The address that the first entry is for.
    #[inline]
    pub(in crate::mm) fn addr(&self) -> usize {
        self.addr
    }

    #[inline]
    pub(in crate::mm) fn ptep(&self) -> *mut bindings::pte_t {
        self.ptep
    }

    /// The number of entries.
    #[inline]
    pub(in crate::mm) fn len(&self) -> u32 {
        self.n
    }
}

/// An entry that maps a page frame.
///
/// # Invariants
///
/// The entry maps a page frame. `taken` is the number of entries from it on that are passed over
/// next.
pub struct PresentEntry<'e, V> {
    pub(super) place: Place<'e, V>,
    pub(super) taken: &'e mut usize,
}

impl<V> PresentEntry<'_, V> {
    /// The address that the entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.place.addr
    }
}

/// An entry of a page that is in swap.
///
/// # Invariants
///
/// The entry holds a swap entry, which it keeps in use. `taken` is the number of entries from it on
/// that are passed over next; `freed` counts the entries that were cleared in the table.
pub struct SwappedEntry<'e, V> {
    place: Place<'e, V>,
    taken: &'e mut usize,
    freed: &'e mut usize,
}

impl<V> SwappedEntry<'_, V> {
    /// The address that the entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// The place in swap.
    #[inline]
    pub fn entry(&self) -> SwapEntry {
        // SAFETY: By the type invariants the value is a swap entry.
        let val = unsafe { bindings::softleaf_from_pte(&self.place.pte) };
        // INVARIANT: By the type invariants it is one in swap.
        SwapEntry(bindings::swp_entry_t { val })
    }
}

impl SwappedEntry<'_, AnonGather<'_>> {
    /// Drops the content of this page and of those behind it that follow each other in swap. The
    /// next entry is the one behind them.
    ///
    /// C: `swap_pte_batch()`, `swap_put_entries_direct()`, `clear_nonpresent_ptes()`.
    #[inline(always)]
    pub fn free(self) {
        let (entry, max) = (self.entry(), self.place.max());
        let Place {
            vma,
            addr,
            ptep,
            pte,
            ..
        } = self.place;
        // SAFETY: By the type invariants the table has `max` entries from `ptep` on, and the value
        // of the first is a swap entry.
        // CAST: There are fewer entries in a table.
        let n = unsafe { bindings::swap_pte_batch(ptep, max as i32, &pte) };
        // SAFETY: The entries keep those in swap in use, and are cleared below.
        unsafe { bindings::swap_put_entries_direct(entry.0, n) };
        // SAFETY:
        // - By the type invariants the entries are those of the VMA, are locked and not present.
        // CAST: The number is positive.
        unsafe { bindings::clear_nonpresent_ptes(vma.mm().as_raw(), addr, ptep, n as u32) };
        // INVARIANT: The function returns no more than `max`.
        *self.taken = n as usize;
        *self.freed += n as usize;
    }
}

/// An entry that stands for memory that was lost: to use it is fatal.
///
/// # Invariants
///
/// The entry is not present.
pub struct PoisonedEntry<'e, V>(Place<'e, V>);

impl PoisonedEntry<'_, AnonGather<'_>> {
    /// Forgets the loss, so that the page can be faulted in again.
    #[doc(alias = "pte_clear")]
    #[inline]
    pub fn clear(self) {
        let Place {
            vma, addr, ptep, ..
        } = self.0;
        // SAFETY:
        // - By the type invariants the entry is one of the VMA, is locked and not present.
        unsafe { bindings::clear_nonpresent_ptes(vma.mm().as_raw(), addr, ptep, 1) };
    }
}
