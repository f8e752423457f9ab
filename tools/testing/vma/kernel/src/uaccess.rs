// SPDX-License-Identifier: GPL-2.0

//! The memory of userspace.

use crate::{
    error::{code::EFAULT, Result},
    model::{with_env, UserData},
    str::{CStr, UserPtr},
};

/// A part of it.
pub struct UserSlice {
    ptr: UserPtr,
    length: usize,
}

impl UserSlice {
    /// Makes a slice of `length` bytes.
    pub fn new(ptr: UserPtr, length: usize) -> Self {
        Self { ptr, length }
    }

    /// As one to read from.
    pub fn reader(self) -> Self {
        self
    }

    /// Reads a string into `buf`, which cuts its end off if it must.
    ///
    /// # Errors
    ///
    /// `EFAULT` when it cannot be read, or is longer than the slice and shorter than the buffer.
    pub fn strcpy_into_buf(self, buf: &mut [u8]) -> Result<&CStr> {
        let UserData::String(mut bytes) = with_env(|env| env.user(self.ptr)) else {
            return Err(EFAULT);
        };
        if self.length < buf.len().min(bytes.len() + 1) {
            return Err(EFAULT);
        }
        bytes.truncate(buf.len() - 1);
        bytes.push(0);
        let filled = &mut buf[..bytes.len()];
        filled.copy_from_slice(&bytes);
        Ok(CStr::from_bytes(filled))
    }
}
