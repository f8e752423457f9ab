// SPDX-License-Identifier: GPL-2.0
//! What is measured.

use crate::{
    sys::{self, Call, Child, PAGE},
    Memory, PAGES,
};
use core::ffi::CStr;

/// Pages of the cases that fill memory.
const FILLED: usize = 4096;

/// Pages of a huge page.
const HUGE: usize = 512;

/// Calls of the cases that make many.
const STRIDED: usize = 100;

pub struct Case {
    pub name: &'static str,
    /// The pages that the instructions are divided by.
    pub pages: usize,
    /// Runs before each measurement.
    pub prepare: fn(Memory),
    pub work: fn(Memory),
}

const fn case(name: &'static str, prepare: fn(Memory), work: fn(Memory)) -> Case {
    Case {
        name,
        pages: 1,
        prepare,
        work,
    }
}

const fn per_page(name: &'static str, pages: usize, prepare: fn(Memory), work: fn(Memory)) -> Case {
    Case {
        name,
        pages,
        prepare,
        work,
    }
}

const NORMAL: usize = 0;
const RANDOM: usize = 1;
const SEQUENTIAL: usize = 2;
const WILLNEED: usize = 3;
pub const DONTNEED: usize = 4;
const FREE: usize = 8;
const REMOVE: usize = 9;
const DONTFORK: usize = 10;
const DOFORK: usize = 11;
const MERGEABLE: usize = 12;
const UNMERGEABLE: usize = 13;
const HUGEPAGE: usize = 14;
const NOHUGEPAGE: usize = 15;
pub const DONTDUMP: usize = 16;
const DODUMP: usize = 17;
const WIPEONFORK: usize = 18;
const KEEPONFORK: usize = 19;
const COLD: usize = 20;
const PAGEOUT: usize = 21;
const POPULATE_READ: usize = 22;
pub const POPULATE_WRITE: usize = 23;
const DONTNEED_LOCKED: usize = 24;
const COLLAPSE: usize = 25;
pub const GUARD_INSTALL: usize = 102;
pub const GUARD_REMOVE: usize = 103;

/// Advice for `count` pages of the memory from its page `first` on.
pub fn advise(memory: Memory, first: usize, count: usize, advice: usize) {
    let addr = memory.addr + first * PAGE;
    sys::call(Call::Madvise, [addr, count * PAGE, advice]);
}

fn name(memory: Memory, name: usize) {
    let args = [sys::PR_SET_VMA, 0, memory.addr + 20 * PAGE, PAGE, name];
    sys::call(Call::Prctl, args);
}

/// Advice for eight single pages.
fn advise_vector(memory: Memory, advice: usize) {
    let mut vector = [[0, PAGE]; 8];
    for (i, range) in vector.iter_mut().enumerate() {
        range[0] = memory.addr + 3 * i * PAGE;
    }
    let this = sys::PIDFD_SELF_THREAD as usize;
    let args = [this, vector.as_ptr().addr(), vector.len(), advice, 0];
    sys::call(Call::ProcessMadvise, args);
}

/// Makes `N` mappings of every fourth page on, and those between them.
pub fn split<const N: usize>(memory: Memory) {
    memory.renew();
    for i in 0..N {
        advise(memory, 4 * i, 1, DONTDUMP);
    }
}

fn split_and_guard<const N: usize>(memory: Memory) {
    split::<N>(memory);
    for i in 0..N {
        advise(memory, 4 * i, 1, GUARD_INSTALL);
    }
}

/// Forks, and waits for the end of the child.
fn fork(_: Memory) {
    Child::start(|| ()).wait();
}

/// Reads a file to its end.
fn read(path: &CStr) {
    let fd = sys::open(path, 0);
    assert!(fd >= 0);
    let mut part = [0; 16384];
    while sys::read(fd as usize, &mut part) == part.len() {}
    sys::close(fd);
}

/// A guard for each of 100 pages, ten pages apart.
fn strided(memory: Memory, advice: usize) {
    for i in 0..STRIDED {
        advise(memory, 10 * i, 1, advice);
    }
}

/// The guards of `N` stacks of 16 pages.
fn stacks<const N: usize>(memory: Memory) {
    for i in 0..N {
        advise(memory, 16 * i, 1, GUARD_INSTALL);
    }
}

fn nothing(_: Memory) {}

fn fill(memory: Memory) {
    memory.fill(FILLED);
}

fn install<const N: usize>(memory: Memory) {
    advise(memory, 0, N, GUARD_INSTALL);
}

fn remove<const N: usize>(memory: Memory) {
    advise(memory, 0, N, GUARD_REMOVE);
}

fn populate<const N: usize>(memory: Memory) {
    remove::<N>(memory);
    memory.fill(N);
}

