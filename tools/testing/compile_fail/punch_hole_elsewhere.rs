// SPDX-License-Identifier: GPL-2.0

//! A hole is punched for a range of a mapping that may write the file.
//!
//! error: E0624

use kernel::mm::file::VmaFile;

/// Tries it.
pub fn attempt(file: &VmaFile) {
    let _ = file.punch_hole(0, usize::MAX);
}
