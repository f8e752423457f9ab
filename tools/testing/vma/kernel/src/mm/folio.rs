// SPDX-License-Identifier: GPL-2.0

//! Folios: the memory that page tables map.

use super::space::{all, next_id, FolioId, Mapped, Pte, Slot};
use crate::{
    error::{code::EBUSY, Result},
    locks::{self, Lock},
    model,
};
use core::{ops::Deref, pin::Pin};
use std::{cell::Cell, rc::Rc};

/// One or more pages that mm handles as one.
#[derive(Clone)]
pub struct Folio(Rc<State>);

impl core::fmt::Debug for Folio {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "folio {}", self.id())
    }
}

/// What is known of a folio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct State {
    pub id: FolioId,
    pub nr: usize,
    pub anon: bool,
    pub device: bool,
    pub lru: Cell<bool>,
    pub active: Cell<bool>,
    pub unevictable: Cell<bool>,
    pub swap_cache: Cell<bool>,
    pub dirty: Cell<bool>,
    pub referenced: Cell<bool>,
    /// For those who track idle pages.
    pub young: Cell<bool>,
    pub workingset: Cell<bool>,
    pub lazyfree: Cell<bool>,
    pub deactivated: Cell<bool>,
    pub mapcount: Cell<usize>,
    /// Whether another address space maps a part of it, which this model does not have.
    pub shared: Cell<bool>,
    /// Whether another thread has it locked.
    pub locked_elsewhere: Cell<bool>,
    /// Whether it has other references, so that it cannot be split or taken out of swap.
    pub pinned: Cell<bool>,
}

impl Folio {
    /// Makes a folio of anonymous memory.
    pub fn new_anon(nr: usize) -> Self {
        Self::new(State {
            nr,
            anon: true,
            ..State::default()
        })
    }

    /// Makes a folio of a file.
    pub fn new_file(nr: usize) -> Self {
        Self::new(State {
            nr,
            ..State::default()
        })
    }

    /// Makes a folio of memory of a device.
    pub fn new_device() -> Self {
        Self::new(State {
            nr: 1,
            device: true,
            ..State::default()
        })
    }

    fn new(state: State) -> Self {
        let state = State {
            id: next_id(),
            ..state
        };
        state.lru.set(!state.device);
        Self(Rc::new(state))
    }

    /// Its number.
    pub fn id(&self) -> FolioId {
        self.0.id
    }

    /// What is known of it.
    pub fn state(&self) -> &State {
        &self.0
    }

    pub(in crate::mm) fn map(&self, n: usize) {
        self.0.mapcount.set(self.0.mapcount.get() + n);
    }

    pub(in crate::mm) fn unmap(&self, n: usize) {
        let left = self.0.mapcount.get().checked_sub(n);
        self.0
            .mapcount
            .set(left.expect("a folio is unmapped more often than mapped"));
    }

    /// Whether this is memory of a device.
    pub fn is_zone_device(&self) -> bool {
        self.0.device
    }

    /// Whether it has more than one page.
    pub fn is_large(&self) -> bool {
        self.0.nr > 1
    }

    /// Whether more than one address space may map it.
    pub fn maybe_mapped_shared(&self) -> bool {
        self.0.shared.get() || self.0.mapcount.get() > self.0.nr
    }

    /// Whether it is anonymous memory.
    pub fn is_anon(&self) -> bool {
        self.0.anon
    }

    /// Whether it is on a list of reclaim.
    pub fn is_on_lru(&self) -> bool {
        self.0.lru.get()
    }

    /// Whether it counts as active.
    pub fn is_active(&self) -> bool {
        self.0.active.get()
    }

    /// Whether it has a place in swap.
    pub fn is_in_swap_cache(&self) -> bool {
        self.0.swap_cache.get()
    }

    /// Whether it must be written before it can be dropped.
    pub fn is_dirty(&self) -> bool {
        self.0.dirty.get()
    }

    /// Remembers that it was part of the working set.
    pub fn set_workingset(&self) {
        self.0.workingset.set(true);
    }

    /// Forgets that it was referenced.
    pub fn clear_referenced(&self) {
        self.0.referenced.set(false);
    }

    /// Forgets for the tracking of idle pages that it was referenced.
    pub fn test_clear_young(&self) -> bool {
        self.0.young.replace(false)
    }

    /// Makes it a candidate for reclaim.
    pub fn deactivate(&self) {
        self.0.active.set(false);
        self.0.deactivated.set(true);
    }

    /// Lets reclaim drop it.
    pub fn mark_lazyfree(&self) {
        if self.0.anon && !self.0.swap_cache.get() && !self.0.unevictable.get() {
            self.0.lazyfree.set(true);
        }
    }

    /// The number of pages.
    pub fn nr_pages(&self) -> usize {
        self.0.nr
    }

    /// Whether each of its pages is mapped once on average.
    pub fn is_mapped_once_per_page(&self) -> bool {
        self.0.mapcount.get() + usize::from(self.0.shared.get()) == self.0.nr
    }

    /// Locks it unless someone else has it locked.
    #[track_caller]
    pub fn try_lock(&self) -> Option<LockedFolio<&Self>> {
        if self.0.locked_elsewhere.get() {
            return None;
        }
        locks::try_acquire(Lock::Folio(self.id()));
        Some(LockedFolio::new(self))
    }

