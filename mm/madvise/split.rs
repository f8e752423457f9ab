// SPDX-License-Identifier: GPL-2.0

//! Large folios of which only a part is in the range of advice.

use kernel::{
    mm::folio::{Folio, LockedFolio},
    mm::page_table::{Entries, Table},
    mm::tlb::VmaGather,
    page::PAGE_SIZE,
    types::ARef,
};

/// Splits a folio that `n` entries of `table`, from `addr` on, map in part, and locks the table: at
/// `addr`, so that its pages can be looked at one by one, or behind these entries when the folio
/// cannot be split; `None` when the table ends there, or is gone. The table must not be locked, as a split may sleep.
#[inline(never)]
pub(super) fn split_and_lock<'t, 'v>(
    folio: LockedFolio<ARef<Folio>>,
    table: &'t Table<'t, VmaGather<'v>>,
    addr: usize,
    n: usize,
) -> Option<Entries<'t, VmaGather<'v>>> {
    let next = match folio.split() {
        Ok(()) => addr,
        Err(_) => addr + n * PAGE_SIZE,
    };
    table.lock(next)
}
