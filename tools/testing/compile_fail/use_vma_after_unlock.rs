// SPDX-License-Identifier: GPL-2.0

//! The VMA write lock ends with the mmap write lock, and the VMA with it.
//!
//! error: E0505

use kernel::mm::{LockMode, MmapWrite, MmapWriteGuard};

/// Tries it.
pub fn attempt(mut guard: MmapWriteGuard<'_>) {
    if let Some(vma) = MmapWrite::find_vma(&mut guard, 0) {
        let vma = vma.start_write();
        drop(guard);
        let _ = vma.set_maybe_guard();
    }
}
