// SPDX-License-Identifier: GPL-2.0

//! A VMA that may have guards is made by setting the flag.
//!
//! error: E0451

use kernel::mm::{VmaMaybeGuard, VmaWrite};

/// Tries it.
pub fn attempt(vma: VmaWrite<'_>) -> VmaMaybeGuard<'_> {
    VmaMaybeGuard { vma }
}
