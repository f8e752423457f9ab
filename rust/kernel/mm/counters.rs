// SPDX-License-Identifier: GPL-2.0

//! Counters of an address space.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::mm::{additions::bindings, MmWithUser};

// These methods require `mm_users` to be non-zero.
impl MmWithUser {
    /// Updates the maximum of memory in use. This comes before some is freed.
    #[inline]
    pub fn update_hiwater_rss(&self) {
        // SAFETY: The address space is valid.
        unsafe { bindings::update_hiwater_rss(self.as_raw()) };
    }

    /// Returns a number that changes whenever guard markers have come into the page tables, before
    /// the lock of the VMA is released under which they came. It wraps around, on 32 bits after
    /// 2^32 installations.
    ///
    /// C: `mm_struct::guard_seq`.
    #[inline]
    pub(super) fn guard_seq(&self) -> usize {
        // SAFETY: The address space is valid.
        unsafe { bindings::mm_guard_seq(self.as_raw()) }
    }
}
