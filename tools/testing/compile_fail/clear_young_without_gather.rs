// SPDX-License-Identifier: GPL-2.0

//! Accessed bits are cleared only where changes are collected for a flush of the TLBs.
//!
//! error: E0599

use kernel::mm::{page_table::WholeFolio, virt::VmaRef};

/// Tries it.
pub fn attempt(folio: WholeFolio<'_, VmaRef>) {
    folio.clear_young();
}
