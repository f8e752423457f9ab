// SPDX-License-Identifier: GPL-2.0

//! Address spaces as plain data, and what C does to them.
//!
//! What policy may do under which lock is in the modules beside this one. Here the locks are asked
//! for where flags and entries are written.

mod fault;
mod fork;
pub(crate) mod merge;
mod zap;

pub use fault::Touch;
pub use merge::are_mergeable;

use super::{file::VmaFile, folio::Folio, MmWithUser, VmFlags};
use crate::{
    locks::{self, Lock},
    page::{PAGE_SHIFT, PAGE_SIZE, TABLE_PAGES, TABLE_SIZE},
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::{Rc, Weak},
};

/// The number of a folio.
pub type FolioId = u64;

/// One mapping.
#[derive(Clone, Debug)]
pub struct Vma {
    /// Its number: that of no other VMA.
    pub id: u64,
    /// The first address.
    pub start: usize,
    /// The address behind the last.
    pub end: usize,
    /// The flags.
    pub flags: VmFlags,
    /// What is mapped.
    pub file: Option<VmaFile>,
    /// The number in the file of the first page; for anonymous memory that of the address.
    pub pgoff: usize,
    /// Whether it has operations of its own, as all that is not anonymous memory.
    pub has_ops: bool,
    /// The anon_vma, if it has one.
    pub anon_vma: Option<u64>,
    /// Whether the anon_vma is that of a child, which refers to that of its parent, too.
    pub of_fork: bool,
    /// The name.
    pub name: Option<Vec<u8>>,
    /// What watches it.
    pub uffd: Option<u64>,
    /// Whether its protection key keeps the thread from writing.
    pub pkey_denies_write: bool,
}

impl Vma {
    /// The offset of a page in the file, in pages.
    pub fn linear_page_index(&self, addr: usize) -> usize {
        self.pgoff + ((addr - self.start) >> PAGE_SHIFT)
    }

    /// Whether it is private anonymous memory.
    pub fn is_anonymous(&self) -> bool {
        !self.has_ops
    }
}

/// An entry of the lowest level.
#[derive(Clone, Debug)]
pub enum Pte {
    /// A page frame.
    Page(Mapped),
    /// A page in swap, by its place there.
    Swap(usize),
    /// A guard marker.
    Guard,
    /// What is left of memory that was lost.
    Poisoned,
    /// The write protection of userfaultfd, where no page is.
    UffdWp,
    /// A page that is being moved.
    Migration,
}

/// A page frame that is mapped.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The folio; none for the page of zeros.
    pub folio: Option<Folio>,
    /// Which page of the folio it is.
    pub index: usize,
    /// Whether it was used.
    pub young: bool,
    /// Whether it was written to.
    pub dirty: bool,
}

impl Mapped {
    pub(super) fn map(&self, n: usize) {
        self.folio.iter().for_each(|folio| folio.map(n));
    }

    pub(super) fn unmap(&self, n: usize) {
        self.folio.iter().for_each(|folio| folio.unmap(n));
    }

    /// Whether it maps a page of that folio.
    pub fn is_of(&self, id: FolioId) -> bool {
        self.folio.as_ref().is_some_and(|folio| folio.id() == id)
    }
}

/// What stands where a table of the lowest level can be.
#[derive(Clone, Debug)]
pub enum Slot {
    /// A table.
    Table,
    /// A huge page.
    Huge(Mapped),
    /// A huge page that is being moved.
    Moving,
}

/// An address space.
#[derive(Clone, Default)]
pub struct Space {
    /// The number of the address space.
    pub(super) mm: u64,
    /// The mappings, by address.
    pub vmas: Vec<Vma>,
    /// The tables, by the first address that they are for.
    pub slots: BTreeMap<usize, Slot>,
    /// Where a huge page covers several tables.
    pub puds: BTreeSet<usize>,
    /// The entries that are not empty, by address.
    pub entries: BTreeMap<usize, Pte>,
    /// The pages that are counted as in swap.
    pub swapped: usize,
    /// Changes when guard markers have come into the page tables.
    pub guard_seq: usize,
    /// Where a split was left although nothing differs, as there was no memory for the second one.
    pub scars: BTreeSet<usize>,
}

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(1) };
    static REGISTRY: RefCell<Vec<Weak<super::Inner>>> = const { RefCell::new(Vec::new()) };
}

/// A number that nothing else has.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.replace(NEXT_ID.get() + 1)
}

/// Forgets all address spaces and begins to count anew.
pub(crate) fn reset_registry() {
    REGISTRY.with_borrow_mut(Vec::clear);
    NEXT_ID.set(1);
}

/// All address spaces.
pub(crate) fn all() -> Vec<MmWithUser> {
    REGISTRY.with_borrow(|all| {
        all.iter()
            .filter_map(Weak::upgrade)
            .map(MmWithUser)
            .collect()
    })
}

