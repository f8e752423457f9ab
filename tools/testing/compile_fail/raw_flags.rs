// SPDX-License-Identifier: GPL-2.0

//! Flags are changed by methods that check what the memory needs, not as a whole.
//!
//! error: E0624

use kernel::{
    mm::{PageRange, VmFlags, VmaMmapWrite},
    prelude::*,
};

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>, range: PageRange) -> Result<usize> {
    let flags = vma.vm_flags() - VmFlags::DONTCOPY;
    vma.modify_flags(range, flags)
}
