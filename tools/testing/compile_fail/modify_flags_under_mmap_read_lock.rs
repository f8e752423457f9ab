// SPDX-License-Identifier: GPL-2.0

//! To split and merge VMAs takes the mmap write lock.
//!
//! error: E0599

use kernel::mm::{PageRange, VmaMmapRead};
use kernel::prelude::*;

/// Tries it.
pub fn attempt(vma: VmaMmapRead<'_>, range: PageRange) -> Result<usize> {
    vma.change_flags(range)?.apply()
}
