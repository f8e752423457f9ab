// SPDX-License-Identifier: GPL-2.0

//! The flag that was set under the write locks may be gone once others had them: it is looked for again.
//!
//! error: E0505

use kernel::mm::{LockMode, MmapWrite, MmapWriteGuard};

/// Tries it.
pub fn attempt(mut guard: MmapWriteGuard<'_>) {
    let ready =
        MmapWrite::find_vma(&mut guard, 0).and_then(|vma| vma.start_write().set_maybe_guard().ok());
    drop(guard.downgrade());
    let _ = ready.map(|vma| vma.start());
}
