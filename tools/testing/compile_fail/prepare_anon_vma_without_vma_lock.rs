// SPDX-License-Identifier: GPL-2.0

//! An anon_vma is given under the VMA write lock.
//!
//! error: E0599

use kernel::mm::VmaMmapWrite;

/// Tries it.
pub fn attempt(mut vma: VmaMmapWrite<'_>) {
    let _ = vma.anon_vma_prepare();
}
