// SPDX-License-Identifier: GPL-2.0

//! The VMA cannot be looked at while its lock is released.
//!
//! error: E0505

use kernel::mm::VmaMmapRead;

/// Tries it.
pub fn attempt(vma: VmaMmapRead<'_>) -> usize {
    let file = vma.file();
    vma.unlocked(|| usize::from(file.is_some_and(|file| file.is_dax())))
}
