// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.
//!
//! [`walk`] goes down to the tables of the lowest level and hands each to a [`Visitor`]: as a
//! [`Table`], which the visitor locks to get at its [`Entries`], or as the huge page that stands in
//! its place. It is generic over the visitor, which is compiled into the loop. What may be done with
//! an entry depends on what is in it and on the locks held for the VMA, so that both are types.
//!
//! C headers: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h),
//! [`include/linux/swapops.h`](srctree/include/linux/swapops.h), `mm/internal.h`

use super::swap::SwapEntry;
use crate::{
    bindings,
    error::{
        code::{EINVAL, ENOMEM},
        Result,
    },
    mm::{
        folio::Folio, tlb::MmuGather, virt::VmaRef, PageRange, VmFlags, VmaMaybeGuard,
        VmaMmapLocked,
    },
    page::{PAGE_SHIFT, PAGE_SIZE},
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ops::ControlFlow,
    ptr::{null_mut, NonNull},
};

/// A state of a VMA in which its page tables can be walked over.
///
/// The trait is for the types of this crate only.
pub trait Walkable: private::Sealed {
    /// Whether tables that are missing are allocated on the way down; otherwise the walk passes
    /// over the hole. To allocate takes locks that keep page faults out.
    const ALLOCATE: bool;

    /// The VMA under any of its locks.
    fn vma(&self) -> &VmaRef;
}

impl Walkable for VmaRef {
    const ALLOCATE: bool = false;

    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for VmaMmapLocked {
    const ALLOCATE: bool = false;

    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for VmaMaybeGuard<'_> {
    const ALLOCATE: bool = true;

    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::VmaRef {}
    impl Sealed for super::VmaMmapLocked {}
    impl Sealed for super::VmaMaybeGuard<'_> {}
}

/// What a [`walk`] does next.
pub enum Step {
    /// Go on behind what was visited.
    Next,
    /// Look at the same place again, as it has changed.
    Again,
    /// End the walk.
    Stop,
}

/// What is to be done with what a [`walk`] finds in a VMA of state `V`.
pub trait Visitor<V: Walkable> {
    /// Called for a huge page of the size that an entry of the second level maps, or that is being
    /// moved.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn huge(&mut self, page: &HugePage<'_, V>) -> Result<Step>;

    /// Called for a huge page of a level above that. It is split unless this returns a step.
    #[inline]
    fn gigantic(&mut self) -> Option<Step> {
        None
    }

