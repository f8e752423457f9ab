// SPDX-License-Identifier: GPL-2.0

//! Vectors of address ranges that userspace passes.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use crate::mm::additions::bindings;
use crate::{
    error::{to_result, Error, Result},
    ffi::c_int,
    prelude::*,
    types::Opaque,
};
use core::pin::Pin;
use pin_init::{pin_init_from_closure, stack_try_pin_init};

/// The ranges, at most, for which the vector has room itself.
const FAST: usize = bindings::UIO_FASTIOV as usize;

/// The rest of a vector of address ranges.
///
/// # Invariants
///
/// `iter` is a valid iterator, made by `import_iovec()`. It points to the ranges, in `fast` or in
/// `allocated`.
pub struct AddressVector {
    fast: Opaque<[bindings::iovec; FAST]>,
    allocated: Allocated,
    iter: Opaque<bindings::iov_iter>,
}

impl AddressVector {
    /// Copies the vector of `count` ranges at `vector`, in userspace, and hands it to `work`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are too many ranges or a length is negative, `EFAULT` when the vector
    /// cannot be read, `ENOMEM`; and errors of `work`.
    #[inline]
    pub fn import<R>(
        vector: UserPtr,
        count: usize,
        work: impl FnOnce(Pin<&mut Self>) -> Result<R>,
    ) -> Result<R> {
        stack_try_pin_init!(let ranges =? Self::new(vector, count));
        work(ranges)
    }

    #[doc(alias = "import_iovec")]
    #[inline]
    fn new(vector: UserPtr, count: usize) -> impl PinInit<Self, Error> {
        let init = move |slot: *mut Self| {
            // SAFETY: `slot` is valid for writes.
            let mut ranges = Opaque::cast_into(unsafe { &raw const (*slot).fast }).cast();
            // SAFETY: As above.
            let iter = Opaque::cast_into(unsafe { &raw const (*slot).iter });
            // SAFETY:
            // - The function checks what userspace passed.
            // - `ranges` has room for `FAST` ranges, and `iter` is valid for writes. Neither moves.
            // CAST: The numbers are small. Of the count C looks at the lower 32 bits, too.
            let length = unsafe {
                bindings::import_iovec(
                    bindings::ITER_DEST as c_int,
                    vector.as_const_ptr().cast(),
                    count as u32,
                    FAST as u32,
                    &mut ranges,
                    iter,
                )
            };
            // CAST: An errno is small.
            to_result(length.min(0) as c_int)?;
            // INVARIANT: The function left null, or memory that the caller is to free.
            // SAFETY: As above.
            unsafe { (&raw mut (*slot).allocated).write(Allocated(ranges)) };
            Ok(())
        };
        // INVARIANT: The function made the iterator.
        // SAFETY: Unless it fails, all of it that is used is initialized. It does not move.
        unsafe { pin_init_from_closure::<_, Error>(init) }
    }

    /// The length of the rest, in bytes.
    #[inline]
    pub fn remaining(&self) -> usize {
        // SAFETY: By the type invariants the iterator is valid.
        unsafe { bindings::iov_iter_count(self.iter.get()) }
    }

    /// The address and the length of the first range of the rest, in bytes; `None` at the end.
    #[inline]
    pub fn first(&self) -> Option<(usize, usize)> {
        if self.remaining() == 0 {
            return None;
        }
        // SAFETY: By the type invariants the iterator is of one of the two kinds that
        // `import_iovec()` makes, and it is not at the end.
        let start = unsafe { bindings::iter_iov_addr(self.iter.get()) };
        // SAFETY: As above.
        let len = unsafe { bindings::iter_iov_len(self.iter.get()) };
        Some((start, len))
    }

    /// Goes on to the next range.
    #[inline]
    pub fn advance(self: Pin<&mut Self>) {
        let len = self.first().map_or(0, |(_, len)| len);
        // SAFETY: By the type invariants the iterator is valid.
        unsafe { bindings::iov_iter_advance(self.iter.get(), len) };
    }
}

/// Ranges for which the vector has no room.
///
/// # Invariants
///
/// It is null or memory of `kmalloc()`, which this owns.
struct Allocated(*mut bindings::iovec);

impl Drop for Allocated {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants this owns the memory.
        unsafe { bindings::kfree(self.0.cast()) };
    }
}