    /// Makes folios of one page of it, wherever it is mapped.
    fn split(&self) -> Result {
        if self.0.pinned.get() {
            return Err(EBUSY);
        }
        for mm in all() {
            mm.with(|space| {
                let huge = |slot: &Slot| match slot {
                    Slot::Huge(Mapped {
                        folio: Some(folio), ..
                    }) => folio.id() == self.id(),
                    _ => false,
                };
                let bases: Vec<usize> = space
                    .slots
                    .iter()
                    .filter(|(_, slot)| huge(slot))
                    .map(|(base, _)| *base)
                    .collect();
                bases.into_iter().for_each(|base| space.split_huge(base));
            });
        }
        let pages: Vec<Self> = (0..self.0.nr)
            .map(|_| {
                Self::new(State {
                    nr: 1,
                    mapcount: Cell::new(0),
                    ..(*self.0).clone()
                })
            })
            .collect();
        for mm in all() {
            mm.with(|space| {
                for entry in space.entries.values_mut() {
                    let Pte::Page(mapped) = entry else { continue };
                    if mapped
                        .folio
                        .as_ref()
                        .is_some_and(|folio| folio.id() == self.id())
                    {
                        let page = pages[mapped.index].clone();
                        page.map(1);
                        self.unmap(1);
                        *mapped = Mapped {
                            folio: Some(page),
                            index: 0,
                            ..mapped.clone()
                        };
                    }
                }
            });
        }
        Ok(())
    }
}

/// A locked folio.
pub struct LockedFolio<F: Deref<Target = Folio>> {
    folio: Option<F>,
    id: FolioId,
}

impl<F: Deref<Target = Folio>> LockedFolio<F> {
    fn new(folio: F) -> Self {
        Self {
            id: folio.id(),
            folio: Some(folio),
        }
    }

    fn state(&self) -> &State {
        self.folio.as_ref().expect("it is locked").state()
    }

    /// Lets the content be lost. Returns whether that was possible.
    pub(super) fn discard(&self) -> bool {
        let state = self.state();
        if !state.anon || (state.swap_cache.get() && state.pinned.get()) {
            return false;
        }
        state.swap_cache.set(false);
        state.dirty.set(false);
        true
    }
}

impl LockedFolio<&Folio> {
    /// Takes a reference.
    pub fn into_owned(mut self) -> LockedFolio<FolioRef> {
        let folio = self.folio.take().expect("it is locked");
        LockedFolio::new(FolioRef(folio.clone()))
    }
}

/// A reference to a folio.
pub struct FolioRef(Folio);

impl Deref for FolioRef {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        &self.0
    }
}

impl LockedFolio<FolioRef> {
    /// Splits a large folio into single pages; may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it is in use: the folio is as before then.
    #[track_caller]
    pub fn split(self) -> Result {
        locks::might_sleep("to split a folio");
        self.folio.as_ref().expect("it is locked").split()
    }
}

impl<F: Deref<Target = Folio>> Drop for LockedFolio<F> {
    fn drop(&mut self) {
        if self.folio.is_some() {
            locks::release(Lock::Folio(self.id));
        }
    }
}

/// A list of folios that were isolated from the lists of reclaim, to be reclaimed together.
pub struct IsolatedFolios {
    list: Vec<Folio>,
}

impl IsolatedFolios {
    /// Hands an empty list to `collect` and reclaims what is on it afterwards, which may sleep.
    #[track_caller]
    pub fn reclaim<R>(collect: impl FnOnce(Pin<&mut Self>) -> R) -> R {
        let mut folios = Self { list: Vec::new() };
        let result = collect(Pin::new(&mut folios));
        locks::might_sleep("to reclaim pages");
        folios.list.iter().for_each(reclaim);
        result
    }

    /// Takes a folio off its list of reclaim and adds it here.
    pub fn isolate(mut self: Pin<&mut Self>, folio: &Folio) {
        if folio.state().lru.get() && !folio.state().unevictable.get() {
            folio.state().lru.set(false);
            self.list.push(folio.clone());
        }
    }
}

/// Reclaims a folio: what was mapped is in swap, or in its file only.
fn reclaim(folio: &Folio) {
    folio.state().lru.set(true);
    // Without swap there is no place for it.
    if folio.is_anon() && !cfg!(CONFIG_SWAP) {
        return;
    }
    model::log(model::Event::Reclaimed(folio.id()));
    for mm in all() {
        mm.with(|space| {
            let mapped = |entry: &Pte| match entry {
                Pte::Page(Mapped {
                    folio: Some(other), ..
                }) => other.id() == folio.id(),
                _ => false,
            };
            let addrs: Vec<usize> = space
                .entries
                .iter()
                .filter(|(_, entry)| mapped(entry))
                .map(|(addr, _)| *addr)
                .collect();
            for addr in addrs {
                space.put_entry(addr, None);
                if folio.is_anon() {
                    space.install(addr, Pte::Swap(addr));
                }
            }
        });
    }
}

/// Puts the folios that this processor has set aside on the lists of reclaim.
#[track_caller]
pub fn lru_add_drain() {
    locks::might_sleep("to drain the lists of reclaim");
}
