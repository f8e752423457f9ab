// SPDX-License-Identifier: GPL-2.0

//! Tasks in a system call.

use crate::{
    error::{
        code::{EBADF, ERESTARTNOINTR},
        Error, Result,
    },
    locks,
    mm::MmWithUser,
    model::{self, with_env, Event},
    sync::aref::ARef,
};

/// A process.
#[derive(Clone)]
pub struct Task(Result<MmWithUser>);

impl Task {
    /// The thread.
    pub fn current() -> Self {
        Self(with_env(|env| env.current.clone()).ok_or(EBADF))
    }

    /// Whether a signal that kills the thread is pending.
    pub fn fatal_signal_pending(&self) -> bool {
        model::count_down(|faults| &mut faults.signal_after)
    }

    /// Returns the process that `pidfd` refers to.
    ///
    /// # Errors
    ///
    /// What the test says, and `EBADF`.
    pub fn from_pidfd(pidfd: i32) -> Result<ARef<Self>> {
        let task = with_env(|env| env.pidfds.get(&pidfd).cloned());
        Ok(ARef::new(Self(task.unwrap_or(Err(EBADF))?)))
    }

    /// Returns the address space of a process.
    ///
    /// # Errors
    ///
    /// What the test says.
    pub fn mm_for_read(&self) -> Result<ARef<MmWithUser>> {
        self.0.clone().map(ARef::new)
    }
}

/// Makes the system call start anew.
pub fn restart_syscall() -> Error {
    model::log(Event::Restart);
    ERESTARTNOINTR
}

/// Whether another thread waits for the processor.
pub fn need_resched() -> bool {
    with_env(|env| env.faults.resched.pop_front().unwrap_or(false))
}

/// Lets other threads run; may sleep.
#[track_caller]
pub fn cond_resched() {
    locks::might_sleep("cond_resched()");
}
