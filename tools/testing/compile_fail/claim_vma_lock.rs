// SPDX-License-Identifier: GPL-2.0

//! A write-locked VMA is made by taking the lock.
//!
//! error: E0451

use kernel::mm::{VmaMmapWrite, VmaWrite};

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>) -> VmaWrite<'_> {
    VmaWrite { vma }
}
