// SPDX-License-Identifier: GPL-2.0

//! Large folios of which only a part is in the range of advice.

use kernel::{
    mm::folio::{FolioRef, LockedFolio},
    mm::page_table::FolioEntries,
    page::PAGE_SIZE,
};

/// Locks a folio, a part of which `entries` map, to split it. `None` when it is to be left alone:
/// others may have it mapped, have it locked, or it is of a file and only anonymous memory is
/// wanted.
///
/// C: in `madvise_free_pte_range()` and `madvise_cold_or_pageout_pte_range()` of `mm/madvise.c`.
#[inline(always)]
pub(super) fn lock_to_split<V>(
    entries: FolioEntries<'_, V>,
    anonymous_only: bool,
) -> Option<Split> {
    let folio = entries.folio();
    if folio.maybe_mapped_shared() || (anonymous_only && !folio.is_anon()) {
        return None;
    }
    Some(Split {
        folio: folio.try_lock()?.into_owned(),
        addr: entries.addr(),
        nr_pages: entries.len(),
    })
}

/// The split of a locked folio, which `nr_pages` entries from `addr` on map in part.
pub(super) struct Split {
    folio: LockedFolio<FolioRef>,
    addr: usize,
    nr_pages: usize,
}

impl Split {
    /// Splits the folio; may sleep. Returns the address from which to go on: that of the first
    /// page, so that the pages are looked at one by one, or that behind them when the folio cannot
    /// be split.
    #[inline(never)]
    pub(super) fn run(self) -> usize {
        if self.folio.split().is_err() {
            return self.addr + self.nr_pages * PAGE_SIZE;
        }
        self.addr
    }
}
