// SPDX-License-Identifier: GPL-2.0

//! The table of threads.rs tells a type that threads may share from one that they may not.
//!
//! error: E0283

use kernel::mm::PageRange;

/// Has two candidates for a type that is `Send`.
trait Ambiguous<T> {
    /// Is one of them.
    fn candidate() {}
}

impl<T> Ambiguous<()> for T {}
impl<T: Send> Ambiguous<u8> for T {}

/// Tries it.
pub fn attempt() {
    <PageRange as Ambiguous<_>>::candidate();
}
