// SPDX-License-Identifier: GPL-2.0

//! Nothing borrowed, such as a locked page table, is kept while folios are reclaimed, which sleeps.
//!
//! error: E0310

use kernel::mm::folio::IsolatedFolios;

/// Tries it.
pub fn attempt<T>(borrowed: T) {
    drop(IsolatedFolios::reclaim(|_| borrowed));
}
