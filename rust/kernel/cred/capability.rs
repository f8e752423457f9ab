// SPDX-License-Identifier: GPL-2.0

//! Capabilities.
//!
//! C header: [`include/linux/capability.h`](srctree/include/linux/capability.h)

use crate::{ffi::c_int, mm::additions::bindings};

/// A capability: a part of the privileges of root.
#[derive(Copy, Clone)]
pub enum Capability {
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
    /// `CAP_SYS_NICE`.
    SysNice,
}

impl Capability {
    /// Returns whether the current thread has the capability, and notes that it was used.
    #[doc(alias = "capable")]
    #[inline]
    pub fn is_held(self) -> bool {
        let number = match self {
            Self::SysAdmin => bindings::CAP_SYS_ADMIN,
            Self::SysNice => bindings::CAP_SYS_NICE,
        };
        // SAFETY: The number is one of a capability.
        // CAST: It is small.
        unsafe { bindings::capable(number as c_int) }
    }
}
