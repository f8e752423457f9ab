// SPDX-License-Identifier: GPL-2.0

//! Files of `/proc`.

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

    pub(crate) fn write(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(bytes);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner()
    }
}