    /// Called for a table of the lowest level.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn table(&mut self, table: &Table<'_, V>) -> Result<Step>;
}

/// Walks over the page tables of `vma` in the part of `range` that lies within it.
///
/// Returns whether the visitor ended the walk.
///
/// # Errors
///
/// `EINVAL` when the VMA is one of hugetlb, whose page tables follow other rules; `ENOMEM` when a
/// table was to be allocated and could not; and those of the visitor.
///
/// C: `walk_page_range_vma()`.
#[inline]
pub fn walk<V, T>(vma: &V, range: PageRange, visitor: &mut T) -> Result<ControlFlow<()>>
where
    V: Walkable,
    T: Visitor<V>,
{
    let bounds = vma.vma();
    if bounds.vm_flags().intersects(VmFlags::HUGETLB) {
        return Err(EINVAL);
    }
    let Some(range) = range.clamp(bounds.start(), bounds.end()) else {
        return Ok(ControlFlow::Continue(()));
    };
    let mut addr = range.start();
    while addr < range.end() {
        let (found, next) = descend::<V>(bounds, addr, range.end())?;
        // INVARIANT: Both are multiples of the page size, and `descend` goes forward.
        let part = PageRange::new(addr, next);
        // INVARIANT: `descend` found the entry for `part` in the page tables of `vma`.
        let step = match found {
            Found::Hole => Step::Next,
            Found::Gigantic(pud) => match visitor.gigantic() {
                Some(step) => step,
                None => split_gigantic(bounds, pud, addr),
            },
            Found::Huge(pmd) => visitor.huge(&HugePage {
                table: Table {
                    vma,
                    pmd,
                    range: part,
                },
            })?,
            Found::Table(pmd) => visitor.table(&Table {
                vma,
                pmd,
                range: part,
            })?,
        };
        match step {
            Step::Next => addr = next,
            Step::Again => {}
            Step::Stop => return Ok(ControlFlow::Break(())),
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// What stands above the lowest level for an address.
enum Found {
    /// No table.
    Hole,
    /// An entry of the third level that maps memory itself.
    Gigantic(*mut bindings::pud_t),
    /// An entry of the second level that maps memory itself, or did until it is moved.
    Huge(*mut bindings::pmd_t),
    /// An entry of the second level that refers to a table, unless that was changed meanwhile.
    Table(*mut bindings::pmd_t),
}

/// Splits the huge page of the third level for `addr`. It maps nothing then, and is looked at again.
#[inline]
fn split_gigantic(vma: &VmaRef, pud: *mut bindings::pud_t, addr: usize) -> Step {
    // SAFETY: `pud` is the entry for `addr` in the page tables of the VMA, of which a lock is held.
    unsafe { bindings::split_huge_pud(vma.as_ptr(), pud, addr) };
    // SAFETY: The entry is valid.
    match unsafe { bindings::pud_kind(pud) } {
        // Not one that can be split, such as one that is being moved.
        bindings::TABLE_ENTRY_HUGE => Step::Next,
        _ => Step::Again,
    }
}

/// Goes down from the top for `addr`, an address in `vma`, which is not one of hugetlb. Returns what is
/// there, and where in `addr..end` it ends.
#[inline]
fn descend<V: Walkable>(vma: &VmaRef, addr: usize, end: usize) -> Result<(Found, usize)> {
    let mm = vma.mm().as_raw();

    // The end of the part of `addr..$end` that one entry covers. At a level that the architecture
    // folds into the one above this is `$end`, so that each level goes on with what the one above
    // left.
    macro_rules! entry_end {
        ($addr_end:ident, $end:expr) => {
            // SAFETY: There are no requirements.
            unsafe { bindings::$addr_end(addr, $end) }
        };
    }
    // Goes from an entry, which ends at `$end`, to the entry for `addr` in the table that it refers
    // to.
    macro_rules! lower {
        ($upper:expr, $end:expr, $is_none:expr, $alloc:ident, $offset:ident) => {
            if V::ALLOCATE {
                // SAFETY: The entry is the one for `addr` in the page tables of `mm`. A lock of the
                // VMA is held, which keeps all tables but those of the lowest level. No page fault
                // can put a huge page into the entry meanwhile, as states that allocate keep
                // faults out.
                NonNull::new(unsafe { bindings::$alloc(mm, $upper, addr) })
                    .ok_or(ENOMEM)?
                    .as_ptr()
            } else if $is_none {
                return Ok((Found::Hole, $end));
            } else {
                // SAFETY: As above, and the entry refers to a table.
                unsafe { bindings::$offset($upper, addr) }
            }
        };
    }

    // SAFETY: The address space is valid, and `addr` is a user address in it.
    let pgd = unsafe { bindings::pgd_offset(mm, addr) };
    let end = entry_end!(pgd_addr_end, end);
    // SAFETY: The entry is valid.
    let is_none = || unsafe { bindings::pgd_none_or_clear_bad(pgd) } != 0;
    let p4d = lower!(pgd, end, is_none(), p4d_alloc, p4d_offset);

    let end = entry_end!(p4d_addr_end, end);
    // SAFETY: The entry is valid.
    let is_none = || unsafe { bindings::p4d_none_or_clear_bad(p4d) } != 0;
    let pud = lower!(p4d, end, is_none(), pud_alloc, pud_offset);

    let end = entry_end!(pud_addr_end, end);
    // SAFETY: The entry is valid.
    let kind = unsafe { bindings::pud_kind(pud) };
    if kind == bindings::TABLE_ENTRY_HUGE {
        return Ok((Found::Gigantic(pud), end));
    }
    let is_none = || kind == bindings::TABLE_ENTRY_NONE;
    let pmd = lower!(pud, end, is_none(), pmd_alloc, pmd_offset);

    let end = entry_end!(pmd_addr_end, end);
    // SAFETY: The entry is valid.
    let found = match unsafe { bindings::pmd_kind(pmd) } {
        bindings::TABLE_ENTRY_HUGE => Found::Huge(pmd),
        bindings::TABLE_ENTRY_NONE if !V::ALLOCATE => Found::Hole,
        // SAFETY: The entry is valid, and a lock of the VMA is held.
        bindings::TABLE_ENTRY_NONE if unsafe { bindings::pte_alloc(mm, pmd) } != 0 => {
            return Err(ENOMEM);
        }
        _ => Found::Table(pmd),
    };
    Ok((found, end))
}

/// A page table of the lowest level, as far as it lies in the range of the walk.
///
/// # Invariants
///
/// `pmd` is the entry for `range` in the page tables of `vma`. Whether it still refers to a table is
/// known under the lock only.
pub struct Table<'a, V> {
    vma: &'a V,
    pmd: *mut bindings::pmd_t,
    range: PageRange,
}

impl<'a, V: Walkable> Table<'a, V> {
    /// The addresses that the entries are for.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// The VMA.
    #[inline]
    pub fn vma(&self) -> &'a VmaRef {
        self.vma.vma()
    }

    /// Maps and locks the table, with the entry for `addr` first; `None` when there is no table any
    /// more. Until the entries are dropped nothing may sleep.
    ///
    /// C: `pte_offset_map_lock()`, `flush_tlb_batched_pending()`, `arch_enter_lazy_mmu_mode()`.
    #[inline]
    pub fn lock(&self, addr: usize) -> Option<Entries<'_, V>> {
        let addr = addr.clamp(self.range.start(), self.range.end() - PAGE_SIZE);
        let mm = self.vma().mm().as_raw();
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
            end: self.range.end(),
            first: ptep,
            ptep,
            ptl,
            addr,
        })
    }
}

