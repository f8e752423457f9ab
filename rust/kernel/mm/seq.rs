// SPDX-License-Identifier: GPL-2.0

//! Writing bytes to a `seq_file`, without formatting.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::{bindings, seq_file::SeqFile};

/// Writes `bytes` as they are. When the buffer is full, the whole record is shown again later.
///
/// C: `seq_write()`.
#[inline]
pub fn seq_write(m: &SeqFile, bytes: &[u8]) {
    let m = core::ptr::from_ref(m)
        .cast_mut()
        .cast::<bindings::seq_file>();
    // SAFETY: `SeqFile` is a transparent wrapper of a valid `struct seq_file`, which only this
    // thread uses. The pointer and the length are those of the slice.
    unsafe { bindings::seq_write(m, bytes.as_ptr().cast(), bytes.len()) };
}
