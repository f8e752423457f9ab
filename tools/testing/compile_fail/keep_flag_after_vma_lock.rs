// SPDX-License-Identifier: GPL-2.0

//! Nobody relies on the flag without a lock.
//!
//! error: E0505

use kernel::mm::VmaReadGuard;

/// Tries it.
pub fn attempt(vma: VmaReadGuard<'_>) {
    let ready = vma.maybe_guard();
    drop(vma);
    drop(ready);
}