/// The entries of a locked page table, from one on to the end of the range of the walk.
///
/// # Invariants
///
/// The table is mapped and locked by `ptl`, and the processor is in lazy MMU mode. `first` is an
/// entry of it; `ptep` is its entry for `addr`, or the one behind the last when `addr` is at `end`,
/// the end of the range.
pub struct Entries<'t, V> {
    vma: &'t V,
    end: usize,
    first: *mut bindings::pte_t,
    ptep: *mut bindings::pte_t,
    ptl: *mut bindings::spinlock_t,
    addr: usize,
}

impl<V: Walkable> Entries<'_, V> {
    /// The address that the current entry is for.
    #[inline]
    pub fn addr(&self) -> usize {
        self.addr
    }

    /// Goes on to the next entry, unless this is the end.
    #[inline]
    pub fn next(&mut self) {
        if self.addr < self.end {
            // SAFETY: The table has an entry here.
            self.ptep = unsafe { self.ptep.add(1) };
            self.addr += PAGE_SIZE;
        }
    }

    /// Goes on by `n` entries, or to the end.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let n = n.min((self.end - self.addr) >> PAGE_SHIFT);
        // SAFETY: The table has at least that many entries.
        self.ptep = unsafe { self.ptep.add(n) };
        self.addr += n * PAGE_SIZE;
    }

    /// The current entry; `None` at the end.
    #[inline]
    pub fn current(&mut self) -> Option<Entry<'_, V>> {
        if self.addr >= self.end {
            return None;
        }
        let mut pte = MaybeUninit::uninit();
        // SAFETY: By the type invariants the entry is mapped and locked.
        let kind = unsafe { bindings::pte_read(self.ptep, pte.as_mut_ptr()) };
        // INVARIANT: `ptep` is the entry for `addr`, holds what `kind` says, and stays locked while
        // `self` is borrowed.
        let place = Place {
            vma: self.vma,
            addr: self.addr,
            end: self.end,
            ptep: self.ptep,
            // SAFETY: The call wrote it.
            pte: unsafe { pte.assume_init() },
            _lock: PhantomData,
        };
        Some(match kind {
            bindings::PTE_ENTRY_NONE => Entry::Empty(EmptyEntry(place)),
            bindings::PTE_ENTRY_PRESENT => Entry::Present(PresentEntry(place)),
            bindings::PTE_ENTRY_SWAP => Entry::Swap(SwappedEntry(place)),
            bindings::PTE_ENTRY_GUARD => Entry::Guard(GuardEntry(place)),
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
    Empty(EmptyEntry<'e, V>),
    /// A page frame.
    Present(PresentEntry<'e, V>),
    /// A page in swap.
    Swap(SwappedEntry<'e, V>),
    /// A guard marker.
    Guard(GuardEntry<'e, V>),
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

/// An empty entry.
///
/// # Invariants
///
/// The entry is empty.
pub struct EmptyEntry<'e, V>(Place<'e, V>);

impl EmptyEntry<'_, VmaMaybeGuard<'_>> {
    /// Puts a guard marker in, so that every access to the page is fatal.
    #[inline]
    pub fn install_guard(self) {
        // SAFETY: By the type invariants the entry is one of the VMA, is empty, so that nothing is
        // lost, and is locked. The VMA has the flag that announces the marker.
        unsafe { bindings::pte_install_guard(self.0.vma.as_ptr(), self.0.addr, self.0.ptep) };
    }
}

/// An entry with a guard marker.
///
/// # Invariants
///
/// The entry holds a guard marker.
pub struct GuardEntry<'e, V>(Place<'e, V>);

impl GuardEntry<'_, VmaMmapLocked> {
    /// Takes the marker away, so that the page can be faulted in again.
    #[inline]
    pub fn remove(self) {
        // SAFETY: By the type invariants the entry is one of the VMA, holds a guard marker, which
        // stands for no memory, and is locked.
        unsafe { bindings::pte_clear_marker(self.0.vma.as_ptr(), self.0.addr, self.0.ptep) };
    }
}

/// An entry that maps a page frame, or the first of some that map pages of one folio in order.
///
/// # Invariants
///
/// The entry maps a page frame.
pub struct PresentEntry<'e, V>(Place<'e, V>);

impl<'e, V: Walkable> PresentEntry<'e, V> {
    /// The folio that is mapped, if it is memory that reclaim may handle: neither without a folio,
    /// such as the shared page of zeros, nor of a device.
    ///
    /// C: `vm_normal_folio()`.
    #[inline]
    pub fn folio(&self) -> Option<&'e Folio> {
        // SAFETY: By the type invariants the entry is one of the VMA and maps a page frame.
        let folio = unsafe {
            bindings::vm_normal_folio_of(self.0.vma.vma().as_ptr(), self.0.addr, &self.0.pte)
        };
        if folio.is_null() {
            return None;
        }
        // SAFETY: The mapping has a reference, which stays while the table is locked.
        let folio = unsafe { Folio::from_raw(folio) };
        (!folio.is_zone_device()).then_some(folio)
    }

    /// The number of entries from this on that map the pages of `folio`, which this entry maps, in
    /// order. From then on this stands for the first of them, used if any of them was.
    ///
    /// C: `folio_pte_batch_flags()`.
    #[inline]
    pub fn batch(&mut self, folio: &'e Folio) -> usize {
        // SAFETY: By the type invariants the entry maps a page of the folio, and the table has that
        // many entries.
        // CAST: There are fewer entries in a table.
        unsafe {
            bindings::folio_pte_batch_young_dirty(
                core::ptr::from_ref(folio).cast_mut().cast(),
                self.0.ptep,
                &mut self.0.pte,
                self.0.max() as u32,
            ) as usize
        }
    }

    /// Whether the page was used, as far as this entry shows.
    #[inline]
    pub fn is_young(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_young(&self.0.pte) }
    }

    /// Whether the page was written to, as far as this entry shows.
    #[inline]
    pub fn is_dirty(&self) -> bool {
        // SAFETY: Looks at the value only.
        unsafe { bindings::pte_dirty(&self.0.pte) }
    }

    /// Forgets that the pages of `n` entries, from this on, were used.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    pub fn clear_young(&self, n: usize, tlb: &mut MmuGather<'_>) {
        let Place { addr, ptep, .. } = self.0;
        // CAST: There are fewer entries in a table.
        let n = n.min(self.0.max()) as u32;
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_ptes(self.0.vma.vma().as_ptr(), addr, ptep, n) };
        // SAFETY: As above.
        unsafe { bindings::tlb_remove_tlb_entries(tlb.as_raw(), ptep, n, addr) };
    }

    /// Forgets that the pages of `n` entries, from this on, were used and written to.
    ///
    /// C: `clear_young_dirty_ptes()`, `tlb_remove_tlb_entries()`.
    #[inline]
    pub fn clear_young_dirty(&self, n: usize, tlb: &mut MmuGather<'_>) {
        let Place { addr, ptep, .. } = self.0;
        // CAST: There are fewer entries in a table.
        let n = n.min(self.0.max()) as u32;
        // SAFETY: By the type invariants the entries are those of the VMA and locked.
        unsafe { bindings::clear_young_dirty_ptes(self.0.vma.vma().as_ptr(), addr, ptep, n) };
        // SAFETY: As above.
        unsafe { bindings::tlb_remove_tlb_entries(tlb.as_raw(), ptep, n, addr) };
    }
}

