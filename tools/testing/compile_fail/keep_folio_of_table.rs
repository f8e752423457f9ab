// SPDX-License-Identifier: GPL-2.0

//! A folio that was found in a page table is not kept for longer than the table is locked.
//!
//! error: E0597

use kernel::mm::{
    page_table::{Entry, MappedFolio, Table},
    virt::VmaRef,
};

/// Tries it.
pub fn attempt(table: &mut Table<'_, VmaRef>) -> bool {
    let mut kept = None;
    if let Some(mut entries) = table.lock(0) {
        if let Some(Entry::Present(entry)) = entries.next_entry() {
            if let Some(MappedFolio::Small(whole)) = entry.into_folio() {
                kept = Some(whole.folio());
            }
        }
    }
    kept.is_some_and(|folio| folio.is_large())
}
