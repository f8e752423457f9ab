// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.

use super::{
    space::{table_base, Pte, Slot, Space},
    tlb::VmaGather,
    virt::VmaRef,
    PageRange, VmFlags, VmaMaybeGuard,
};
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    model,
    page::{PUD_SIZE, TABLE_SIZE},
};
use core::ops::ControlFlow;

mod entry;
#[path = "../../../../../../rust/kernel/mm/page_table/guards.rs"]
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

    /// Called for the part of a huge page that a PUD maps. It is split unless this returns a step.
    fn huge_pud(&mut self, _: PageRange) -> Option<Step> {
        None
    }

    /// Called where a table is missing, in states that allocate.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    #[track_caller]
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
        let (found, next) = descend(bounds, addr, range.end());
        let table = Table {
            vma,
            range: PageRange::new(addr, next),
        };
        let step = match found {
            Found::HugePud => visitor.huge_pud(table.range).unwrap_or_else(|| {
                bounds.space(|space| space.puds.retain(|pud| *pud != pud_base(addr)));
                Step::Again
            }),
            Found::Huge => visitor.huge(&HugePage::new(table))?,
            Found::Hole if V::ALLOCATE => visitor.missing(&MissingTable(table))?,
            Found::Hole => Step::Next,
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

fn descend(vma: &VmaRef, addr: usize, end: usize) -> (Found, usize) {
    let base = table_base(addr);
    if vma.space(|space| space.puds.contains(&pud_base(addr))) {
        return (Found::HugePud, end.min(pud_base(addr) + PUD_SIZE));
    }
    let look = |space: &mut Space| match space.slots.get(&base) {
        Some(Slot::Table) => Found::Table,
        Some(Slot::Huge(_) | Slot::Moving) => Found::Huge,
        None => Found::Hole,
    };
    (vma.space(look), end.min(base + TABLE_SIZE))
}

/// The address space that a page table of the lowest level is for, in bytes.
pub fn table_span() -> usize {
    TABLE_SIZE
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

/// The place of a table that is missing.
pub struct MissingTable<'a, V>(Table<'a, V>);

impl<'a, V: Walkable> MissingTable<'a, V> {
    /// The addresses that the entries would be for.
    pub fn range(&self) -> PageRange {
        self.0.range
    }

    /// The VMA, in the state in which it is walked over.
    pub fn vma(&self) -> &'a V {
        self.0.vma
    }

    /// Allocates the table.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[track_caller]
    pub fn allocate(&self) -> Result<Step> {
        locks::might_sleep("to allocate a page table");
        model::alloc()?;
        self.0
            .vma
            .vma()
            .space(|space| space.make_table(self.0.base()));
        Ok(Step::Again)
    }
}

impl MissingTable<'_, VmaMaybeGuard<'_>> {
    /// As [`MissingTable::allocate`], but full of guards when all of the table lies in the range.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[track_caller]
    pub fn allocate_guards(&self) -> Result<Step> {
        let range = self.0.range;
        if range.size() != TABLE_SIZE {
            return self.allocate();
        }
        locks::might_sleep("to allocate a page table");
        model::alloc()?;
        self.0.vma.space(|space| {
            space.make_table(self.0.base());
            for addr in Space::pages(range.start(), range.end()) {
                space.require_flag(addr);
                space.put_entry(addr, Some(Pte::Guard));
            }
        });
        Ok(Step::Next)
    }
}
