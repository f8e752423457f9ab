// SPDX-License-Identifier: GPL-2.0

//! Strings, and what userspace passes.

use crate::error::{code::EINVAL, Result};

/// A string, with its zero.
#[derive(Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct CStr([u8]);

impl CStr {
    /// Makes a string of bytes, of which the last alone is zero.
    ///
    /// # Errors
    ///
    /// `EINVAL` when they are none.
    pub fn from_bytes_with_nul(bytes: &[u8]) -> Result<&Self> {
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) if end + 1 == bytes.len() => Ok(Self::from_bytes(bytes)),
            _ => Err(EINVAL),
        }
    }

    #[allow(unsafe_code)]
    #[doc(hidden)]
    pub const fn from_bytes(bytes: &[u8]) -> &Self {
        // SAFETY: The type is transparent.
        unsafe { &*(core::ptr::from_ref(bytes) as *const Self) }
    }

    /// The bytes without the zero.
    pub fn to_bytes(&self) -> &[u8] {
        self.0.split_last().map_or(&[], |(_, bytes)| bytes)
    }

    /// The bytes with the zero.
    pub fn to_bytes_with_nul(&self) -> &[u8] {
        &self.0
    }
}

/// An address in the memory of userspace: a number that [`crate::model::Env::put`] gave out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct UserPtr(pub(crate) usize);
