// SPDX-License-Identifier: GPL-2.0

//! A write-locked VMA is made by taking the lock.
//!
//! error: E0451

use kernel::mm::{VmaMmapLocked, VmaWrite};

/// Tries it.
pub fn attempt(vma: &VmaMmapLocked) -> VmaWrite<'_> {
    VmaWrite { vma }
}
