// SPDX-License-Identifier: GPL-2.0

//! The collection of a VMA ends with its scope.
//!
//! error: E0521

use kernel::{
    mm::{tlb::MmuGather, virt::VmaRef},
    prelude::*,
};

/// Tries it.
pub fn attempt(tlb: &mut MmuGather<'_>, vma: &VmaRef) {
    let mut kept = None;
    let _ = tlb.with_vma(vma, |gather| {
        kept = Some(gather);
        Ok(())
    });
    drop(kept);
}
