// SPDX-License-Identifier: GPL-2.0

//! The mmap write lock alone does not allow to take the guards and the flag away.
//!
//! error: E0599

use kernel::mm::VmaMmapWrite;

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>) {
    let _ = vma.remove_guards();
}
