// SPDX-License-Identifier: GPL-2.0

//! The entries of a locked page table, by what is in them.

use super::{Table, Walkable};
use crate::{
    locks::{self, Lock},
    mm::{
        folio::Folio,
        space::{Mapped, Pte, Slot},
        swap::SwapEntry,
        tlb::VmaGather,
        VmFlags, VmaMaybeGuard,
    },
    model,
    page::PAGE_SIZE,
};

impl<V: Walkable> Table<'_, V> {
    /// Maps and locks the table, for the part of its range from `addr` on; `None` when that is empty,
    /// or there is no table any more.
    #[track_caller]
    pub fn lock(&self, addr: usize) -> Option<Entries<'_, V>> {
        let range = self.range.clamp(addr, self.range.end())?;
        let vma = self.vma.vma();
        locks::might_sleep("to lock a second page table");
        if model::with_env(|env| env.faults.vanish.pop_front()) == Some(true) {
            self.vanish();
            return None;
        }
        if !vma.space(|space| matches!(space.slots.get(&self.base()), Some(Slot::Table))) {
            return None;
        }
        locks::acquire(self.lock_id());
        let (start, end) = (range.start(), range.end());
        let pages = vma.space(|space| {
            (start..end)
                .step_by(PAGE_SIZE)
                .map(|addr| space.entries.get(&addr).cloned())
                .collect()
        });
        Some(Entries {
            vma: self.vma,
            lock: self.lock_id(),
            start,
            pages,
            next: 0,
        })
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
pub struct Entries<'t, V> {
    vma: &'t V,
    lock: Lock,
    start: usize,
    pages: Vec<Option<Pte>>,
    next: usize,
}

impl<V: Walkable> Entries<'_, V> {
    fn addr(&self) -> usize {
        self.start + self.next * PAGE_SIZE
    }

    /// Passes over the rest of a batch of `n` entries, of which the first was returned last.
    pub fn skip_rest(&mut self, n: usize) {
        self.next = (self.next + n.saturating_sub(1)).min(self.pages.len());
    }

    /// The number of entries like these from the next on.
    fn run(&self, wanted: fn(&Option<Pte>) -> bool) -> usize {
        let rest = self.pages.get(self.next..).unwrap_or_default();
        rest.iter().take_while(|entry| wanted(entry)).count()
    }

    /// Takes the `n` entries from the next on.
    fn take(&mut self, n: usize) -> Place<'_, V> {
        let (addr, first) = (self.addr(), self.next);
        self.next += n;
        Place {
            vma: self.vma,
            addr,
            rest: &self.pages[first..first + n],
        }
    }

    /// The next entries that are alike, as far as an install goes; `None` at the end.
    pub fn next_run(&mut self) -> Option<Run<'_, V>> {
        let addr = self.addr();
        Some(match self.pages.get(self.next)? {
            None | Some(Pte::UffdWp) => {
                let n = self.run(|entry| matches!(entry, None | Some(Pte::UffdWp)));
                Run::Vacant(VacantRun(self.take(n)))
            }
            Some(Pte::Guard) => {
                let n = self.run(is_guard);
                self.take(n);
                Run::Guards
            }
            Some(_) => {
                self.take(1);
                Run::Other(addr)
            }
        })
    }

    /// The next guards in a row; `None` when there are none up to the end.
    pub fn next_guards(&mut self) -> Option<GuardRun<'_, V>> {
        self.next += self.run(|entry| !is_guard(entry));
        match self.run(is_guard) {
            0 => None,
            n => Some(GuardRun(self.take(n))),
        }
    }

    /// The next entry of a page in swap; `None` when there is none up to the end.
    pub fn next_swapped(&mut self) -> Option<SwappedEntry<'_, V>> {
        let rest = self.pages.get(self.next..)?;
        self.next += rest
            .iter()
            .take_while(|entry| !matches!(entry, Some(Pte::Swap(_))))
            .count();
        match self.next_entry()? {
            Entry::Swap(entry) => Some(entry),
            _ => None,
        }
    }

    /// The next entry; `None` at the end.
    pub fn next_entry(&mut self) -> Option<Entry<'_, V>> {
        let addr = self.addr();
        let rest = self
            .pages
            .get(self.next..)
            .filter(|rest| !rest.is_empty())?;
        self.next += 1;
        let place = Place {
            vma: self.vma,
            addr,
            rest,
        };
        Some(match &rest[0] {
            None => Entry::Empty,
            Some(Pte::Page(mapped)) => Entry::Present(PresentEntry {
                place,
                mapped,
                n: 1,
                young: mapped.young,
                dirty: mapped.dirty,
            }),
            Some(Pte::Swap(_)) => Entry::Swap(SwappedEntry(place)),
            Some(Pte::Guard) => Entry::Guard,
            Some(Pte::Poisoned) => Entry::Poisoned(PoisonedEntry(place)),
            Some(Pte::UffdWp | Pte::Migration) => Entry::Other,
        })
    }
}

impl<V> Drop for Entries<'_, V> {
    fn drop(&mut self) {
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
    /// What is left of memory that was lost.
    Poisoned(PoisonedEntry<'e, V>),
    /// A page that is being moved, or a marker of another kind.
    Other,
}

/// The place of an entry, and the entries from it on.
struct Place<'e, V> {
    vma: &'e V,
    addr: usize,
    rest: &'e [Option<Pte>],
}