impl MmWithUser {
    /// Makes an empty address space.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let id = next_id();
        let space = Space {
            mm: id,
            ..Space::default()
        };
        let inner = Rc::new(super::Inner {
            id,
            space: RefCell::new(space),
        });
        REGISTRY.with_borrow_mut(|all| all.push(Rc::downgrade(&inner)));
        Self(inner)
    }
}

/// The first address of the table that has the entry for `addr`.
pub fn table_base(addr: usize) -> usize {
    addr & !(TABLE_SIZE - 1)
}

impl Space {
    /// Finds the first VMA that ends above `addr`.
    pub fn find(&self, addr: usize) -> Option<&Vma> {
        self.vmas.iter().find(|vma| addr < vma.end)
    }

    /// Finds the VMA that has `addr`.
    pub fn lookup(&self, addr: usize) -> Option<&Vma> {
        self.find(addr).filter(|vma| vma.start <= addr)
    }

    /// The VMA of a number.
    pub fn vma(&self, id: u64) -> Option<&Vma> {
        self.vmas.iter().find(|vma| vma.id == id)
    }

    pub(super) fn index_of(&self, id: u64) -> usize {
        let index = self.vmas.iter().position(|vma| vma.id == id);
        index.expect("a VMA is used after it is gone")
    }

    /// Writes flags, which takes both write locks. Those that are sticky stay.
    #[track_caller]
    pub(super) fn set_flags(&mut self, id: u64, flags: VmFlags) {
        self.require_write_locked(id);
        let index = self.index_of(id);
        let old = &mut self.vmas[index].flags;
        *old = flags | (*old & VmFlags::STICKY);
    }

    /// Takes flags away, sticky ones, too.
    #[track_caller]
    pub(super) fn clear_flags(&mut self, id: u64, flags: VmFlags) {
        self.require_write_locked(id);
        let index = self.index_of(id);
        let old = &mut self.vmas[index].flags;
        *old = *old - flags;
    }

    #[track_caller]
    pub(super) fn require_write_locked(&self, id: u64) {
        let mm = self.mm;
        let both = locks::holds(Lock::MmapWrite(mm)) && locks::holds(Lock::VmaWrite(mm, id));
        locks::require(both, || {
            format!("VMA {id} is changed without both write locks")
        });
    }

    /// Writes an entry of a locked table.
    #[track_caller]
    pub(super) fn write_entry(&mut self, addr: usize, entry: Option<Pte>) {
        let table = Lock::Table(self.mm, table_base(addr));
        locks::require(locks::holds(table), || {
            format!("the entry for {addr:#x} is not locked")
        });
        if let Some(Pte::Guard) = &entry {
            self.require_flag(addr);
        }
        self.put_entry(addr, entry);
    }

    /// Panics when a VMA does not say that it may have a marker.
    #[track_caller]
    pub(super) fn require_flag(&self, addr: usize) {
        if let Some(vma) = self.lookup(addr) {
            locks::require(vma.flags.intersects(VmFlags::MAYBE_GUARD), || {
                format!("the marker for {addr:#x} comes before the flag")
            });
        }
    }

    /// Puts an entry in the place of another, and corrects what is counted.
    pub(super) fn put_entry(&mut self, addr: usize, entry: Option<Pte>) {
        if let Some(Pte::Page(mapped)) = self.entries.remove(&addr) {
            mapped.unmap(1);
        }
        if let Some(entry) = entry {
            match &entry {
                Pte::Page(mapped) => mapped.map(1),
                Pte::Guard => self.guard_seq += 1,
                _ => (),
            }
            self.entries.insert(addr, entry);
        }
    }

    /// Puts a table in place unless there is one.
    pub(super) fn make_table(&mut self, addr: usize) {
        self.slots.entry(table_base(addr)).or_insert(Slot::Table);
    }

    /// Puts an entry into a VMA, with the table for it: for the tests.
    pub fn install(&mut self, addr: usize, entry: Pte) {
        self.make_table(addr);
        if let Pte::Swap(_) = entry {
            self.swapped += 1;
        }
        self.put_entry(addr, Some(entry));
    }

    /// Empties an entry: for the tests.
    pub fn forget(&mut self, addr: usize) {
        if let Some(Pte::Swap(_)) = self.entries.get(&addr) {
            self.swapped -= 1;
        }
        self.put_entry(addr, None);
    }

    /// Puts a huge page in the place of an empty table: for the tests.
    pub fn install_huge(&mut self, base: usize, mapped: Mapped) {
        assert!(self.entries.range(base..base + TABLE_SIZE).next().is_none());
        mapped.map(TABLE_PAGES);
        self.slots.insert(base, Slot::Huge(mapped));
    }

    /// The addresses of the guards.
    pub fn guards(&self) -> impl Iterator<Item = usize> + '_ {
        self.entries
            .iter()
            .filter(|(_, entry)| matches!(entry, Pte::Guard))
            .map(|(addr, _)| *addr)
    }

    /// The addresses of the pages in a range.
    pub fn pages(start: usize, end: usize) -> impl Iterator<Item = usize> {
        (start..end).step_by(PAGE_SIZE)
    }
}
