// SPDX-License-Identifier: GPL-2.0

//! Pages in swap are dropped only where memory is anonymous, and secondary MMUs know.
//!
//! error: E0599

use kernel::mm::{page_table::SwappedEntry, tlb::VmaGather};

/// Tries it.
pub fn attempt(entry: SwappedEntry<'_, VmaGather<'_>>) {
    entry.free();
}
