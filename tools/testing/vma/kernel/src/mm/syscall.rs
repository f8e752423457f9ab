// SPDX-License-Identifier: GPL-2.0

//! What the system calls need beside the address space.

use super::MmWithUser;
use crate::{
    error::{
        code::{EBADF, EFAULT, EINVAL, ERESTARTNOINTR},
        Error, Result,
    },
    locks,
    model::{self, with_env, Event, UserData},
    page::PAGE_MASK,
    str::{CStr, UserPtr},
    types::ARef,
};
use core::ops::Deref;

/// Makes the system call start anew.
pub fn restart_syscall() -> Error {
    model::log(Event::Restart);
    ERESTARTNOINTR
}

/// Whether a signal that kills the thread is pending.
pub fn fatal_signal_pending() -> bool {
    model::count_down(|faults| &mut faults.signal_after)
}

/// Whether the thread has a capability.
pub fn capable(capability: u32) -> bool {
    with_env(|env| env.capabilities.contains(&capability))
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

/// Holds requests to disks back while `work` runs.
#[track_caller]
pub fn plugged<R>(work: impl FnOnce() -> R) -> R {
    locks::might_sleep("to plug requests");
    let result = work();
    locks::might_sleep("to submit requests");
    model::log(Event::Unplug);
    result
}

/// A process.
#[derive(Clone)]
pub struct Task(Result<MmWithUser>);

/// Returns the process that `pidfd` refers to.
///
/// # Errors
///
/// What the test says, and `EBADF`.
pub fn task_of_pidfd(pidfd: i32) -> Result<ARef<Task>> {
    let task = with_env(|env| env.pidfds.get(&pidfd).cloned());
    Ok(ARef::new(Task(task.unwrap_or(Err(EBADF))?)))
}

/// Returns the address space of a process.
///
/// # Errors
///
/// What the test says.
pub fn mm_of_task_for_read(task: &Task) -> Result<ARef<MmWithUser>> {
    task.0.clone().map(ARef::new)
}

/// A copy of a string of userspace.
pub struct UserCString(CStr);

impl UserCString {
    /// Copies a string of fewer than `max` bytes.
    ///
    /// # Errors
    ///
    /// `EFAULT` when it cannot be read, `EINVAL` when it is too long, `ENOMEM`.
    #[track_caller]
    pub fn new(string: UserPtr, max: usize) -> Result<Self> {
        let UserData::String(bytes) = with_env(|env| env.user(string)) else {
            return Err(EFAULT);
        };
        if bytes.len() >= max {
            return Err(EINVAL);
        }
        model::alloc()?;
        Ok(Self(CStr(bytes)))
    }
}

impl Deref for UserCString {
    type Target = CStr;

    fn deref(&self) -> &CStr {
        &self.0
    }
}

/// What is left of a vector of address ranges that userspace passed.
pub struct AddressVector<'a> {
    ranges: &'a [(usize, usize)],
}

impl AddressVector<'_> {
    /// The greatest number of ranges, and of bytes in all of them.
    const MAX: (usize, usize) = (1024, i32::MAX as usize & PAGE_MASK);

    /// Copies the vector and hands it to `work`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there are too many ranges or a length is negative, `EFAULT`, `ENOMEM`; and those
    /// of `work`.
    #[track_caller]
    pub fn import<R>(
        vector: UserPtr,
        count: usize,
        work: impl FnOnce(&mut AddressVector<'_>) -> Result<R>,
    ) -> Result<R> {
        if count > Self::MAX.0 {
            return Err(EINVAL);
        }
        let UserData::Vector(mut ranges) = with_env(|env| env.user(vector)) else {
            return Err(EFAULT);
        };
        if ranges.len() < count {
            return Err(EFAULT);
        }
        // There is room for eight on the stack.
        if count > 8 {
            model::alloc()?;
        }
        ranges.truncate(count);
        let mut room = Self::MAX.1;
        for (_, len) in &mut ranges {
            if isize::try_from(*len).is_err() {
                return Err(EINVAL);
            }
            *len = (*len).min(room);
            room -= *len;
        }
        work(&mut AddressVector { ranges: &ranges })
    }

    /// The length of all that is left, in bytes.
    pub fn remaining(&self) -> usize {
        self.ranges.iter().map(|(_, len)| len).sum()
    }

    /// The first range that is left; `None` at the end.
    pub fn first(&self) -> Option<(usize, usize)> {
        if self.remaining() == 0 {
            return None;
        }
        self.ranges.first().copied()
    }

    /// Goes on to the next range. As C does, it passes over those without length that follow.
    pub fn advance(&mut self) {
        if self.remaining() == 0 {
            return;
        }
        self.ranges = &self.ranges[1..];
        while let [(_, 0), rest @ ..] = self.ranges {
            self.ranges = rest;
        }
    }
}
