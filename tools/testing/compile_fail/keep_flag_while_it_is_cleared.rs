// SPDX-License-Identifier: GPL-2.0

//! Nobody relies on the flag while it is cleared.
//!
//! error: E0505

use kernel::mm::{guard::GuardRemoval, VmaWrite};

/// Tries it.
pub fn attempt(vma: VmaWrite<'_>, removal: &GuardRemoval<'_>) {
    let ready = vma.maybe_guard();
    vma.try_clear_maybe_guard(removal);
    drop(ready);
}
