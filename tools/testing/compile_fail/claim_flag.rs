// SPDX-License-Identifier: GPL-2.0

//! A VMA that may have guards is made by setting the flag.
//!
//! error: E0451

use kernel::mm::{guard::VmaMaybeGuard, virt::VmaRef};

/// Tries it.
pub fn attempt(vma: &VmaRef) -> VmaMaybeGuard<'_> {
    VmaMaybeGuard { vma }
}
