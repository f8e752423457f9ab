// SPDX-License-Identifier: GPL-2.0

//! Files of `/proc`.

use crate::str::CStr;
use std::cell::RefCell;

/// A file that is being written.
#[derive(Default)]
pub struct SeqFile {
    bytes: RefCell<Vec<u8>>,
}

impl SeqFile {
    /// Makes a reference of a raw pointer.
    ///
    /// # Safety
    ///
    /// It must be valid during `'a`.
    #[allow(unsafe_code)]
    pub unsafe fn from_raw<'a>(ptr: *mut Self) -> &'a Self {
        // SAFETY: The caller promises it.
        unsafe { &*ptr }
    }

    /// Writes bytes as they are.
    pub fn write(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(bytes);
    }

    /// Writes a label, and a number with blanks before it.
    pub fn put_decimal(&self, label: &CStr, number: u64, width: u32) {
        self.write(label.to_bytes());
        self.write(format!("{number:width$}", width = width as usize).as_bytes());
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner()
    }
}
