// SPDX-License-Identifier: GPL-2.0

//! References to a folio cannot be made without end: one who locks it takes one.
//!
//! error: E0308

use kernel::mm::folio::FolioRef;

/// Tries it.
pub fn attempt(folio: &FolioRef) {
    drop::<FolioRef>(folio.clone());
}