/// The cases that are made for each number of pages.
macro_rules! by_size {
    ($($n:literal)*) => {
        &[$(
            per_page(
                concat!("GUARD_INSTALL, ", $n, " without page tables"),
                $n,
                Memory::renew,
                install::<$n>,
            ),
            per_page(
                concat!("GUARD_INSTALL, ", $n, " empty"),
                $n,
                remove::<$n>,
                install::<$n>,
            ),
            per_page(
                concat!("GUARD_INSTALL, ", $n, " guarded"),
                $n,
                install::<$n>,
                install::<$n>,
            ),
            per_page(
                concat!("GUARD_INSTALL, ", $n, " populated"),
                $n,
                populate::<$n>,
                install::<$n>,
            ),
            per_page(
                concat!("GUARD_REMOVE, ", $n, " guarded"),
                $n,
                install::<$n>,
                remove::<$n>,
            ),
        )*]
    };
}

/// The first page of the memory where a huge page fits.
fn huge(memory: Memory) -> usize {
    (memory.addr / PAGE).next_multiple_of(HUGE) - memory.addr / PAGE
}

/// Makes a huge page there.
fn map_huge(memory: Memory) {
    let first = huge(memory);
    advise(memory, first, HUGE, GUARD_REMOVE);
    advise(memory, first, HUGE, DONTNEED);
    advise(memory, first, HUGE, HUGEPAGE);
    assert_eq!(sys::poke(memory.addr + first * PAGE, 1), Ok(()));
}

const WITH_HUGE_PAGES: &[Case] = &[
    case("GUARD_INSTALL, 1 page of a huge page", map_huge, |m| {
        advise(m, huge(m) + 7, 1, GUARD_INSTALL)
    }),
    case("GUARD_INSTALL, a huge page", map_huge, |m| {
        advise(m, huge(m), HUGE, GUARD_INSTALL)
    }),
    case("GUARD_REMOVE, a huge page", map_huge, |m| {
        advise(m, huge(m), HUGE, GUARD_REMOVE)
    }),
    case(
        "COLLAPSE",
        |m| {
            let first = huge(m);
            advise(m, first, HUGE, DONTNEED);
            advise(m, first, HUGE, NOHUGEPAGE);
            assert_eq!(sys::poke(m.addr + first * PAGE, 1), Ok(()));
            advise(m, first, HUGE, HUGEPAGE);
        },
        |m| advise(m, huge(m), HUGE, COLLAPSE),
    ),
];

pub const CASES: [&[Case]; 3] = [
    by_size!(1 16 512 8192 65536),
    if cfg!(target_arch = "arm") {
        &[]
    } else {
        WITH_HUGE_PAGES
    },
    OTHERS,
];

