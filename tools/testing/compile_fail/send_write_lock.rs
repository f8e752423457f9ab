// SPDX-License-Identifier: GPL-2.0

//! The thread that took the mmap lock releases it.
//!
//! error: E0277

use kernel::mm::MmapWriteGuard;

fn send<T: Send>(_: T) {}

/// Tries it.
pub fn attempt(guard: MmapWriteGuard<'static>) {
    send(guard);
}
