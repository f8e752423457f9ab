// SPDX-License-Identifier: GPL-2.0

//! A change of flags is made by methods that check it.
//!
//! error: E0451

use kernel::mm::{FlagChange, PageRange, VmFlags, VmaMmapWrite};

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>, range: PageRange) -> FlagChange<'_> {
    FlagChange {
        vma,
        range,
        flags: VmFlags::NONE,
    }
}