/// An entry of a page that is in swap.
///
/// # Invariants
///
/// The entry holds a swap entry, which it keeps in use.
pub struct SwappedEntry<'e, V>(Place<'e, V>);

impl<V: Walkable> SwappedEntry<'_, V> {
    /// The place in swap.
    #[inline]
    pub fn entry(&self) -> SwapEntry {
        // SAFETY: By the type invariants the value is a swap entry.
        let val = unsafe { bindings::pte_to_swp_entry(&self.0.pte) };
        SwapEntry(bindings::swp_entry_t { val })
    }

    /// Drops the content of this page and of those behind it that follow each other in swap, too.
    /// Returns their number. The caller corrects the counter of the address space.
    ///
    /// C: `swap_pte_batch()`, `free_swap_and_cache_nr()`, `clear_not_present_full_ptes()`.
    #[inline]
    pub fn free(self, tlb: &mut MmuGather<'_>) -> usize {
        let Place { addr, ptep, .. } = self.0;
        // SAFETY: By the type invariants the table has that many entries, and the first is a swap
        // entry.
        // CAST: There are fewer entries in a table.
        let n = unsafe { bindings::swap_pte_batch(ptep, self.0.max() as i32, &self.0.pte) };
        // SAFETY: The entries keep those in swap in use, and are cleared below.
        unsafe { bindings::free_swap_and_cache_nr(self.entry().0, n) };
        // SAFETY: By the type invariants the entries are those of the VMA, are locked and not
        // present.
        // CAST: The number is positive.
        unsafe { bindings::clear_not_present_full_ptes(tlb.as_raw(), addr, ptep, n as u32) };
        n as usize
    }
}

