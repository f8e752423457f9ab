// SPDX-License-Identifier: GPL-2.0

//! The mmap write lock alone does not allow to take the flag away.
//!
//! error: E0599

use kernel::mm::{guard::GuardRemoval, VmaMmapWrite};

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>, removal: &GuardRemoval<'_>) {
    let _ = vma.try_clear_maybe_guard(removal);
}
