// SPDX-License-Identifier: GPL-2.0

//! A change of flags takes the VMA, which may be another one when it is applied.
//!
//! error: E0382

use kernel::{
    mm::{PageRange, VmaMmapWrite},
    prelude::*,
};

/// Tries it.
pub fn attempt(vma: VmaMmapWrite<'_>, range: PageRange) -> Result {
    vma.change_flags(range)?.apply()?;
    vma.change_flags(range)?.apply().map(drop)
}
