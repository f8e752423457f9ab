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

use super::bindings;
use crate::{
    error::{
        code::{EAGAIN, EINVAL, ENOMEM},
        to_result, Result,
    },
    mm::{tlb::VmaGather, virt::VmaRef, PageRange, VmFlags, VmaMaybeGuard},
};
use core::{ops::ControlFlow, ptr::NonNull};

mod entry;
mod guards;
mod huge;

pub use entry::{
    Entries, Entry, GuardRun, PoisonedEntry, PresentEntry, Run, SwappedEntry, VacantRun,
};
pub(in crate::mm) use guards::FindGuard;
pub use guards::GuardRemoval;
pub use huge::HugePage;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub use huge::LockedHugePage;

/// A state of a VMA in which its page tables can be walked over.
///
/// The trait is for the types of this crate only.
pub trait Walkable: private::Sealed {
    /// Whether tables that are missing are allocated on the way down; otherwise the walk passes
    /// over the hole.
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

impl Walkable for VmaGather<'_> {
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
    impl Sealed for super::VmaGather<'_> {}
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
    /// Called for a huge page in the place of a page table: one that a PMD maps, or that is being
    /// moved.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn huge(&mut self, page: &HugePage<'_, V>) -> Result<Step>;

    /// Called for the part of a huge page that a PUD maps. It is split unless this returns a step.
    #[inline]
    fn huge_pud(&mut self, _: PageRange) -> Option<Step> {
        None
    }

    /// Called where a table of the lowest level is missing, in states that allocate.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    #[inline]
    fn missing(&mut self, table: &MissingTable<'_, V>) -> Result<Step> {
        table.allocate()
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
            Found::HugePud(pud) => match visitor.huge_pud(part) {
                Some(step) => step,
                None => split_huge_pud(bounds, pud, addr),
            },
            Found::HugePmd(pmd) => visitor.huge(&HugePage::new(Table {
                vma,
                pmd,
                range: part,
            }))?,
            Found::Missing(pmd) => visitor.missing(&MissingTable(Table {
                vma,
                pmd,
                range: part,
            }))?,
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
    /// A PUD that maps memory itself, or did a moment ago.
    HugePud(*mut bindings::pud_t),
    /// A PMD that maps memory itself, or did until it is moved.
    HugePmd(*mut bindings::pmd_t),
    /// A PMD that is empty, in a state that allocates.
    Missing(*mut bindings::pmd_t),
    /// A PMD that refers to a table, unless that was changed meanwhile.
    Table(*mut bindings::pmd_t),
}

/// Splits the huge page that the PUD for `addr` maps. The PUD maps nothing then, and is looked at again.
#[inline]
fn split_huge_pud(vma: &VmaRef, pud: *mut bindings::pud_t, addr: usize) -> Step {
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
                // VMA is held, which keeps all tables but those of the lowest level. What comes
                // of an entry that maps memory by now is not used.
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
        return Ok((Found::HugePud(pud), end));
    }
    let is_none = || kind == bindings::TABLE_ENTRY_NONE;
    let pmd = lower!(pud, end, is_none(), pmd_alloc, pmd_offset);
    // A page fault may have put a huge page in the place of the table that was to be allocated, and
    // someone else may have taken it away again.
    // SAFETY: The entry is valid.
    if V::ALLOCATE && is_none() && unsafe { bindings::pud_kind(pud) } != bindings::TABLE_ENTRY_TABLE
    {
        return Ok((Found::HugePud(pud), end));
    }

    let pud_end = end;
    let end = entry_end!(pmd_addr_end, pud_end);
    // SAFETY: The entry is valid.
    let found = match unsafe { bindings::pmd_kind(pmd) } {
        bindings::TABLE_ENTRY_HUGE => Found::HugePmd(pmd),
        bindings::TABLE_ENTRY_NONE if V::ALLOCATE => Found::Missing(pmd),
        // SAFETY: The entry is the one before `end` in a table for what ends at `pud_end` or above.
        bindings::TABLE_ENTRY_NONE => return Ok((Found::Hole, unsafe { skip(pmd, end, pud_end) })),
        _ => Found::Table(pmd),
    };
    Ok((found, end))
}

/// Passes over the empty entries behind `pmd`, of which the first begins at `addr`. Returns where the row ends,
/// at `end` at the latest.
///
/// # Safety
///
/// `pmd` must be an entry in a page table of an address space of which a lock is held, and the entries
/// up to `end` must be in the same table.
#[inline]
unsafe fn skip(mut pmd: *mut bindings::pmd_t, mut addr: usize, end: usize) -> usize {
    while addr < end {
        // SAFETY: The caller promises that there is another entry before `end`.
        pmd = unsafe { pmd.add(1) };
        // SAFETY: As above.
        if unsafe { bindings::pmd_kind(pmd) } != bindings::TABLE_ENTRY_NONE {
            break;
        }
        // SAFETY: There are no requirements.
        addr = unsafe { bindings::pmd_addr_end(addr, end) };
    }
    addr
}

/// The address space that a page table of the lowest level is for, in bytes: a power of two.
///
/// C: `PMD_SIZE`.
#[inline]
pub fn table_span() -> usize {
    // SAFETY: There are no requirements.
    unsafe { bindings::pmd_size() }
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

    /// The VMA, in the state in which it is walked over.
    #[inline]
    pub fn vma(&self) -> &'a V {
        self.vma
    }
}

/// The place of a table that is missing.
///
/// # Invariants
///
/// Those of [`Table`]: when it was looked at, without a lock, the entry `pmd` was empty.
pub struct MissingTable<'a, V>(Table<'a, V>);

impl<'a, V: Walkable> MissingTable<'a, V> {
    /// The addresses that the entries would be for.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.0.range
    }

    /// The VMA, in the state in which it is walked over.
    #[inline]
    pub fn vma(&self) -> &'a V {
        self.0.vma
    }

    /// Allocates the table. It is looked at next, or what a page fault has put there by then.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory.
    ///
    /// C: `pte_alloc()`.
    #[inline]
    pub fn allocate(&self) -> Result<Step> {
        // SAFETY: By the type invariants `pmd` is an entry of the VMA, of which a lock is held.
        match unsafe { bindings::pte_alloc(self.0.vma.vma().mm().as_raw(), self.0.pmd) } {
            0 => Ok(Step::Again),
            _ => Err(ENOMEM),
        }
    }
}

impl MissingTable<'_, VmaMaybeGuard<'_>> {
    /// As [`MissingTable::allocate`], but when all of the table lies in the range of the walk, it
    /// is full of guard markers from the first moment on.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory.
    #[inline]
    pub fn allocate_guards(&self) -> Result<Step> {
        if self.0.range.size() != table_span() {
            return self.allocate();
        }
        // SAFETY: By the type invariants `pmd` is an entry of the VMA, of which a lock is held, and
        // which has the flag that announces the markers. All of the table is for the range.
        match to_result(unsafe {
            bindings::pte_alloc_guards(self.0.vma.mm().as_raw(), self.0.pmd, self.0.range.start())
        }) {
            Ok(()) => Ok(Step::Next),
            Err(e) if e == EAGAIN => Ok(Step::Again),
            Err(e) => Err(e),
        }
    }
}
