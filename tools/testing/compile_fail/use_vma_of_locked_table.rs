// SPDX-License-Identifier: GPL-2.0

//! The VMA of a page table, whose methods may sleep, is out of reach while the table is locked.
//!
//! error: E0502

use kernel::mm::{page_table::Table, virt::VmaRef};

/// Tries it.
pub fn attempt(table: &mut Table<'_, VmaRef>) {
    let entries = table.lock(0);
    table.vma().userfaultfd_armed();
    drop(entries);
}
