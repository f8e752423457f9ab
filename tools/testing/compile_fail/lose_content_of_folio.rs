// SPDX-License-Identifier: GPL-2.0

//! The content of a folio is not lost by its lock alone.
//!
//! error: E0624

use kernel::mm::folio::Folio;

/// Tries it.
pub fn attempt(folio: &Folio) {
    if let Some(locked) = folio.try_lock() {
        locked.discard();
    }
}
