// SPDX-License-Identifier: GPL-2.0

//! Entries of a locked page table that map a folio, or a part of it.

use super::{
    entry::{Place, PresentEntry},
    Walkable, PAGE_SIZE,
};
use crate::mm::{
    folio::Folio,
    space::{Mapped, Pte},
    tlb::{AnonGather, VmaGather},
};

/// The folio that a present entry maps, by how much of it the table maps.
pub enum MappedFolio<'e, V> {
    /// All of a folio of one page.
    Small(WholeFolio<'e, V>),
    /// All of a large folio.
    Large(WholeFolio<'e, V>),
    /// A part of a large folio.
    Part(FolioEntries<'e, V>),
}

impl<'e, V: Walkable> PresentEntry<'e, V> {
    /// Gathers the entries from this one on that map pages of its folio in order. `None` when there is
    /// no folio that reclaim may handle.
    pub fn into_folio(self) -> Option<MappedFolio<'e, V>> {
        let (first, mut place) = (self.mapped(), self.0);
        let folio = first.folio.as_ref()?;
        if folio.is_zone_device() {
            return None;
        }
        let same = |next: &Mapped| next.folio.as_ref().is_some_and(|it| it.id() == folio.id());
        let batch: Vec<&Mapped> = place
            .rest
            .iter()
            .enumerate()
            .map_while(|(i, entry)| match entry {
                Some(Pte::Page(next)) if next.index == first.index + i && same(next) => Some(next),
                _ => None,
            })
            .collect();
        place.take(batch.len());
        let entries = FolioEntries {
            place,
            folio,
            n: batch.len(),
            young: batch.iter().any(|mapped| mapped.young),
            dirty: batch.iter().any(|mapped| mapped.dirty),
        };
        Some(if !folio.is_large() {
            MappedFolio::Small(WholeFolio(entries))
        } else if entries.n == folio.nr_pages() {
            MappedFolio::Large(WholeFolio(entries))
        } else {
            MappedFolio::Part(entries)
        })
    }
}

/// Entries in a row that map pages of one folio in order.
pub struct FolioEntries<'e, V> {
    place: Place<'e, V>,
    folio: &'e Folio,
    n: usize,
    young: bool,
    dirty: bool,
}

impl<'e, V> FolioEntries<'e, V> {
    /// The address that the first entry is for.
    pub fn addr(&self) -> usize {
        self.place.addr
    }

    /// The number of entries.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.n
    }

    /// The folio.
    pub fn folio(&self) -> &'e Folio {
        self.folio
    }
}

/// Entries that map all of a folio.
pub struct WholeFolio<'e, V>(FolioEntries<'e, V>);

impl<'e, V> WholeFolio<'e, V> {
    /// The folio.
    pub fn folio(&self) -> &'e Folio {
        self.0.folio
    }

    /// Whether nobody else has the folio mapped.
    pub fn is_mapped_once(&self) -> bool {
        self.0.folio.is_mapped_once_per_page()
    }

    /// Whether the accessed bit of an entry is set.
    pub fn is_young(&self) -> bool {
        self.0.young
    }
}

impl WholeFolio<'_, VmaGather<'_>> {
    /// Clears the accessed bits.
    #[track_caller]
    pub fn clear_young(self) {
        self.0.place.vma.flush(self.0.n, PAGE_SIZE);
        self.change(|mapped| mapped.young = false);
    }
}

impl<V: Walkable> WholeFolio<'_, V> {
    #[track_caller]
    fn change(self, change: impl Fn(&mut Mapped)) {
        let FolioEntries { place, n, .. } = self.0;
        for (index, entry) in place.rest.iter().take(n).enumerate() {
            if let Some(Pte::Page(mapped)) = entry {
                let mut mapped = mapped.clone();
                change(&mut mapped);
                place.write(index, Some(Pte::Page(mapped)));
            }
        }
    }
}

impl WholeFolio<'_, AnonGather<'_>> {
    /// Lets reclaim drop the folio without writing it to swap, unless it is written to before.
    #[track_caller]
    pub fn free_lazily(self) {
        let folio = self.folio();
        if folio.is_in_swap_cache() || folio.is_dirty() {
            let Some(locked) = folio.try_lock() else {
                return;
            };
            if !folio.is_mapped_once_per_page() || !locked.discard() {
                return;
            }
        }
        if self.0.young || self.0.dirty {
            self.0.place.vma.flush(self.0.n, PAGE_SIZE);
            self.change(|mapped| (mapped.young, mapped.dirty) = (false, false));
        }
        folio.mark_lazyfree();
    }
}
