// SPDX-License-Identifier: GPL-2.0

//! What the system calls of memory management need beside the address space: signals, and vectors
//! of address ranges.
//!
//! C headers: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use crate::{
    bindings,
    error::{code::ERESTARTNOINTR, Error},
    task::Task,
};

/// Makes the system call that the current thread is in start anew, once the error that is returned
/// here has been returned from it. Userspace notices nothing.
///
/// C: `restart_syscall()`.
#[inline]
pub fn restart_syscall() -> Error {
    // SAFETY: Marks the current thread; there are no requirements.
    unsafe { bindings::restart_syscall() };
    ERESTARTNOINTR
}

/// Returns whether a signal that kills the current thread is pending.
///
/// C: `fatal_signal_pending()`.
#[inline]
pub fn fatal_signal_pending() -> bool {
    // SAFETY: The current task is valid.
    unsafe { bindings::fatal_signal_pending(Task::current_raw()) != 0 }
}

/// What is left of a vector of address ranges that userspace passed.
///
/// # Invariants
///
/// `iter` is a valid iterator, made by `import_iovec()`.
pub struct AddressVector<'a> {
    iter: &'a mut bindings::iov_iter,
}

impl<'a> AddressVector<'a> {
    /// Makes the vector of a raw iterator.
    ///
    /// # Safety
    ///
    /// `iter` must be valid during `'a`, not used by anyone else, and made by `import_iovec()`.
    #[inline]
    pub unsafe fn from_raw(iter: *mut bindings::iov_iter) -> Self {
        // INVARIANT: The caller promises it.
        Self {
            // SAFETY: The caller promises that the iterator is valid and used here only.
            iter: unsafe { &mut *iter },
        }
    }

    /// The length of all that is left, in bytes.
    #[inline]
    pub fn remaining(&self) -> usize {
        // SAFETY: By the type invariants the iterator is valid.
        unsafe { bindings::iov_iter_count(self.iter) }
    }

    /// The address and the length of the first range that is left, in bytes; `None` at the end.
    #[inline]
    pub fn first(&self) -> Option<(usize, usize)> {
        if self.remaining() == 0 {
            return None;
        }
        // SAFETY: By the type invariants the iterator is of one of the two kinds that
        // `import_iovec()` makes, and it is not at the end.
        let start = unsafe { bindings::iter_iov_addr(self.iter) };
        // SAFETY: As above.
        let len = unsafe { bindings::iter_iov_len(self.iter) };
        Some((start, len))
    }

    /// Goes on to the next range.
    #[inline]
    pub fn advance(&mut self) {
        let len = self.first().map_or(0, |(_, len)| len);
        // SAFETY: By the type invariants the iterator is valid.
        unsafe { bindings::iov_iter_advance(self.iter, len) };
    }
}
