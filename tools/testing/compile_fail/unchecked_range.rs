// SPDX-License-Identifier: GPL-2.0

//! A range is checked where it is made.
//!
//! error: E0624

use kernel::mm::PageRange;

/// Tries it.
pub fn attempt() -> PageRange {
    #[allow(unsafe_code)]
    // SAFETY: It must not compile.
    unsafe {
        PageRange::new_unchecked(1, 0)
    }
}
