// SPDX-License-Identifier: GPL-2.0

//! The lock of a folio that was found in a page table does not outlive the lock of the table.
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
    let Some(MappedFolio::Small(whole)) = entry.into_folio() else {
        return;
    };
    let locked = whole.folio().try_lock();
    drop(entries);
    drop(locked);
}
