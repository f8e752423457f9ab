// SPDX-License-Identifier: GPL-2.0

//! Entries are changed once, as they are then no longer what they were.
//!
//! error: E0382

use kernel::mm::guard::{VacantRun, VmaMaybeGuard};

/// Tries it.
pub fn attempt<'g>(run: VacantRun<'_, VmaMaybeGuard<'g>>) {
    run.install();
    run.install();
}
