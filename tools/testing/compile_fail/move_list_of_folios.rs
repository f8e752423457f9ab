// SPDX-License-Identifier: GPL-2.0

//! The first and the last folio of a list point to its head, which does not move.
//!
//! error: E0596

use kernel::mm::folio::IsolatedFolios;

/// Tries it.
pub fn attempt() {
    IsolatedFolios::reclaim(|mut a| {
        IsolatedFolios::reclaim(|mut b| core::mem::swap(&mut *a, &mut *b));
    });
}
