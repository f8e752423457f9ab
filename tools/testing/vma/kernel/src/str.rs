// SPDX-License-Identifier: GPL-2.0

//! Strings, and what userspace passes.

/// A string without its zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CStr(pub(crate) Vec<u8>);

impl CStr {
    /// The bytes without the zero.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for CStr {
    fn from(str: &str) -> Self {
        Self(str.into())
    }
}

/// An address in the memory of userspace: a number that [`crate::model::Env::put`] gave out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct UserPtr(pub(crate) usize);
