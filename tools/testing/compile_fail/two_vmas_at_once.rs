// SPDX-License-Identifier: GPL-2.0

//! A VMA that can be changed is the only one that is looked at: a change may free its neighbour.
//!
//! error: E0499

use kernel::mm::{LockMode, MmapWrite, MmapWriteGuard};

/// Tries it.
pub fn attempt(mut guard: MmapWriteGuard<'_>) {
    let first = MmapWrite::find_vma(&mut guard, 0);
    let second = MmapWrite::find_vma(&mut guard, 0);
    drop((first, second));
}
