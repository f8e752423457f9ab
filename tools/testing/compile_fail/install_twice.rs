// SPDX-License-Identifier: GPL-2.0

//! An entry is changed once, as it is then no longer what it was.
//!
//! error: E0382

use kernel::mm::{page_table::EmptyEntry, VmaMaybeGuard};

/// Tries it.
pub fn attempt<'g>(entry: EmptyEntry<'_, VmaMaybeGuard<'g>>) {
    entry.install_guard();
    entry.install_guard();
}
