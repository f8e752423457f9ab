// SPDX-License-Identifier: GPL-2.0

//! A marker goes only into a VMA that has the flag.
//!
//! error: E0599

use kernel::mm::{guard::VacantRun, VmaMmapLocked};

/// Tries it.
pub fn attempt(run: VacantRun<'_, VmaMmapLocked>) {
    run.install();
}
