// SPDX-License-Identifier: GPL-2.0

//! Reads from swap are submitted where they were begun.
//!
//! error: E0451

use kernel::mm::SwapReader;

/// Tries it.
pub fn attempt() {
    core::mem::forget(SwapReader {
        ctx: Default::default(),
        _nts: kernel::types::NotThreadSafe,
    });
}
