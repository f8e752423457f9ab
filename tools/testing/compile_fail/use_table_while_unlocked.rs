// SPDX-License-Identifier: GPL-2.0

//! While a table is unlocked for a moment, nothing is left of its entries.
//!
//! error: E0505

use kernel::mm::{
    page_table::{Entries, Entry, MappedFolio},
    virt::VmaRef,
};

/// Tries it.
pub fn attempt(mut entries: Entries<'_, VmaRef>) {
    let Some(Entry::Present(entry)) = entries.next_entry() else {
        return;
    };
    if let Some(MappedFolio::Part(part)) = entry.into_folio() {
        entries.unlocked(|| part.addr());
    }
}
