// SPDX-License-Identifier: GPL-2.0

//! A method that releases the lock takes the VMA away.
//!
//! error: E0382

use kernel::mm::{PageRange, VmaMmapRead};

/// Tries it.
pub fn attempt(vma: VmaMmapRead<'_>, range: PageRange) -> usize {
    let _ = vma.punch_hole(range);
    vma.start()
}
