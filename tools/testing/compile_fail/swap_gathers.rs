// SPDX-License-Identifier: GPL-2.0

//! What was collected for one address space cannot be taken for another's.
//!
//! error: E0521

use kernel::mm::{tlb::MmuGather, MmWithUser};

/// Tries it.
pub fn attempt(a: &MmWithUser, b: &MmWithUser) {
    MmuGather::scope(a, |a| MmuGather::scope(b, |b| core::mem::swap(a, b)));
}
