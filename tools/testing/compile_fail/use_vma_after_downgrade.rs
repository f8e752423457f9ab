// SPDX-License-Identifier: GPL-2.0

//! A VMA that was found under the mmap write lock is not used under the read lock that the write lock became.
//!
//! error: E0505

use kernel::mm::{LockMode, MmapWrite, MmapWriteGuard};

/// Tries it.
pub fn attempt(mut guard: MmapWriteGuard<'_>) {
    let vma = MmapWrite::find_vma(&mut guard, 0);
    let _guard = guard.downgrade();
    if let Some(vma) = vma {
        let _ = vma.start_write().set_maybe_guard();
    }
}
