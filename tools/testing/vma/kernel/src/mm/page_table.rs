// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.

use super::{
    space::{table_base, Slot, Space},
    tlb::VmaGather,
    virt::VmaRef,
    PageRange, VmFlags, VmaMaybeGuard, VmaMmapLocked,
};
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    model,
    page::{PUD_SIZE, TABLE_SIZE},
};
use core::ops::ControlFlow;

mod entry;
mod huge;

pub use entry::{
    EmptyEntry, Entries, Entry, GuardEntry, PoisonedEntry, PresentEntry, SwappedEntry,
};
pub use huge::HugePage;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub use huge::LockedHugePage;

/// A state of a VMA in which its page tables can be walked over.
pub trait Walkable: private::Sealed {
    /// Whether tables that are missing are allocated.
    const ALLOCATE: bool;

    /// The VMA under any of its locks.
    fn vma(&self) -> &VmaRef;
}

macro_rules! walkable {
    ($($state:ty: $allocate:literal),+ $(,)?) => {
        $(
            impl Walkable for $state {
                const ALLOCATE: bool = $allocate;

                fn vma(&self) -> &VmaRef {
                    self
                }
            }

            impl private::Sealed for $state {}
        )+
    };
}

walkable! {
    VmaRef: false,
    VmaMmapLocked: false,
    VmaGather<'_>: false,
    VmaMaybeGuard<'_>: true,
}

mod private {
    pub trait Sealed {}
}

/// What a [`walk`] does next.
pub enum Step {
    /// Go on behind what was visited.
    Next,
    /// Look at the same place again.
    Again,
    /// End the walk.
    Stop,
}

/// What is to be done with what a [`walk`] finds in a VMA of state `V`.
pub trait Visitor<V: Walkable> {
    /// Called for a huge page in the place of a page table.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn huge(&mut self, page: &HugePage<'_, V>) -> Result<Step>;

    /// Called for a huge page that a PUD maps. It is split unless this returns a step.
    fn huge_pud(&mut self) -> Option<Step> {
        None
    }

    /// Called for a table of the lowest level.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn table(&mut self, table: &Table<'_, V>) -> Result<Step>;
}

/// Walks over the page tables of `vma` in the part of `range` that lies within it. Returns whether the
/// visitor ended the walk.
///
/// # Errors
///
/// `EINVAL` when the VMA is one of hugetlb; `ENOMEM`; and those of the visitor.
#[track_caller]
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
        let table = Table {
            vma,
            range: PageRange::new(addr, next),
        };
        let step = match found {
            Found::Hole => Step::Next,
            Found::HugePud => visitor.huge_pud().unwrap_or_else(|| {
                bounds.space(|space| space.puds.retain(|pud| *pud != pud_base(addr)));
                Step::Again
            }),
            Found::Huge => visitor.huge(&HugePage::new(table))?,
            Found::Table => visitor.table(&table)?,
        };
        locks::might_sleep("to go on with a walk");
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
    Hole,
    HugePud,
    Huge,
    Table,
}

fn pud_base(addr: usize) -> usize {
    addr & !(PUD_SIZE - 1)
}

#[track_caller]
fn descend<V: Walkable>(vma: &VmaRef, addr: usize, end: usize) -> Result<(Found, usize)> {
    let base = table_base(addr);
    let next = end.min(base + TABLE_SIZE);
    if vma.space(|space| space.puds.contains(&pud_base(addr))) {
        return Ok((Found::HugePud, end.min(pud_base(addr) + PUD_SIZE)));
    }
    let look = |space: &mut Space| match space.slots.get(&base) {
        Some(Slot::Table) => Found::Table,
        Some(Slot::Huge(_) | Slot::Moving) => Found::Huge,
        None => Found::Hole,
    };
    match vma.space(look) {
        Found::Hole if V::ALLOCATE => {
            model::alloc()?;
            vma.space(|space| space.make_table(base));
            Ok((Found::Table, next))
        }
        found => Ok((found, next)),
    }
}

/// A page table of the lowest level, as far as it lies in the range of the walk.
pub struct Table<'a, V> {
    vma: &'a V,
    range: PageRange,
}

impl<'a, V: Walkable> Table<'a, V> {
    /// The addresses that the entries are for.
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// The VMA, in the state in which it is walked over.
    pub fn vma(&self) -> &'a V {
        self.vma
    }

    fn base(&self) -> usize {
        table_base(self.range.start())
    }

    fn lock_id(&self) -> Lock {
        Lock::Table(self.vma.vma().mm().id(), self.base())
    }
}
