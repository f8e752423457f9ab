// SPDX-License-Identifier: GPL-2.0

//! A number may be that of no capability.
//!
//! error: E0308

use kernel::cred::Capability;

/// Tries it.
pub fn attempt() -> Capability {
    99
}
