// SPDX-License-Identifier: GPL-2.0

//! The mmap write lock alone does not allow to write flags.
//!
//! error: E0599

use kernel::mm::VmaMmapWrite;

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>) {
    let _ = vma.set_maybe_guard();
}
