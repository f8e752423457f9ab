// SPDX-License-Identifier: GPL-2.0

//! A locked huge page is borrowed exclusively.
//!
//! error: E0499

use kernel::mm::{page_table::HugePage, virt::VmaRef};

/// Tries it.
pub fn attempt(page: &mut HugePage<'_, VmaRef>) {
    let locked = page.lock();
    let table = page.as_table().lock(0);
    drop((locked, table));
}
