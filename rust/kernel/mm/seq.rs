// SPDX-License-Identifier: GPL-2.0

//! Writing to a `seq_file` without Rust's formatting.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use super::bindings;
use crate::{seq_file::SeqFile, str::CStr};

#[inline]
fn as_raw(m: &SeqFile) -> *mut bindings::seq_file {
    core::ptr::from_ref(m).cast_mut().cast()
}

/// Writes `bytes` as they are. When the buffer is full, the whole record is shown again later.
///
/// C: `seq_write()`.
#[inline]
pub fn seq_write(m: &SeqFile, bytes: &[u8]) {
    // SAFETY: `SeqFile` is a transparent wrapper of a valid `struct seq_file`, which only this
    // thread uses. The pointer and the length are those of the slice.
    unsafe { bindings::seq_write(as_raw(m), bytes.as_ptr().cast(), bytes.len()) };
}

/// Writes `label`, and a decimal number with blanks before it to fill `width` columns.
///
/// C: `seq_put_decimal_ull_width()`.
#[inline]
pub fn seq_put_decimal(m: &SeqFile, label: &CStr, number: u64, width: u32) {
    // SAFETY: As above; the label is a string.
    unsafe { bindings::seq_put_decimal_ull_width(as_raw(m), label.as_char_ptr(), number, width) };
}
