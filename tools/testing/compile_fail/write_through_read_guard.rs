// SPDX-License-Identifier: GPL-2.0

//! A guard of the read lock gives no VMA that can be write-locked.
//!
//! error: E0308

use kernel::mm::{LockMode, MmapReadGuard, MmapWrite};

/// Tries it.
pub fn attempt(mut guard: MmapReadGuard<'_>) {
    if let Some(vma) = MmapWrite::find_vma(&mut guard, 0) {
        let _ = vma.start_write();
    }
}
