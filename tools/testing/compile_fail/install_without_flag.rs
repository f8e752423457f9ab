// SPDX-License-Identifier: GPL-2.0

//! A marker goes only into a VMA that has the flag.
//!
//! error: E0599

use kernel::mm::{page_table::VacantRun, VmaMmapLocked};

/// Tries it.
pub fn attempt(run: VacantRun<'_, VmaMmapLocked>) {
    run.install_guards();
}
