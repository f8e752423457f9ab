// SPDX-License-Identifier: GPL-2.0

//! The mmap read lock does not allow to write flags.
//!
//! error: E0599

use kernel::mm::VmaMmapLocked;

/// Tries it.
pub fn attempt(vma: &VmaMmapLocked) {
    let _ = vma.set_maybe_guard();
}
