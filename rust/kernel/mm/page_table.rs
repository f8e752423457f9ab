// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.
//!
//! [`walk`] descends to the tables of the lowest level and hands each to a [`Visitor`]: as a
//! [`Table`], which the visitor locks to get at its [`Entries`], or as the huge page that stands in
//! its place. It is generic over the visitor, which is compiled into the loop. What may be done
//! with an entry depends on what is in it and on the state of the VMA, so that both are types.
//!
//! A locked table is borrowed exclusively: this reference to it cannot be locked twice, and the VMA
//! cannot be reached through it. Another reference to the VMA can be: as with
//! [`SpinLock`](crate::sync::SpinLock), code that holds the lock must neither sleep nor take it
//! again.
//!
//! C headers: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h),
//! [`include/linux/swapops.h`](srctree/include/linux/swapops.h), `mm/internal.h`

use crate::mm::additions::bindings;
use crate::{
    error::{
        code::{EINVAL, ENOMEM},
        Result,
    },
    mm::{virt::VmaRef, PageRange, VmFlags},
};
use core::{ops::ControlFlow, ptr::NonNull};

mod entry;
mod folio_entries;
mod huge;
mod table;

pub(super) use entry::Places;
pub use entry::{Entries, Entry, PoisonedEntry, PresentEntry, SwappedEntry};
pub use folio_entries::{FolioEntries, MappedFolio, WholeFolio};
pub use huge::HugePage;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub use huge::LockedHugePage;
pub(super) use table::private;
pub use table::{table_span, MissingTable, Step, Table, Walkable};

/// Callbacks for [`walk`] over a VMA in state `V`.
pub trait Visitor<V: Walkable> {
    /// Called for a huge page in the place of a page table: one that a PMD maps, or that is under
    /// migration. Passes over it unless this is overridden.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    #[inline]
    fn huge(&mut self, _: &mut HugePage<'_, V>) -> Result<Step> {
        Ok(Step::Next)
    }

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
    fn table(&mut self, table: &mut Table<'_, V>) -> Result<Step>;
}

/// Walks over the page tables of `vma` in the part of `range` that lies within its
/// [bounds](Walkable::bounds).
///
/// Returns whether the visitor ended the walk. The visitor borrows nothing, so that it cannot have
/// a guard of the lock on the stack of its caller.
///
/// While [`Entries`] or a [`LockedHugePage`] are there, nothing may sleep or lock a page table:
/// that is a deadlock, as with any spinlock. Without SMP it would be none, and what is locked twice
/// be changed twice; so `CONFIG_RUST_VMA` depends on `CONFIG_SMP`. To forget one leaves the table
/// locked, and pages that were freed from swap counted.
///
/// # Errors
///
/// `EINVAL` when the VMA is one of hugetlb, whose page tables follow other rules; `ENOMEM` when a
/// table could not be allocated; and errors of the visitor.
///
/// # Examples
///
/// ```
/// use kernel::mm::{
///     page_table::{walk, Step, Table, Visitor},
///     virt::VmaRef,
///     PageRange,
/// };
/// use kernel::prelude::*;
///
/// /// Counts page tables.
/// struct CountTables(usize);
///
/// impl Visitor<VmaRef> for CountTables {
///     fn table(&mut self, _: &mut Table<'_, VmaRef>) -> Result<Step> {
///         self.0 += 1;
///         Ok(Step::Next)
///     }
/// }
///
/// fn count_tables(vma: &VmaRef, range: PageRange) -> Result<usize> {
///     let mut count = CountTables(0);
///     let _ = walk(vma, range, &mut count)?;
///     Ok(count.0)
/// }
/// ```
#[doc(alias = "walk_page_range_vma")]
#[inline]
pub fn walk<V, T>(vma: &V, range: PageRange, visitor: &mut T) -> Result<ControlFlow<()>>
where
    V: Walkable,
    T: Visitor<V> + 'static,
{
    vma.vma().assert_locked();
    if vma.vma().vm_flags().intersects(VmFlags::HUGETLB) {
        return Err(EINVAL);
    }
    let bounds = vma.bounds();
    let Some(range) = range.clamp(bounds.start(), bounds.end()) else {
        return Ok(ControlFlow::Continue(()));
    };
    let mut addr = range.start();
    while addr < range.end() {
        let (found, next) = descend::<V>(vma.vma(), addr, range.end())?;
        // SAFETY:
        // - `addr` and `next` are in the range, or at its end; entries cover whole pages.
        // - `descend` goes forward.
        let part = unsafe { PageRange::new_unchecked(addr, next) };
        // INVARIANT: `descend` found the entry for `part` in the page tables of `vma`.
        let step = match found {
            Found::Hole => Step::Next,
            Found::Allocated => Step::Again,
            Found::HugePud(pud) => match visitor.huge_pud(part) {
                Some(step) => step,
                None => split_huge_pud(vma.vma(), pud, addr),
            },
            Found::HugePmd(pmd) => visitor.huge(&mut HugePage::new(Table {
                vma,
                pmd,
                range: part,
            }))?,
            Found::Missing(pmd) => visitor.missing(&MissingTable(Table {
                vma,
                pmd,
                range: part,
            }))?,
            Found::Table(pmd) => visitor.table(&mut Table {
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
    /// A PUD that was empty, for which a table was allocated, unless there was one by then.
    Allocated,
    /// A PUD that maps memory itself.
    HugePud(*mut bindings::pud_t),
    /// A PMD that maps memory itself, or did until it is moved.
    HugePmd(*mut bindings::pmd_t),
    /// A PMD that is empty, in a state that allocates.
    Missing(*mut bindings::pmd_t),
    /// A PMD that refers to a table, unless that was changed meanwhile.
    Table(*mut bindings::pmd_t),
}

/// Splits the huge page that the PUD for `addr` maps. The PUD maps nothing then, and is looked at
/// again.
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

/// Descends from the top for `addr`, an address in `vma`, which is not one of hugetlb. Returns what
/// is there, and where in `addr..end` it ends.
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
    // Descends from an entry, which ends at `$end`, to the entry for `addr` in the table that it
    // refers to.
    macro_rules! lower {
        ($upper:expr, $end:expr, $is_none:expr, $alloc:ident, $offset:ident) => {
            if V::ALLOCATE {
                // SAFETY: The entry is the one for `addr` in the page tables of `mm`. A lock of the
                // VMA is held, which keeps all tables but those of the lowest level. If the
                // entry has become huge, the result is discarded.
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
    if V::ALLOCATE && is_none() {
        // A page fault may have put a huge page in the place of the table that was to be allocated.
        // There is no entry for it then.
        return Ok((Found::Allocated, end));
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

/// Passes over the empty entries behind `pmd`, of which the first begins at `addr`. Returns where
/// the row ends, at `end` at the latest.
///
/// # Safety
///
/// `pmd` must be an entry in a page table of an address space of which a lock is held, and the
/// entries up to `end` must be in the same table.
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
