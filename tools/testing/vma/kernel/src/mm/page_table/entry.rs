// SPDX-License-Identifier: GPL-2.0

//! The entries of a locked page table, by what is in them.

use super::{Table, Walkable, PAGE_SIZE};
use crate::{
    locks::{self, Lock},
    mm::{
        space::{Mapped, Pte, Slot},
        swap::SwapEntry,
        tlb::AnonGather,
        VmFlags,
    },
    model,
};

impl<V: Walkable> Table<'_, V> {
    /// Maps and locks the table, for the part of its range from `addr` on; `None` when that is empty,
    /// or there is no table any more.
    #[track_caller]
    pub fn lock(&mut self, addr: usize) -> Option<Entries<'_, V>> {
        Entries::lock(self, addr)
    }

    /// Lets khugepaged free the table, as far as it may: without what no page fault brings back.
    fn vanish(&self) {
        let (vma, base) = (self.vma.vma(), self.base());
        if vma.vm_flags().intersects(VmFlags::MAYBE_GUARD) || vma.is_anonymous() {
            return;
        }
        vma.space(|space| {
            let table = base..base + crate::page::TABLE_SIZE;
            let of_file = |entry: &Pte| match entry {
                Pte::Page(Mapped {
                    folio: Some(folio), ..
                }) => !folio.is_anon(),
                _ => false,
            };
            if space
                .entries
                .range(table.clone())
                .all(|(_, entry)| of_file(entry))
            {
                let addrs: Vec<usize> = space.entries.range(table).map(|(addr, _)| *addr).collect();
                addrs
                    .into_iter()
                    .for_each(|addr| space.put_entry(addr, None));
                space.slots.remove(&base);
            }
        });
    }
}

/// The entries of a locked page table, from one on to the end of the range of the walk.
pub struct Entries<'t, V: Walkable> {
    table: &'t Table<'t, V>,
    lock: Lock,
    start: usize,
    pages: Vec<Option<Pte>>,
    /// The entry that was returned last, and the one behind what was taken.
    last: usize,
    next: usize,
    freed_swap: usize,
}

impl<'t, V: Walkable> Entries<'t, V> {
    #[track_caller]
    fn lock(table: &'t Table<'t, V>, addr: usize) -> Option<Self> {
        let range = table.range.clamp(addr, table.range.end())?;
        let vma = table.vma.vma();
        locks::might_sleep("to lock a second page table");
        table.vma.change_page_size(PAGE_SIZE);
        if model::with_env(|env| env.faults.vanish.pop_front()) == Some(true) {
            table.vanish();
            return None;
        }
        if !vma.space(|space| matches!(space.slots.get(&table.base()), Some(Slot::Table))) {
            return None;
        }
        locks::acquire(table.lock_id());
        let (start, end) = (range.start(), range.end());
        let pages = vma.space(|space| {
            (start..end)
                .step_by(PAGE_SIZE)
                .map(|addr| space.entries.get(&addr).cloned())
                .collect()
        });
        Some(Self {
            table,
            lock: table.lock_id(),
            start,
            pages,
            last: 0,
            next: 0,
            freed_swap: 0,
        })
    }

    /// Unlocks the table while `work` runs, and locks it again from the address on that `work` returns.
    #[track_caller]
    pub fn unlocked(self, work: impl FnOnce() -> usize) -> Option<Self> {
        let table = self.table;
        drop(self);
        Self::lock(table, work())
    }

    /// The address that the present entry is for.
    pub fn addr(&self) -> usize {
        self.start + self.last * PAGE_SIZE
    }

    pub(in crate::mm) fn next_addr(&self) -> usize {
        self.start + self.next * PAGE_SIZE
    }

    /// The next entry; `None` at the end.
    pub(in crate::mm) fn first(&self) -> Option<&Option<Pte>> {
        self.pages.get(self.next)
    }

    /// The number of entries like these from the next on.
    pub(in crate::mm) fn run(&self, wanted: fn(&Option<Pte>) -> bool) -> usize {
        let rest = self.pages.get(self.next..).unwrap_or_default();
        rest.iter().take_while(|entry| wanted(entry)).count()
    }

