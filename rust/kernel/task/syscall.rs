// SPDX-License-Identifier: GPL-2.0

//! Tasks in a system call: signals, the scheduler, and other processes.
//!
//! C headers: [`include/linux/sched/signal.h`](srctree/include/linux/sched/signal.h),
//! [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/pid.h`](srctree/include/linux/pid.h)

use super::Task;
use crate::mm::additions::bindings;
use crate::{
    current,
    error::{
        code::{EINTR, ERESTARTNOINTR, ESRCH},
        from_err_ptr, Error, Result,
    },
    ffi::c_int,
    mm::MmWithUser,
    sync::aref::ARef,
};
use core::ptr::NonNull;

impl Task {
    /// Returns whether a signal that kills the task is pending.
    #[inline]
    pub fn fatal_signal_pending(&self) -> bool {
        // SAFETY: By the type invariants the task is valid.
        unsafe { bindings::fatal_signal_pending(self.as_ptr()) != 0 }
    }

    /// Returns whether the task is about to end.
    #[doc(alias = "PF_EXITING")]
    #[inline]
    pub(crate) fn is_exiting(&self) -> bool {
        self.has_flags(bindings::PF_EXITING)
    }

    /// Returns whether any of the flags `PF_*` is set.
    #[inline]
    fn has_flags(&self, flags: u32) -> bool {
        // SAFETY: By the type invariants the task is valid. It may change its flags at any moment,
        // hence the volatile read.
        unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).flags) & flags != 0 }
    }

    /// Returns the process that `pidfd`, a descriptor of the current process, refers to.
    ///
    /// # Errors
    ///
    /// `EBADF` when it is no such descriptor, `ESRCH` when the process has ended.
    #[doc(alias = "pidfd_get_task")]
    #[inline]
    pub fn from_pidfd(pidfd: c_int) -> Result<ARef<Self>> {
        let mut flags = 0;
        // SAFETY: `flags` is valid for writes.
        let task = from_err_ptr(unsafe { bindings::pidfd_get_task(pidfd, &mut flags) })?;
        let task = NonNull::new(task).ok_or(ESRCH)?;
        // SAFETY: The function returned a reference.
        Ok(unsafe { ARef::from_raw(task.cast()) })
    }

    /// Returns the address space of a process whose state the current thread may read.
    ///
    /// # Errors
    ///
    /// `ESRCH` when the process has none; `EACCES`, `EINTR`, and errors of security modules.
    ///
    /// C: `mm_access()` with `PTRACE_MODE_READ_FSCREDS`.
    #[inline]
    pub fn mm_for_read(&self) -> Result<ARef<MmWithUser>> {
        // SAFETY: By the type invariants the task is valid.
        let mm = from_err_ptr(unsafe {
            bindings::mm_access(self.as_ptr(), bindings::PTRACE_MODE_READ_FSCREDS)
        })?;
        let mm = NonNull::new(mm).ok_or(ESRCH)?;
        // SAFETY: The function returned a reference that counts as a user.
        Ok(unsafe { ARef::from_raw(mm.cast()) })
    }
}

/// Restarts the system call that the current thread is in, once the error that is returned here has
/// been returned from it. Userspace notices nothing. In a kernel thread, which is in none, it is
/// `EINTR`.
#[inline]
pub fn restart_syscall() -> Error {
    if current!().has_flags(bindings::PF_KTHREAD) {
        return EINTR;
    }
    // SAFETY: Marks the current thread, which returns to userspace.
    unsafe { bindings::restart_syscall() };
    ERESTARTNOINTR
}

/// Returns whether another thread waits for the processor.
#[inline]
pub fn need_resched() -> bool {
    // SAFETY: There are no requirements.
    unsafe { bindings::need_resched() }
}

/// Lets other threads run, if they wait for the processor; may sleep.
#[inline]
pub fn cond_resched() {
    // SAFETY: There are no requirements.
    unsafe { bindings::cond_resched() };
}