const OTHERS: &[Case] = &[
    case("getpid()", nothing, |_| {
        sys::call(Call::Getpid, []);
    }),
    case("unknown advice", nothing, |m| advise(m, 0, 1, 77)),
    case("GUARD_INSTALL, first of its VMA", Memory::renew, |m| {
        advise(m, 7, 1, GUARD_INSTALL)
    }),
    case(
        "GUARD_REMOVE of all, and the first again",
        |m| advise(m, 7, 1, GUARD_INSTALL),
        |m| {
            advise(m, 0, PAGES, GUARD_REMOVE);
            advise(m, 7, 1, GUARD_INSTALL);
        },
    ),
    case("GUARD_REMOVE, 8192 pages of nothing", Memory::renew, |m| {
        advise(m, 0, 8192, GUARD_REMOVE)
    }),
    case(
        "GUARD_REMOVE, 500 mappings, 1 with a guard",
        |m| {
            split::<250>(m);
            m.fill(1000);
            advise(m, 400, 1, GUARD_INSTALL);
        },
        |m| advise(m, 0, PAGES, GUARD_REMOVE),
    ),
    per_page(
        "GUARD_INSTALL, 100 calls",
        STRIDED,
        |m| strided(m, GUARD_REMOVE),
        |m| strided(m, GUARD_INSTALL),
    ),
    per_page(
        "GUARD_REMOVE, 100 calls",
        STRIDED,
        |m| strided(m, GUARD_INSTALL),
        |m| strided(m, GUARD_REMOVE),
    ),
    per_page(
        "GUARD_INSTALL, 300 new stacks",
        300,
        Memory::renew,
        stacks::<300>,
    ),
    case("fork(), 1 mapping with a guard", split_and_guard::<1>, fork),
    case(
        "fork(), 100 mappings with guards",
        split_and_guard::<100>,
        fork,
    ),
    case(
        "fork(), 1000 mappings with guards",
        split_and_guard::<1000>,
        fork,
    ),
    case("smaps, 10 mappings", split::<5>, |_| {
        read(c"/proc/self/smaps")
    }),
    case("smaps, 500 mappings", split::<250>, |_| {
        read(c"/proc/self/smaps")
    }),
    case("smaps, 5000 mappings", split::<2500>, |_| {
        read(c"/proc/self/smaps")
    }),
    case(
        "smaps, 500 mappings with guards",
        split_and_guard::<250>,
        |_| read(c"/proc/self/smaps"),
    ),
    case("maps, 10 mappings", split::<5>, |_| {
        read(c"/proc/self/maps")
    }),
    case("maps, 500 mappings", split::<250>, |_| {
        read(c"/proc/self/maps")
    }),
    case("maps, 5000 mappings", split::<2500>, |_| {
        read(c"/proc/self/maps")
    }),
    case(
        "DONTNEED, 1 page",
        |m| m.fill(1),
        |m| advise(m, 0, 1, DONTNEED),
    ),
    case("DONTNEED, 1 empty page", nothing, |m| {
        advise(m, 0, 1, DONTNEED)
    }),
    per_page("DONTNEED", FILLED, fill, |m| advise(m, 0, FILLED, DONTNEED)),
    case(
        "DONTNEED_LOCKED, 1 page",
        |m| m.fill(1),
        |m| advise(m, 0, 1, DONTNEED_LOCKED),
    ),
    case("FREE, 1 page", |m| m.fill(1), |m| advise(m, 0, 1, FREE)),
    per_page("FREE", FILLED, fill, |m| advise(m, 0, FILLED, FREE)),
    per_page(
        "FREE again",
        FILLED,
        |m| {
            fill(m);
            advise(m, 0, FILLED, FREE);
        },
        |m| advise(m, 0, FILLED, FREE),
    ),
    case("FREE, 4096 pages of nothing", nothing, |m| {
        advise(m, 0, FILLED, FREE)
    }),
    case("COLD, 1 page", |m| m.fill(1), |m| advise(m, 0, 1, COLD)),
    per_page("COLD", FILLED, fill, |m| advise(m, 0, FILLED, COLD)),
    per_page(
        "COLD again",
        FILLED,
        |m| {
            fill(m);
            advise(m, 0, FILLED, COLD);
        },
        |m| advise(m, 0, FILLED, COLD),
    ),
    case("COLD, 4096 pages of nothing", nothing, |m| {
        advise(m, 0, FILLED, COLD)
    }),
    case(
        "PAGEOUT, 1 page",
        |m| m.fill(1),
        |m| advise(m, 0, 1, PAGEOUT),
    ),
    per_page("PAGEOUT", FILLED, fill, |m| advise(m, 0, FILLED, PAGEOUT)),
    case(
        "WILLNEED, 1 page",
        |m| m.fill(1),
        |m| advise(m, 0, 1, WILLNEED),
    ),
    per_page("WILLNEED", FILLED, fill, |m| advise(m, 0, FILLED, WILLNEED)),
    per_page("POPULATE_READ", FILLED, fill, |m| {
        advise(m, 0, FILLED, POPULATE_READ)
    }),
    per_page(
        "POPULATE_WRITE",
        FILLED,
        |m| advise(m, 0, FILLED, DONTNEED),
        |m| advise(m, 0, FILLED, POPULATE_WRITE),
    ),
    case(
        "REMOVE, 1 page of a file",
        |m| assert_eq!(sys::poke(m.file, 1), Ok(())),
        |m| {
            sys::call(Call::Madvise, [m.file, PAGE, REMOVE]);
        },
    ),
    case("NORMAL, no change", nothing, |m| {
        advise(m, 0, PAGES, NORMAL)
    }),
    case("DONTDUMP and DODUMP, a part", nothing, |m| {
        advise(m, 5, 1, DONTDUMP);
        advise(m, 5, 1, DODUMP);
    }),
    case("DONTDUMP and DODUMP, the first page", nothing, |m| {
        advise(m, 0, 1, DONTDUMP);
        advise(m, 0, 1, DODUMP);
    }),
    case("DONTDUMP and DODUMP, all", nothing, |m| {
        advise(m, 0, PAGES, DONTDUMP);
        advise(m, 0, PAGES, DODUMP);
    }),
    case("RANDOM, SEQUENTIAL and NORMAL", nothing, |m| {
        advise(m, 5, 1, RANDOM);
        advise(m, 5, 1, SEQUENTIAL);
        advise(m, 5, 1, NORMAL);
    }),
    case("DONTFORK and DOFORK", nothing, |m| {
        advise(m, 5, 1, DONTFORK);
        advise(m, 5, 1, DOFORK);
    }),
    case("WIPEONFORK and KEEPONFORK", nothing, |m| {
        advise(m, 5, 1, WIPEONFORK);
        advise(m, 5, 1, KEEPONFORK);
    }),
    case("MERGEABLE and UNMERGEABLE", nothing, |m| {
        advise(m, 5, 1, MERGEABLE);
        advise(m, 5, 1, UNMERGEABLE);
    }),
    case("HUGEPAGE and NOHUGEPAGE", nothing, |m| {
        advise(m, 0, PAGES, HUGEPAGE);
        advise(m, 0, PAGES, NOHUGEPAGE);
    }),
    case("a name, and none", nothing, |m| {
        name(m, c"bench".as_ptr().addr());
        name(m, 0);
    }),
    case(
        "process_madvise(), 8 pages COLD",
        |m| m.fill(32),
        |m| advise_vector(m, COLD),
    ),
    case(
        "process_madvise(), 8 pages DONTNEED",
        |m| m.fill(32),
        |m| advise_vector(m, DONTNEED),
    ),
];
