// SPDX-License-Identifier: GPL-2.0

//! The right way, which compiles.

use kernel::{
    mm::{LockMode, MmWithUser, MmapWrite},
    prelude::*,
};

/// Sets the flag under both write locks.
pub fn attempt(mm: &MmWithUser) -> Result {
    let mut guard = MmapWrite::lock(mm)?;
    if let Some(vma) = MmapWrite::find_vma(&mut guard, 0) {
        let _ = vma.start_write().set_maybe_guard();
    }
    Ok(())
}
