// SPDX-License-Identifier: GPL-2.0

//! Memory is freed lazily only where it is anonymous, and secondary MMUs know.
//!
//! error: E0599

use kernel::mm::{page_table::WholeFolio, tlb::VmaGather};

/// Tries it.
pub fn attempt(folio: WholeFolio<'_, VmaGather<'_>>) {
    folio.free_lazily();
}
