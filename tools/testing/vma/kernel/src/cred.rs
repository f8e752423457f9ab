// SPDX-License-Identifier: GPL-2.0

//! Capabilities.

use crate::{bindings, model::with_env};

/// A capability.
#[derive(Copy, Clone)]
pub enum Capability {
    /// `CAP_SYS_ADMIN`.
    SysAdmin,
    /// `CAP_SYS_NICE`.
    SysNice,
}

impl Capability {
    /// Whether the thread has the capability.
    pub fn is_held(self) -> bool {
        let number = match self {
            Self::SysAdmin => bindings::CAP_SYS_ADMIN,
            Self::SysNice => bindings::CAP_SYS_NICE,
        };
        with_env(|env| env.capabilities.contains(&number))
    }
}
