// SPDX-License-Identifier: GPL-2.0

//! Writes to a `seq_file` without Rust's formatting.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::SeqFile;
use crate::{bindings, prelude::*};

impl SeqFile {
    /// Writes `bytes` as they are. When the buffer is full, the whole record is shown again later.
    #[doc(alias = "seq_write")]
    #[inline]
    pub fn write(&self, bytes: &[u8]) {
        // SAFETY:
        // - By the type invariants the file is valid, and only this thread uses it.
        // - The pointer and the length are those of the slice.
        unsafe { bindings::seq_write(self.inner.get(), bytes.as_ptr().cast(), bytes.len()) };
    }

    /// Writes `label`, and a decimal number with blanks before it to fill `width` columns.
    #[doc(alias = "seq_put_decimal_ull_width")]
    #[inline]
    pub fn put_decimal(&self, label: &CStr, number: u64, width: u32) {
        let m = self.inner.get();
        // SAFETY: As above; the label is a string.
        unsafe { bindings::seq_put_decimal_ull_width(m, label.as_char_ptr(), number, width) };
    }
}
