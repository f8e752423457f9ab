// SPDX-License-Identifier: GPL-2.0

//! Entries are looked at one at a time.
//!
//! error: E0499

use kernel::mm::{page_table::Entries, virt::VmaRef};

/// Tries it.
pub fn attempt(mut entries: Entries<'_, VmaRef>) {
    let first = entries.next_entry();
    let second = entries.next_entry();
    drop((first, second));
}
