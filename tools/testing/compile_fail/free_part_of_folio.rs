// SPDX-License-Identifier: GPL-2.0

//! A folio of which the entries map a part is not freed.
//!
//! error: E0599

use kernel::mm::{page_table::FolioEntries, tlb::AnonGather};

/// Tries it.
pub fn attempt(entries: FolioEntries<'_, AnonGather<'_>>) {
    entries.free_lazily();
}
