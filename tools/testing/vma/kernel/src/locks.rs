// SPDX-License-Identifier: GPL-2.0

//! What the thread holds, and the rules of it. A broken rule is a panic.

use std::{
    cell::{Cell, RefCell},
    thread::panicking,
};

/// A lock. The numbers are those of the address space, the VMA, the folio, and the address of the table.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The mmap lock, read.
    MmapRead(u64),
    /// The mmap lock, write.
    MmapWrite(u64),
    /// The lock of a VMA, read.
    VmaRead(u64, u64),
    /// The lock of a VMA, write. It ends with the mmap lock.
    VmaWrite(u64, u64),
    /// The lock of a folio.
    Folio(u64),
    /// The lock of a page table, or of a huge page in its place: a spinlock.
    Table(u64, usize),
}

impl Lock {
    /// The place in the order of the locks.
    fn rank(self) -> u8 {
        match self {
            Self::MmapRead(_) | Self::MmapWrite(_) => 0,
            Self::VmaRead(..) | Self::VmaWrite(..) => 1,
            Self::Folio(_) => 2,
            Self::Table(..) => 3,
        }
    }
}

/// That a lock was taken: the same lock, taken again later, is another one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Token {
    lock: Lock,
    epoch: u64,
}

thread_local! {
    static HELD: RefCell<Vec<Token>> = const { RefCell::new(Vec::new()) };
    static EPOCH: Cell<u64> = const { Cell::new(0) };
    static LIMIT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// How many locks a system call may take: more are taken by one that does not end.
const MANY: u64 = 100_000;

/// Begins to count the locks that a system call takes.
pub(crate) fn limit() {
    LIMIT.set(EPOCH.get() + MANY);
}

/// Panics with `rule` unless `kept`. While a test fails already, the guards that are dropped are silent.
#[track_caller]
pub(crate) fn require(kept: bool, rule: impl FnOnce() -> String) {
    if !kept && !panicking() {
        panic!("lock rule: {} (held: {:?})", rule(), held());
    }
}

/// The locks that are held, in the order in which they were taken.
pub fn held() -> Vec<Lock> {
    HELD.with_borrow(|held| held.iter().map(|token| token.lock).collect())
}

/// Forgets all locks, after a test that failed.
pub(crate) fn reset() {
    HELD.with_borrow_mut(Vec::clear);
    LIMIT.set(u64::MAX);
}

/// Says that this may sleep: no page table may be locked.
#[track_caller]
pub fn might_sleep(what: &str) {
    let atomic = held().iter().any(|lock| matches!(lock, Lock::Table(..)));
    require(!atomic, || {
        format!("{what} may sleep, under a page table lock")
    });
}

/// Takes a lock, in the order of locks.
#[track_caller]
pub(crate) fn acquire(lock: Lock) -> Token {
    if lock.rank() < 3 {
        might_sleep(&format!("to take {lock:?}"));
    }
    for other in held() {
        let both_write = matches!((other, lock), (Lock::VmaWrite(..), Lock::VmaWrite(..)));
        require(other != lock, || format!("{lock:?} is taken twice"));
        require(other.rank() < lock.rank() || both_write, || {
            format!("{lock:?} comes before {other:?}")
        });
    }
    push(lock)
}

/// Takes a lock that no one waits for, so that its place in the order is of no matter.
#[track_caller]
pub(crate) fn try_acquire(lock: Lock) -> Token {
    require(!held().contains(&lock), || {
        format!("{lock:?} is taken twice")
    });
    push(lock)
}

fn push(lock: Lock) -> Token {
    let epoch = EPOCH.get() + 1;
    EPOCH.set(epoch);
    require(epoch < LIMIT.get(), || "a system call does not end".into());
    let token = Token { lock, epoch };
    HELD.with_borrow_mut(|held| held.push(token));
    token
}

/// Releases a lock; with the mmap write lock the write locks of all its VMAs.
#[track_caller]
pub(crate) fn release(lock: Lock) {
    require(held().contains(&lock), || {
        format!("{lock:?} is released, but not held")
    });
    if let Lock::MmapRead(_) | Lock::MmapWrite(_) = lock {
        let nested = held().iter().any(|other| matches!(other, Lock::Table(..)));
        require(!nested, || {
            format!("{lock:?} is released under a page table lock")
        });
    }
    HELD.with_borrow_mut(|held| {
        held.retain(|token| match (lock, token.lock) {
            (Lock::MmapWrite(mm), Lock::VmaWrite(of, _)) => of != mm,
            (_, other) => other != lock,
        });
    });
}

/// Whether a lock is still the one that was taken.
pub(crate) fn is_held(token: Token) -> bool {
    HELD.with_borrow(|held| held.contains(&token))
}

/// Whether the thread has this lock.
pub fn holds(lock: Lock) -> bool {
    held().contains(&lock)
}

/// Finds the token of a lock of the VMA `vma` of `mm`: of the mmap lock, or else of its own.
pub(crate) fn token_for(mm: u64, vma: u64) -> Option<Token> {
    HELD.with_borrow(|held| {
        held.iter()
            .find(|token| match token.lock {
                Lock::MmapRead(of) | Lock::MmapWrite(of) => of == mm,
                Lock::VmaRead(of, id) => (of, id) == (mm, vma),
                _ => false,
            })
            .copied()
    })
}

/// Panics when a lock was leaked.
#[track_caller]
pub fn assert_none_held() {
    require(held().is_empty(), || "a lock is held at the end".into());
}