impl<V: Walkable> Place<'_, V> {
    #[track_caller]
    fn write(&self, index: usize, entry: Option<Pte>) {
        let addr = self.addr + index * PAGE_SIZE;
        self.vma.vma().space(|space| space.write_entry(addr, entry));
    }
}

fn is_guard(entry: &Option<Pte>) -> bool {
    matches!(entry, Some(Pte::Guard))
}

/// Entries in a row that are alike, as far as an install goes.
pub enum Run<'e, V> {
    /// Entries that hold no memory.
    Vacant(VacantRun<'e, V>),
    /// Entries with guard markers.
    Guards,
    /// An entry that holds memory, or what is left of it, at this address.
    Other(usize),
}

/// Entries in a row that hold no memory.
pub struct VacantRun<'e, V>(Place<'e, V>);

impl VacantRun<'_, VmaMaybeGuard<'_>> {
    /// Puts guard markers in.
    #[track_caller]
    pub fn install_guards(self) {
        (0..self.0.rest.len()).for_each(|index| self.0.write(index, Some(Pte::Guard)));
    }
}

/// Guard markers in a row.
pub struct GuardRun<'e, V>(Place<'e, V>);

impl<V: Walkable> GuardRun<'_, V> {
    /// Takes the markers away.
    #[track_caller]
    pub fn remove(self) {
        (0..self.0.rest.len()).for_each(|index| self.0.write(index, None));
    }
}

/// An entry that maps a page frame, or a batch of some that map pages of one folio in order.
pub struct PresentEntry<'e, V> {
    place: Place<'e, V>,
    mapped: &'e Mapped,
    n: usize,
    young: bool,
    dirty: bool,
}

impl<'e, V: Walkable> PresentEntry<'e, V> {
    /// The folio that is mapped, if it is memory that reclaim may handle.
    pub fn folio(&self) -> Option<&'e Folio> {
        self.mapped
            .folio
            .as_ref()
            .filter(|folio| !folio.is_zone_device())
    }

    /// The address that the entry is for.
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// Makes this a batch of the entries that map pages of its folio in order; returns their number.
    pub fn batch(&mut self) -> usize {
        let Some(folio) = self.folio() else {
            return self.n;
        };
        let batch: Vec<&Mapped> = self
            .place
            .rest
            .iter()
            .enumerate()
            .map_while(|(i, entry)| match entry {
                Some(Pte::Page(next))
                    if next.index == self.mapped.index + i
                        && next
                            .folio
                            .as_ref()
                            .is_some_and(|next| next.id() == folio.id()) =>
                {
                    Some(next)
                }
                _ => None,
            })
            .collect();
        self.n = batch.len();
        self.young = batch.iter().any(|mapped| mapped.young);
        self.dirty = batch.iter().any(|mapped| mapped.dirty);
        self.n
    }

    /// Whether the page was used.
    pub fn is_young(&self) -> bool {
        self.young
    }

    /// Whether the page was written to.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }
}

impl PresentEntry<'_, VmaGather<'_>> {
    /// Forgets that the pages were used.
    #[track_caller]
    pub fn clear_young(self) {
        self.change(|mapped| mapped.young = false);
    }

    /// Forgets that the pages were used and written to.
    #[track_caller]
    pub fn clear_young_dirty(self) {
        self.change(|mapped| (mapped.young, mapped.dirty) = (false, false));
    }

    #[track_caller]
    fn change(self, change: impl Fn(&mut Mapped)) {
        self.place.vma.flush(self.n, false);
        for (index, entry) in self.place.rest.iter().take(self.n).enumerate() {
            if let Some(Pte::Page(mapped)) = entry {
                let mut mapped = mapped.clone();
                change(&mut mapped);
                self.place.write(index, Some(Pte::Page(mapped)));
            }
        }
    }
}

/// An entry of a page that is in swap.
pub struct SwappedEntry<'e, V>(Place<'e, V>);

impl<V: Walkable> SwappedEntry<'_, V> {
    /// The address that the entry is for.
    pub fn addr(&self) -> usize {
        self.0.addr
    }

    /// The place in swap.
    pub fn entry(&self) -> SwapEntry {
        match self.0.rest[0] {
            Some(Pte::Swap(place)) => SwapEntry(place),
            _ => unreachable!("it is in swap"),
        }
    }
}

impl SwappedEntry<'_, VmaGather<'_>> {
    /// Drops the content of this page and of those behind it that follow each other in swap, too.
    /// Returns their number. The caller corrects the counter of the address space.
    #[track_caller]
    pub fn free(self) -> usize {
        let SwapEntry(first) = self.entry();
        self.0.vma.flush(0, false);
        let n = self
            .0
            .rest
            .iter()
            .enumerate()
            .take_while(|(i, entry)| {
                matches!(entry, Some(Pte::Swap(place)) if *place == first + i * PAGE_SIZE)
            })
            .count();
        (0..n).for_each(|index| self.0.write(index, None));
        n
    }
}

/// An entry that stands for memory that was lost.
pub struct PoisonedEntry<'e, V>(Place<'e, V>);

impl PoisonedEntry<'_, VmaGather<'_>> {
    /// Forgets the loss.
    #[track_caller]
    pub fn clear(self) {
        self.0.vma.flush(0, false);
        self.0.write(0, None);
    }
}
