// SPDX-License-Identifier: GPL-2.0

//! What an address space counts of its memory.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::bindings;
use crate::{ffi::c_long, mm::MmWithUser};

// These methods require `mm_users` to be non-zero.
impl MmWithUser {
    /// Takes note of the memory that is in use before some of it is freed, for the maximum.
    ///
    /// C: `update_hiwater_rss()`.
    #[inline]
    pub fn update_hiwater_rss(&self) {
        // SAFETY: The address space is valid.
        unsafe { bindings::update_hiwater_rss(self.as_raw()) };
    }

    /// Counts `n` pages less in swap.
    ///
    /// C: `add_mm_counter()` with `MM_SWAPENTS`.
    #[inline]
    pub fn uncount_swapped(&self, n: usize) {
        // SAFETY: The address space is valid.
        // CAST: There are fewer pages in a page table; the name is a small number.
        unsafe {
            bindings::add_mm_counter(
                self.as_raw(),
                bindings::MM_SWAPENTS as crate::ffi::c_int,
                -(n as c_long),
            )
        };
    }

    /// Returns a number that changes whenever guard markers have come into the page tables, before
    /// the lock of the VMA is released under which they came. It wraps around.
    ///
    /// C: `mm_struct::guard_seq`.
    #[inline]
    pub(super) fn guard_seq(&self) -> usize {
        // SAFETY: The address space is valid.
        unsafe { bindings::mm_guard_seq(self.as_raw()) }
    }
}
