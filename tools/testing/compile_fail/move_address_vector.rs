// SPDX-License-Identifier: GPL-2.0

//! The iterator of a vector points into it, so that it does not move.
//!
//! error: E0596

use core::pin::Pin;
use kernel::mm::AddressVector;

/// Tries it.
pub fn attempt(mut a: Pin<&mut AddressVector>, mut b: Pin<&mut AddressVector>) {
    core::mem::swap(&mut *a, &mut *b);
}
