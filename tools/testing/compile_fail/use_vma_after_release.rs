// SPDX-License-Identifier: GPL-2.0

//! What releases the lock takes the VMA away.
//!
//! error: E0382

use kernel::mm::VmaMmapRead;

/// Tries it.
pub fn attempt(vma: VmaMmapRead<'_>) -> usize {
    vma.unlocked(|| {});
    vma.start()
}
