// SPDX-License-Identifier: GPL-2.0

//! A locked page table is borrowed exclusively.
//!
//! error: E0499

use kernel::mm::{page_table::Table, virt::VmaRef};

/// Tries it.
pub fn attempt(table: &mut Table<'_, VmaRef>) {
    let first = table.lock(0);
    let second = table.lock(0);
    drop((first, second));
}
