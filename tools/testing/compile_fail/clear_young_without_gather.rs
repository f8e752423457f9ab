// SPDX-License-Identifier: GPL-2.0

//! What needs a flush of the TLBs is done only where it is collected.
//!
//! error: E0599

use kernel::mm::{page_table::PresentEntry, virt::VmaRef};

/// Tries it.
pub fn attempt(entry: PresentEntry<'_, VmaRef>) {
    entry.clear_young();
}
