// SPDX-License-Identifier: GPL-2.0

//! The VMA read lock does not allow to write flags.
//!
//! error: E0599

use kernel::mm::VmaReadGuard;

/// Tries it.
pub fn attempt(vma: VmaReadGuard<'_>) {
    let _ = vma.set_maybe_guard();
}
