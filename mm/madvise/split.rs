// SPDX-License-Identifier: GPL-2.0

//! Large folios of which only a part may be in the range of advice.

use kernel::{
    mm::folio::{Folio, LockedFolio},
    mm::page_table::{Entries, PresentEntry, Table},
    mm::tlb::VmaGather,
    page::PAGE_SIZE,
    types::ARef,
};

/// What is to be done with a large folio.
pub(super) enum Large<'e, 'v> {
    /// This number of entries from this one on map all of it.
    Whole(PresentEntry<'e, VmaGather<'v>>, usize),
    /// It is to be split.
    Part(Part),
    /// It is left alone, and so is this number of entries.
    Kept(usize),
}

impl<'e, 'v> Large<'e, 'v> {
    /// Looks at `folio`, a page of which `entry` maps. When the entries do not map all of it, it is
    /// left alone if others may have it mapped or have it locked, or if it is of a file and only
    /// anonymous memory is wanted.
    ///
    /// C: in `madvise_free_pte_range()` and `madvise_cold_or_pageout_pte_range()` of `mm/madvise.c`.
    #[inline(always)]
    pub(super) fn new(
        mut entry: PresentEntry<'e, VmaGather<'v>>,
        folio: &Folio,
        anonymous_only: bool,
    ) -> Self {
        let n = entry.batch();
        if n == folio.nr_pages() {
            return Self::Whole(entry, n);
        }
        if folio.maybe_mapped_shared() || (anonymous_only && !folio.is_anon()) {
            return Self::Kept(n);
        }
        match folio.try_lock() {
            Some(folio) => Self::Part(Part {
                folio: folio.into_owned(),
                addr: entry.addr(),
                n,
            }),
            None => Self::Kept(n),
        }
    }
}

/// A locked folio that `n` entries from `addr` on map in part.
pub(super) struct Part {
    folio: LockedFolio<ARef<Folio>>,
    addr: usize,
    n: usize,
}

impl Part {
    /// Splits the folio, for which `table` is unlocked, as that may sleep. Returns the entries from the
    /// first of these on, so that the pages can be looked at one by one, or those behind them when the
    /// folio cannot be split; `None` when the table ends there, or is gone.
    #[inline(always)]
    pub(super) fn split<'t, 'v>(
        self,
        table: &'t Table<'t, VmaGather<'v>>,
        entries: Entries<'t, VmaGather<'v>>,
    ) -> Option<Entries<'t, VmaGather<'v>>> {
        drop(entries);
        self.split_and_lock(table)
    }

    #[inline(never)]
    fn split_and_lock<'t, 'v>(
        self,
        table: &'t Table<'t, VmaGather<'v>>,
    ) -> Option<Entries<'t, VmaGather<'v>>> {
        let next = match self.folio.split() {
            Ok(()) => self.addr,
            Err(_) => self.addr + self.n * PAGE_SIZE,
        };
        table.lock(next)
    }
}