/// An entry that stands for memory that was lost: to use it is fatal.
///
/// # Invariants
///
/// The entry is not present.
pub struct PoisonedEntry<'e, V>(Place<'e, V>);

impl<V: Walkable> PoisonedEntry<'_, V> {
    /// Forgets the loss, so that the page can be faulted in again.
    ///
    /// C: `pte_clear_not_present_full()`.
    #[inline]
    pub fn clear(self, tlb: &mut MmuGather<'_>) {
        let Place { addr, ptep, .. } = self.0;
        // SAFETY: By the type invariants the entry is one of the VMA, is locked and not present.
        unsafe { bindings::clear_not_present_full_ptes(tlb.as_raw(), addr, ptep, 1) };
    }
}

/// A huge page in the place of a table, or one that is being moved; as seen without a lock.
pub struct HugePage<'a, V> {
    table: Table<'a, V>,
}

impl<'a, V: Walkable> HugePage<'a, V> {
    /// What is there when the huge page has been split meanwhile.
    #[inline]
    pub fn as_table(&self) -> &Table<'a, V> {
        &self.table
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> HugePage<'_, V> {
    /// Whether all of it lies in the range of the walk.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.table.range.size() == huge_page_size()
    }

    /// Locks it; `None` when it is no huge page any more.
    ///
    /// C: `pmd_trans_huge_lock()`.
    #[inline]
    pub fn lock(&self) -> Option<LockedHugePage<'_, V>> {
        // SAFETY: By the type invariants of the table the entry is one of the VMA, of which a lock
        // is held.
        let ptl =
            unsafe { bindings::pmd_trans_huge_lock(self.table.pmd, self.table.vma().as_ptr()) };
        // INVARIANT: The call locked the huge page unless it returned null.
        (!ptl.is_null()).then_some(LockedHugePage {
            table: &self.table,
            ptl,
        })
    }

    /// Marks it as free to be dropped. Returns whether that was possible; if not it may have been
    /// split.
    ///
    /// C: `madvise_free_huge_pmd()`.
    #[inline]
    pub fn free(&self, tlb: &mut MmuGather<'_>) -> bool {
        let Table { pmd, range, .. } = self.table;
        let vma = self.table.vma().as_ptr();
        // SAFETY: By the type invariants of the table the entry is one of the VMA, of which a lock
        // is held; the call checks under the lock that it is a huge page.
        unsafe {
            bindings::madvise_free_huge_pmd(tlb.as_raw(), vma, pmd, range.start(), range.end())
        }
    }
}

