// SPDX-License-Identifier: GPL-2.0

//! The file of a VMA is not used when the lock was released, as it may be closed then.
//!
//! error: E0505

use kernel::mm::{PageRange, VmaMmapRead};

/// Tries it.
pub fn attempt(vma: VmaMmapRead<'_>, range: PageRange) -> bool {
    let file = vma.file();
    let _ = vma.will_need(range);
    file.is_some_and(|file| file.is_dax())
}
