// SPDX-License-Identifier: GPL-2.0

//! The VMA of a page table is not kept for the time when the table is locked.
//!
//! error: E0502

use kernel::mm::{page_table::Table, virt::VmaRef};

/// Tries it.
pub fn attempt(table: &mut Table<'_, VmaRef>) {
    let vma = table.vma();
    let entries = table.lock(0);
    vma.userfaultfd_armed();
    drop(entries);
}