/// The size of a huge page, in bytes: what an entry of the second level maps.
///
/// C: `PMD_SIZE`.
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
#[inline]
pub(super) fn huge_page_size() -> usize {
    // SAFETY: There are no requirements.
    unsafe { bindings::pmd_size() }
}

/// A huge page whose entry is locked. Nothing may sleep until it is dropped.
///
/// # Invariants
///
/// The entry is a huge page, or one that is being moved; its lock `ptl` is held.
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub struct LockedHugePage<'a, V> {
    table: &'a Table<'a, V>,
    ptl: *mut bindings::spinlock_t,
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V: Walkable> LockedHugePage<'_, V> {
    /// The folio that is mapped; `None` when it is the shared huge page of zeros, or being moved.
    ///
    /// C: `pmd_folio()`.
    #[inline]
    pub fn folio(&self) -> Option<&Folio> {
        // SAFETY: By the type invariants the entry is a huge page and locked.
        let folio = unsafe { bindings::huge_pmd_folio(self.table.pmd) };
        // SAFETY: The mapping has a reference, which stays while the entry is locked.
        (!folio.is_null()).then(|| unsafe { Folio::from_raw(folio) })
    }

    /// Forgets that it was used, if it was.
    ///
    /// C: `pmdp_invalidate()`, `pmd_mkold()`, `tlb_remove_pmd_tlb_entry()`.
    #[inline]
    pub fn clear_young(&self, tlb: &mut MmuGather<'_>) {
        let Table { pmd, range, .. } = *self.table;
        // SAFETY: By the type invariants the entry is locked.
        if unsafe { bindings::huge_pmd_young(pmd) } {
            let vma = self.table.vma().as_ptr();
            // SAFETY: By the type invariants the entry is one of the VMA, is locked, and maps a huge
            // page, as what is being moved does not count as used.
            unsafe { bindings::huge_pmd_mkold(tlb.as_raw(), vma, range.start(), pmd) };
        }
    }
}

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
impl<V> Drop for LockedHugePage<'_, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants we hold the lock.
        unsafe { bindings::spin_unlock_ptl(self.ptl) };
    }
}
