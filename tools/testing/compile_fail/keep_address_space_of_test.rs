// SPDX-License-Identifier: GPL-2.0

//! The address space of a test does not leave its thread.
//!
//! error: E0521

use kernel::mm::{kunit::UserMemory, MmWithUser};

/// Tries it.
pub fn attempt(memory: &'static UserMemory) -> Option<&'static MmWithUser> {
    let mut kept = None;
    memory.with_mm(|mm| kept = Some(mm));
    kept
}
