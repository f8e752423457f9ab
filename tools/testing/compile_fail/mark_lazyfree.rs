// SPDX-License-Identifier: GPL-2.0

//! A folio is freed lazily only through the entries that map all of it.
//!
//! error: E0624

use kernel::mm::folio::Folio;

/// Tries it.
pub fn attempt(folio: &Folio) {
    folio.mark_lazyfree();
}
