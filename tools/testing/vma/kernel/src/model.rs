// SPDX-License-Identifier: GPL-2.0

//! The test's side of the model: who calls, what goes wrong meanwhile, and what was done.

use crate::{
    error::{AllocError, Error, Result},
    locks,
    mm::{space::FolioId, MmWithUser},
    str::UserPtr,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

/// What was done that the address space does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A warning was printed.
    Warning(String),
    /// The system call is to start anew.
    Restart,
    /// userfaultfd was told that a range is removed.
    UffdRemove(usize, usize),
    /// Those who mirror page tables were told that a range is cleared, or that it has been.
    Notify(usize, usize, bool),
    /// A file system was told to read: file, offset and length.
    WillNeed(u64, i64, usize),
    /// A file system made a hole: file, offset and length.
    PunchHole(u64, i64, usize),
    /// A read of a page from swap was begun, for an address, from a place there.
    SwapRead(usize, usize),
    /// A page of shared memory was read from swap, by its number in the file.
    SwapReadShared(u64, usize),
    /// A folio was reclaimed.
    Reclaimed(FolioId),
    /// TLBs were flushed, for that many pages.
    Flush(usize),
    /// The requests to disks were submitted.
    Unplug,
    /// Huge pages were asked for.
    Collapse(usize, usize),
}

/// What userspace has at an address.
#[derive(Clone, Debug)]
pub enum UserData {
    /// A string, with its zero behind it.
    String(Vec<u8>),
    /// A vector of addresses and lengths.
    Vector(Vec<(usize, usize)>),
    /// Nothing.
    Unmapped,
}

/// What another thread does while a lock is free.
pub type Interference = Box<dyn FnOnce(&MmWithUser)>;

/// What goes wrong meanwhile. Each is used up as it happens.
#[derive(Default)]
pub struct Faults {
    /// The allocation that fails: 0 is the next.
    pub fail_alloc: Option<usize>,
    /// A fatal signal ends the waits for the write lock, from this one on: 0 is the next.
    pub kill_waiting: Option<usize>,
    /// How often the thread can look for a fatal signal before there is one.
    pub signal_after: Option<usize>,
    /// Whether a page table is gone when it is to be locked, each time.
    pub vanish: VecDeque<bool>,
    /// Whether what was zapped for a guard leaves an entry behind, each time.
    pub reappear: VecDeque<bool>,
    /// What happens while the mmap lock is free, each time.
    pub unlocked: VecDeque<Interference>,
    /// Whether another thread waits for a lock that is held for long, each time.
    pub contended: VecDeque<bool>,
    /// Whether another thread waits for the processor, each time.
    pub resched: VecDeque<bool>,
    /// How many pages a populate does at most before it takes a break, each time.
    pub populate: VecDeque<Result<usize>>,
    /// What a collapse ends with, each time.
    pub collapse: VecDeque<Result>,
}

/// All around the address space.
#[derive(Default)]
pub struct Env {
    /// The address space of the thread.
    pub current: Option<MmWithUser>,
    /// The capabilities of the thread.
    pub capabilities: BTreeSet<u32>,
    /// What `pidfd_get_task()` says: a process, with what `mm_access()` says of it.
    pub pidfds: BTreeMap<i32, Result<Result<MmWithUser>>>,
    /// The bits of an address that the hardware ignores.
    pub tag_mask: usize,
    /// What goes wrong.
    pub faults: Faults,
    /// Whether another thread runs when a lock is released.
    pub(crate) waited_for: bool,
    user: Vec<UserData>,
    events: Vec<Event>,
}

thread_local! {
    static ENV: RefCell<Env> = RefCell::new(Env::default());
}

/// Begins anew: no address space, no locks, no faults.
pub fn reset() {
    locks::reset();
    crate::mm::space::reset_registry();
    // Dropped outside: what is dropped may look at it.
    let old = ENV.replace(Env::default());
    drop(old);
}

/// Lends what is around the address space.
pub fn with_env<R>(work: impl FnOnce(&mut Env) -> R) -> R {
    ENV.with_borrow_mut(work)
}

impl Env {
    /// Puts data into the memory of userspace.
    pub fn put(&mut self, data: UserData) -> UserPtr {
        self.user.push(data);
        UserPtr(self.user.len() - 1)
    }

    pub(crate) fn user(&self, ptr: UserPtr) -> UserData {
        self.user.get(ptr.0).cloned().unwrap_or(UserData::Unmapped)
    }
}

/// Notes what was done.
pub fn log(event: Event) {
    with_env(|env| env.events.push(event));
}

/// Returns what was done since the last call.
pub fn take_events() -> Vec<Event> {
    with_env(|env| std::mem::take(&mut env.events))
}

/// Runs a system call, which neither begins nor ends with a lock.
pub fn syscall<R>(work: impl FnOnce() -> R) -> R {
    locks::assert_none_held();
    locks::limit();
    let result = work();
    locks::assert_none_held();
    crate::mm::tlb::assert_no_gather();
    result
}

/// Allocates memory, which may sleep.
#[track_caller]
pub(crate) fn alloc() -> Result<(), AllocError> {
    locks::might_sleep("to allocate memory");
    with_env(|env| match &mut env.faults.fail_alloc {
        Some(0) => {
            env.faults.fail_alloc = None;
            Err(AllocError)
        }
        Some(n) => {
            *n -= 1;
            Ok(())
        }
        None => Ok(()),
    })
}

/// Whether something that counts down has happened; it stays so.
pub(crate) fn count_down(counter: impl FnOnce(&mut Faults) -> &mut Option<usize>) -> bool {
    with_env(|env| match counter(&mut env.faults) {
        Some(0) => true,
        Some(n) => {
            *n -= 1;
            false
        }
        None => false,
    })
}

/// Lets another thread run while the mmap lock of `mm` is free.
pub(crate) fn interfere(mm: &MmWithUser) {
    if let Some(work) = with_env(|env| env.faults.unlocked.pop_front()) {
        work(mm);
    }
}

/// Makes an error of a number that no constant has, for the tests of those that no one expects.
pub fn error(errno: i32) -> Error {
    Error::from_number(errno)
}