    /// Takes the `n` entries from the next on.
    pub(in crate::mm) fn take(&mut self, n: usize) -> Places<'_, V> {
        let addr = self.next_addr();
        self.last = self.next;
        self.next += n;
        Places {
            vma: self.table.vma,
            addr,
            n,
        }
    }

    /// The next entry of a page in swap; `None` when there is none up to the end.
    pub fn next_swapped(&mut self) -> Option<SwappedEntry<'_, V>> {
        self.next += self.run(|entry| !matches!(entry, Some(Pte::Swap(_))));
        match self.next_entry()? {
            Entry::Swap(entry) => Some(entry),
            _ => None,
        }
    }

    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> Option<Entry<'_, V>> {
        let addr = self.next_addr();
        let rest = self
            .pages
            .get(self.next..)
            .filter(|rest| !rest.is_empty())?;
        self.last = self.next;
        self.next += 1;
        let place = Place {
            vma: self.table.vma,
            addr,
            rest,
            next: &mut self.next,
        };
        Some(match &rest[0] {
            None => Entry::Empty,
            Some(Pte::Page(_)) => Entry::Present(PresentEntry(place)),
            Some(Pte::Swap(_)) => Entry::Swap(SwappedEntry {
                place,
                freed: &mut self.freed_swap,
            }),
            Some(Pte::Guard) => Entry::Guard,
            Some(Pte::Poisoned) => Entry::Poisoned(PoisonedEntry(place)),
            Some(Pte::UffdWp | Pte::Migration) => Entry::Other,
        })
    }
}

impl<V: Walkable> Drop for Entries<'_, V> {
    fn drop(&mut self) {
        self.table.vma.vma().mm().sub_swapents(self.freed_swap);
        locks::release(self.lock);
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
    /// A page under migration, or a marker of another kind.
    Other,
}

/// The place of an entry, and the entries from it on.
pub(super) struct Place<'e, V> {
    pub(super) vma: &'e V,
    pub(super) addr: usize,
    pub(super) rest: &'e [Option<Pte>],
    /// The number of the next entry.
    pub(super) next: &'e mut usize,
}

impl<V: Walkable> Place<'_, V> {
    #[track_caller]
    pub(super) fn write(&self, index: usize, entry: Option<Pte>) {
        let addr = self.addr + index * PAGE_SIZE;
        self.vma.vma().space(|space| space.write_entry(addr, entry));
    }

    /// Passes over `n` entries from this one on.
    pub(super) fn take(&mut self, n: usize) {
        *self.next += n - 1;
    }
}

/// The place of entries in a row.
pub(in crate::mm) struct Places<'e, V> {
    vma: &'e V,
    addr: usize,
    n: usize,
}

impl<V: Walkable> Places<'_, V> {
    pub(in crate::mm) fn len(&self) -> usize {
        self.n
    }

    #[track_caller]
    pub(in crate::mm) fn write(&self, index: usize, entry: Option<Pte>) {
        let addr = self.addr + index * PAGE_SIZE;
        self.vma.vma().space(|space| space.write_entry(addr, entry));
    }
}

/// An entry that maps a page frame.
pub struct PresentEntry<'e, V>(pub(super) Place<'e, V>);

impl<'e, V> PresentEntry<'e, V> {
    /// The address that the entry is for.
    pub fn addr(&self) -> usize {
        self.0.addr
    }

    pub(super) fn mapped(&self) -> &'e Mapped {
        match &self.0.rest[0] {
            Some(Pte::Page(mapped)) => mapped,
            _ => unreachable!("it is present"),
        }
    }
}

/// An entry of a page that is in swap.
pub struct SwappedEntry<'e, V> {
    place: Place<'e, V>,
    freed: &'e mut usize,
}

impl<V> SwappedEntry<'_, V> {
    /// The address that the entry is for.
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// The place in swap.
    pub fn entry(&self) -> SwapEntry {
        match self.place.rest[0] {
            Some(Pte::Swap(place)) => SwapEntry(place),
            _ => unreachable!("it is in swap"),
        }
    }
}

impl SwappedEntry<'_, AnonGather<'_>> {
    /// Drops the content of this page and of those behind it that follow each other in swap.
    #[track_caller]
    pub fn free(mut self) {
        let SwapEntry(first) = self.entry();
        self.place.vma.flush(0, PAGE_SIZE);
        let n = self
            .place
            .rest
            .iter()
            .enumerate()
            .take_while(|(i, entry)| {
                matches!(entry, Some(Pte::Swap(place)) if *place == first + i * PAGE_SIZE)
            })
            .count();
        (0..n).for_each(|index| self.place.write(index, None));
        self.place.take(n);
        *self.freed += n;
    }
}

/// An entry that stands for memory that was lost.
pub struct PoisonedEntry<'e, V>(Place<'e, V>);

impl PoisonedEntry<'_, AnonGather<'_>> {
    /// Forgets the loss.
    #[track_caller]
    pub fn clear(self) {
        self.0.vma.flush(0, PAGE_SIZE);
        self.0.write(0, None);
    }
}
