// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.
//!
//! [`walk`] goes down to the lowest-level tables of a range, takes the lock of each, and hands the
//! entries to a [`Visitor`] one by one. It is generic over the visitor, which is compiled into the
//! loop. The entries that it hands out are types, too: what may be done with an entry depends on
//! what is in it and on the locks held for the VMA.
//!
//! C headers: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h),
//! [`include/linux/swapops.h`](srctree/include/linux/swapops.h)

use crate::{
    bindings,
    error::{
        code::{EINVAL, ENOMEM},
        Result,
    },
    mm::{PageRange, VmaMaybeGuard, VmaMmapLocked},
    page::{PAGE_SHIFT, PAGE_SIZE},
};
use core::{ops::ControlFlow, ptr::NonNull};

/// A state of a VMA in which its page tables can be walked over.
///
/// The trait is for the types of this crate only.
pub trait Walkable: private::Sealed {
    /// Whether tables that are missing are allocated on the way down; otherwise the walk passes
    /// over the hole. To allocate takes locks that keep page faults out.
    const ALLOCATE: bool;

    /// The VMA under the mmap lock.
    fn vma(&self) -> &VmaMmapLocked;
}

impl Walkable for VmaMmapLocked {
    const ALLOCATE: bool = false;

    #[inline]
    fn vma(&self) -> &VmaMmapLocked {
        self
    }
}

impl Walkable for VmaMaybeGuard<'_> {
    const ALLOCATE: bool = true;

    #[inline]
    fn vma(&self) -> &VmaMmapLocked {
        self
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::VmaMmapLocked {}
    impl Sealed for super::VmaMaybeGuard<'_> {}
}

/// What is to be done with what a [`walk`] finds in a VMA of state `V`.
pub trait Visitor<V> {
    /// Called for what is mapped by an entry above the lowest level: a huge page, or one that is
    /// being moved. Breaks to end the walk.
    fn huge(&mut self) -> ControlFlow<()>;

    /// Called for each entry of the lowest level, under the lock of its table: must not sleep.
    /// Breaks to end the walk.
    fn entry(&mut self, entry: Entry<'_, V>) -> ControlFlow<()>;
}

/// An entry of a page table of the lowest level, by its content.
pub enum Entry<'a, V> {
    /// Nothing.
    Empty(EmptyEntry<'a, V>),
    /// A guard marker.
    Guard(GuardEntry<'a, V>),
    /// A page, or what is left of one: a swap entry, or a marker of another kind.
    Other,
}

/// An empty entry.
///
/// # Invariants
///
/// `ptep` is the entry for `addr` in the page tables of `vma`. It is empty, and the lock of its
/// table is held during `'a`.
pub struct EmptyEntry<'a, V> {
    vma: &'a V,
    addr: usize,
    ptep: *mut bindings::pte_t,
}

impl EmptyEntry<'_, VmaMaybeGuard<'_>> {
    /// Puts a guard marker in, so that every access to the page is fatal.
    #[inline]
    pub fn install_guard(self) {
        // SAFETY: By the type invariants the entry is one of the VMA, is empty, so that nothing is
        // lost, and is locked. The VMA has the flag that announces the marker.
        unsafe { bindings::pte_install_guard(self.vma.as_ptr(), self.addr, self.ptep) };
    }
}

/// An entry with a guard marker.
///
/// # Invariants
///
/// `ptep` is the entry for `addr` in the page tables of `vma`. It holds a guard marker, and the
/// lock of its table is held during `'a`.
pub struct GuardEntry<'a, V> {
    vma: &'a V,
    addr: usize,
    ptep: *mut bindings::pte_t,
}

impl<V: Walkable> GuardEntry<'_, V> {
    /// Takes the marker away, so that the page can be faulted in again.
    #[inline]
    pub fn remove(self) {
        let vma = self.vma.vma().as_ptr();
        // SAFETY: By the type invariants the entry is one of the VMA, holds a guard marker, which
        // stands for no memory, and is locked.
        unsafe { bindings::pte_clear_marker(vma, self.addr, self.ptep) };
    }
}

/// Walks over the page tables of `vma` in the part of `range` that lies within it.
///
/// Returns whether the visitor ended the walk.
///
/// # Errors
///
/// `EINVAL` when the VMA is not ordinary memory, whose page tables follow other rules; `ENOMEM` when
/// a table was to be allocated and could not.
#[inline]
pub fn walk<V, T>(vma: &V, range: PageRange, visitor: &mut T) -> Result<ControlFlow<()>>
where
    V: Walkable,
    T: Visitor<V>,
{
    let bounds = vma.vma();
    if !bounds.is_ordinary() {
        return Err(EINVAL);
    }
    let Some(range) = range.clamp(bounds.start(), bounds.end()) else {
        return Ok(ControlFlow::Continue(()));
    };
    let mut addr = range.start();
    while addr < range.end() {
        let (found, next) = descend::<V>(bounds, addr, range.end())?;
        let flow = match found {
            Found::Hole => ControlFlow::Continue(()),
            Found::Huge => visitor.huge(),
            Found::Table(pmd) => match LockedTable::new(bounds, pmd, addr) {
                Some(table) => visit_table(vma, &table, addr, next, visitor),
                // Someone else changed or freed the table meanwhile: look again.
                None => continue,
            },
        };
        if flow.is_break() {
            return Ok(flow);
        }
        addr = next;
    }
    Ok(ControlFlow::Continue(()))
}

