// SPDX-License-Identifier: GPL-2.0

//! What the system calls of memory management need beside the address space: signals, capabilities,
//! the scheduler, other processes, and what userspace passes.
//!
//! C headers: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h),
//! [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h),
//! [`include/linux/pid.h`](srctree/include/linux/pid.h),
//! [`include/linux/uio.h`](srctree/include/linux/uio.h)

use super::bindings;
use crate::{
    error::{code::ERESTARTNOINTR, from_err_ptr, Error, Result},
    ffi::c_int,
    mm::MmWithUser,
    prelude::*,
    task::Task,
    types::ARef,
};
use core::{mem::MaybeUninit, ops::Deref, ptr::NonNull};

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

/// Returns whether the current thread has a capability, and notes that it was used.
///
/// C: `capable()`.
#[inline]
pub fn capable(capability: u32) -> bool {
    // SAFETY: There are no requirements.
    // CAST: The numbers of capabilities are small.
    unsafe { bindings::capable(capability as c_int) }
}

/// Returns whether another thread waits for the processor.
///
/// C: `need_resched()`.
#[inline]
pub fn need_resched() -> bool {
    // SAFETY: There are no requirements.
    unsafe { bindings::need_resched() }
}

/// Lets other threads run, if they wait for the processor; may sleep.
///
/// C: `cond_resched()`.
#[inline]
pub fn cond_resched() {
    // SAFETY: There are no requirements.
    unsafe { bindings::cond_resched() };
}

/// Holds requests to disks back while `work` runs, so that they can be submitted together.
///
/// C: `blk_start_plug()`, `blk_finish_plug()`.
#[inline]
pub fn plugged<R>(work: impl FnOnce() -> R) -> R {
    let mut plug = MaybeUninit::uninit();
    // SAFETY: The plug is valid for writes, and stays in its place until it is finished.
    unsafe { bindings::blk_start_plug(plug.as_mut_ptr()) };
    let result = work();
    // SAFETY: The plug was started above, by this thread.
    unsafe { bindings::blk_finish_plug(plug.as_mut_ptr()) };
    result
}

/// Returns the process that `pidfd` refers to.
///
/// # Errors
///
/// `EBADF` when it is no such descriptor, `ESRCH` when the process has ended.
///
/// C: `pidfd_get_task()`.
#[inline]
pub fn task_of_pidfd(pidfd: c_int) -> Result<ARef<Task>> {
    let mut flags = 0;
    // SAFETY: `flags` is valid for writes.
    let task = from_err_ptr(unsafe { bindings::pidfd_get_task(pidfd, &mut flags) })?;
    let task = NonNull::new(task).ok_or(ESRCH)?;
    // SAFETY: The function returned a reference.
    Ok(unsafe { ARef::from_raw(task.cast()) })
}

/// Returns the address space of a process that the current thread may read the state of.
///
/// # Errors
///
/// `ESRCH` when the process has none; `EACCES`, `EINTR`, and those of security modules.
///
/// C: `mm_access()` with `PTRACE_MODE_READ_FSCREDS`.
#[inline]
pub fn mm_of_task_for_read(task: &Task) -> Result<ARef<MmWithUser>> {
    // SAFETY: The task is valid.
    let mm = from_err_ptr(unsafe {
        bindings::mm_access(task.as_ptr(), bindings::PTRACE_MODE_READ_FSCREDS)
    })?;
    let mm = NonNull::new(mm).ok_or(ESRCH)?;
    // SAFETY: The function returned a reference that counts as a user.
    Ok(unsafe { ARef::from_raw(mm.cast()) })
}

/// A copy of a string of userspace.
///
/// # Invariants
///
/// The pointer is to a string in memory of `kmalloc()`, which this owns.
pub struct UserCString(NonNull<c_char>);

impl UserCString {
    /// Copies a string of fewer than `max` bytes.
    ///
    /// # Errors
    ///
    /// `EFAULT` when it cannot be read, `EINVAL` when it is too long, `ENOMEM`.
    ///
    /// C: `strndup_user()`.
    #[inline]
    pub fn new(string: UserPtr, max: usize) -> Result<Self> {
        // CAST: The length is small.
        // SAFETY: The function checks the pointer.
        let copy = from_err_ptr(unsafe {
            bindings::strndup_user(string.as_const_ptr().cast(), max as crate::ffi::c_long)
        })?;
        // INVARIANT: The function returned a string that the caller owns.
        Ok(Self(NonNull::new(copy).ok_or(ENOMEM)?))
    }
}

impl Deref for UserCString {
    type Target = CStr;

    #[inline]
    fn deref(&self) -> &CStr {
        // SAFETY: By the type invariants it is a string, and this owns it.
        unsafe { CStr::from_char_ptr(self.0.as_ptr()) }
    }
}

impl Drop for UserCString {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants this owns the memory.
        unsafe { bindings::kfree(self.0.as_ptr().cast()) };
    }
}

/// What is left of a vector of address ranges that userspace passed.
///
/// # Invariants
///
/// `iter` is a valid iterator, made by `import_iovec()`.
pub struct AddressVector<'a> {
    iter: &'a mut bindings::iov_iter,
}

impl AddressVector<'_> {
    /// Copies the vector of `count` ranges at `vector`, in userspace, and hands it to `work`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are too many ranges or a length is negative, `EFAULT` when the vector
    /// cannot be read, `ENOMEM`; and those of `work`.
    ///
    /// C: `import_iovec()`.
    pub fn import<R>(
        vector: UserPtr,
        count: usize,
        work: impl FnOnce(&mut AddressVector<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut stack =
            [const { MaybeUninit::<bindings::iovec>::uninit() }; bindings::UIO_FASTIOV as usize];
        let mut ranges = stack.as_mut_ptr().cast();
        let mut iter = MaybeUninit::<bindings::iov_iter>::uninit();
        // SAFETY: The function checks what userspace passed. `ranges` has room for `UIO_FASTIOV`
        // ranges, and `iter` is valid for writes.
        // CAST: The direction is a small number. Of the count C looks at the lower 32 bits, too.
        let length = unsafe {
            bindings::import_iovec(
                bindings::ITER_DEST as c_int,
                vector.as_const_ptr().cast(),
                count as u32,
                bindings::UIO_FASTIOV,
                &mut ranges,
                iter.as_mut_ptr(),
            )
        };
        if length < 0 {
            // CAST: It is an errno.
            return Err(Error::from_errno(length as c_int));
        }
        // INVARIANT: The function made the iterator.
        let result = work(&mut AddressVector {
            // SAFETY: As above.
            iter: unsafe { iter.assume_init_mut() },
        });
        // SAFETY: The function left here null or memory that the caller is to free.
        unsafe { bindings::kfree(ranges.cast()) };
        result
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
