// SPDX-License-Identifier: GPL-2.0

//! The guard of the mmap lock stays where it is while a VMA is used.
//!
//! error: E0499

use kernel::mm::{LockMode, MmapWrite, MmapWriteGuard};

/// Tries it.
pub fn attempt<'a>(a: &mut MmapWriteGuard<'a>, b: &mut MmapWriteGuard<'a>) {
    let vma = MmapWrite::find_vma(a, 0);
    core::mem::swap(a, b);
    drop(vma);
}
