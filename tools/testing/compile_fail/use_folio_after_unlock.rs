// SPDX-License-Identifier: GPL-2.0

//! A folio that was found in a page table is kept by the lock of the table.
//!
//! error: E0505

use kernel::mm::{
    page_table::{Entries, Entry, MappedFolio},
    virt::VmaRef,
};

/// Tries it.
pub fn attempt(mut entries: Entries<'_, VmaRef>) -> bool {
    let Some(Entry::Present(entry)) = entries.next_entry() else {
        return false;
    };
    let Some(MappedFolio::Small(whole)) = entry.into_folio() else {
        return false;
    };
    let folio = whole.folio();
    drop(entries);
    folio.is_large()
}