/// What stands above the lowest level for an address.
enum Found {
    /// No table.
    Hole,
    /// An entry that maps memory itself.
    Huge,
    /// An entry that refers to a table of the lowest level, unless that was changed meanwhile.
    Table(*mut bindings::pmd_t),
}

/// Goes down from the top for `addr`, an address in `vma`, which is ordinary memory. Returns what is
/// there, and where in `addr..end` it ends.
#[inline]
fn descend<V: Walkable>(vma: &VmaMmapLocked, addr: usize, end: usize) -> Result<(Found, usize)> {
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
                // SAFETY: The entry is the one for `addr` in the page tables of `mm`. Its mmap lock
                // is held, and the VMA is ordinary memory in the tree, which keeps all tables but
                // those of the lowest level. No page fault can put a huge page into the entry
                // meanwhile, as states that allocate keep faults out.
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
        return Ok((Found::Huge, end));
    }
    let is_none = || kind == bindings::TABLE_ENTRY_NONE;
    let pmd = lower!(pud, end, is_none(), pmd_alloc, pmd_offset);

    let end = entry_end!(pmd_addr_end, end);
    // SAFETY: The entry is valid.
    let found = match unsafe { bindings::pmd_kind(pmd) } {
        bindings::TABLE_ENTRY_HUGE => Found::Huge,
        bindings::TABLE_ENTRY_NONE if !V::ALLOCATE => Found::Hole,
        // SAFETY: The entry is valid, and the mmap lock is held.
        bindings::TABLE_ENTRY_NONE if unsafe { bindings::pte_alloc(mm, pmd) } != 0 => {
            return Err(ENOMEM);
        }
        _ => Found::Table(pmd),
    };
    Ok((found, end))
}

/// A table of the lowest level, mapped and locked.
///
/// # Invariants
///
/// `first` is a mapped entry, and the lock `ptl` of its table is held.
struct LockedTable {
    first: NonNull<bindings::pte_t>,
    ptl: *mut bindings::spinlock_t,
}

impl LockedTable {
    /// Maps and locks the table that `pmd` refers to, with the entry for `addr` first; `None` when
    /// `pmd` does not refer to a table any more.
    #[inline]
    fn new(vma: &VmaMmapLocked, pmd: *mut bindings::pmd_t, addr: usize) -> Option<Self> {
        let mut ptl = core::ptr::null_mut();
        // SAFETY: `pmd` is the entry for `addr` in the page tables of the VMA, and the mmap lock is
        // held. The call checks under the lock that the table is still there.
        let first =
            unsafe { bindings::pte_offset_map_lock(vma.mm().as_raw(), pmd, addr, &mut ptl) };
        // INVARIANT: The call mapped and locked the table unless it returned null.
        NonNull::new(first).map(|first| Self { first, ptl })
    }
}

impl Drop for LockedTable {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the table is mapped and locked.
        unsafe { bindings::pte_unmap_unlock(self.first.as_ptr(), self.ptl) };
    }
}

/// Hands the entries for `addr..next`, of which the first is that of `table`, to the visitor.
#[inline]
fn visit_table<V, T>(
    vma: &V,
    table: &LockedTable,
    addr: usize,
    next: usize,
    visitor: &mut T,
) -> ControlFlow<()>
where
    T: Visitor<V>,
{
    for i in 0..(next - addr) >> PAGE_SHIFT {
        let addr = addr + i * PAGE_SIZE;
        // SAFETY: `addr..next` does not leave the range of one table.
        let ptep = unsafe { table.first.as_ptr().add(i) };
        // SAFETY: The entry is mapped and its table locked by the type invariants of `table`.
        let kind = unsafe { bindings::pte_kind(ptep) };
        // INVARIANT: `ptep` is the entry for `addr`, holds what `kind` says, and `table` keeps its
        // lock while the entry lives.
        let entry = match kind {
            bindings::PTE_ENTRY_NONE => Entry::Empty(EmptyEntry { vma, addr, ptep }),
            bindings::PTE_ENTRY_GUARD => Entry::Guard(GuardEntry { vma, addr, ptep }),
            _ => Entry::Other,
        };
        visitor.entry(entry)?;
    }
    ControlFlow::Continue(())
}
