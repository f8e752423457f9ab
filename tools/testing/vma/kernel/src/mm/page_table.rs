// SPDX-License-Identifier: GPL-2.0

//! Walks over the page tables of a VMA.

use super::{
    guard::VmaMaybeGuard,
    space::{table_base, Slot, Space},
    tlb::{AnonGather, VmaGather},
    virt::VmaRef,
    PageRange, VmFlags,
};
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    model,
    page::{PAGE_SIZE, PUD_SIZE, TABLE_SIZE},
};
use core::ops::ControlFlow;

mod entry;
mod folio_entries;
mod huge;

pub(super) use entry::Places;
pub use entry::{Entries, Entry, PoisonedEntry, PresentEntry, SwappedEntry};
pub use folio_entries::{FolioEntries, MappedFolio, WholeFolio};
pub use huge::HugePage;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub use huge::LockedHugePage;

/// A state of a VMA in which its page tables can be walked over.
pub trait Walkable: private::Sealed {
    /// Whether missing tables are allocated.
    const ALLOCATE: bool = false;

    /// The VMA under any of its locks.
    fn vma(&self) -> &VmaRef;

    /// The addresses that may be walked over.
    fn bounds(&self) -> PageRange {
        self.vma().range()
    }
}

impl Walkable for VmaRef {
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for VmaGather<'_> {
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for AnonGather<'_> {
    fn vma(&self) -> &VmaRef {
        self
    }

    fn bounds(&self) -> PageRange {
        self.range()
    }
}

impl Walkable for VmaMaybeGuard<'_> {
    const ALLOCATE: bool = true;

    fn vma(&self) -> &VmaRef {
        self
    }
}

mod private {
    use super::{AnonGather, VmaGather, VmaMaybeGuard, VmaRef};

    pub trait Sealed {
        /// Notes the size of the pages that change from here on.
        fn change_page_size(&self, _: usize) {}
    }

    impl Sealed for VmaRef {}
    impl Sealed for VmaMaybeGuard<'_> {}

    impl Sealed for VmaGather<'_> {
        fn change_page_size(&self, size: usize) {
            VmaGather::change_page_size(self, size);
        }
    }

    impl Sealed for AnonGather<'_> {
        fn change_page_size(&self, size: usize) {
            VmaGather::change_page_size(self, size);
        }
    }
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

/// Callbacks for [`walk`] over a VMA in state `V`.
pub trait Visitor<V: Walkable> {
    /// Called for a huge page in the place of a page table. Passes over it unless this is overridden.
    ///
    /// # Errors
    ///
    /// Any error ends the walk.
    fn huge(&mut self, _: &mut HugePage<'_, V>) -> Result<Step> {
        Ok(Step::Next)
    }

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
    fn table(&mut self, table: &mut Table<'_, V>) -> Result<Step>;
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
    T: Visitor<V> + 'static,
{
    if vma.vma().vm_flags().intersects(VmFlags::HUGETLB) {
        return Err(EINVAL);
    }
    let bounds = vma.bounds();
    let Some(range) = range.clamp(bounds.start(), bounds.end()) else {
        return Ok(ControlFlow::Continue(()));
    };
    let mut addr = range.start();
    while addr < range.end() {
        let (found, next) = descend(vma.vma(), addr, range.end());
        let range = range.clamp(addr, next).expect("a walk goes forward");
        let mut table = Table { vma, range };
        let step = match found {
            Found::HugePud => visitor.huge_pud(table.range).unwrap_or_else(|| {
                vma.vma()
                    .space(|space| space.puds.retain(|pud| *pud != pud_base(addr)));
                Step::Again
            }),
            Found::Huge => visitor.huge(&mut HugePage::new(table))?,
            Found::Hole if V::ALLOCATE => visitor.missing(&MissingTable(table))?,
            Found::Hole => Step::Next,
            Found::Table => visitor.table(&mut table)?,
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

impl<V: Walkable> Table<'_, V> {
    /// The addresses that the entries are for.
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// The VMA, in the state in which it is walked over.
    pub fn vma(&self) -> &V {
        self.vma
    }

    fn base(&self) -> usize {
        table_base(self.range.start())
    }

    fn lock_id(&self) -> Lock {
        Lock::Table(self.vma.vma().mm().id(), self.base())
    }
}

/// The place of a missing table.
pub struct MissingTable<'a, V>(Table<'a, V>);

impl<V: Walkable> MissingTable<'_, V> {
    /// The addresses that the entries would be for.
    pub fn range(&self) -> PageRange {
        self.0.range
    }

    /// The VMA, in the state in which it is walked over.
    pub fn vma(&self) -> &V {
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
