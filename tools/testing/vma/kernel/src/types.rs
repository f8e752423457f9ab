// SPDX-License-Identifier: GPL-2.0

//! Counted references. What is counted is a handle here, so that a clone is one more reference.

use core::ops::Deref;

/// A reference that keeps what it refers to.
#[derive(Clone, Debug)]
pub struct ARef<T>(T);

impl<T> ARef<T> {
    pub(crate) fn new(handle: T) -> Self {
        Self(handle)
    }
}

impl<T: Clone> From<&T> for ARef<T> {
    fn from(handle: &T) -> Self {
        Self(handle.clone())
    }
}

impl<T> Deref for ARef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
