// SPDX-License-Identifier: GPL-2.0
//! What is measured.

use crate::{
    sys::{self, Call, Child, PAGE},
    Memory, PAGES,
};
use core::ffi::CStr;

/// Pages of the cases that fill memory.
const FILLED: usize = 4096;

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
const WILLNEED: usize = 3;
const DONTNEED: usize = 4;
const FREE: usize = 8;
const REMOVE: usize = 9;
const DONTFORK: usize = 10;
const DOFORK: usize = 11;
const MERGEABLE: usize = 12;
const UNMERGEABLE: usize = 13;
const HUGEPAGE: usize = 14;
const NOHUGEPAGE: usize = 15;
const DONTDUMP: usize = 16;
const DODUMP: usize = 17;
const WIPEONFORK: usize = 18;
const KEEPONFORK: usize = 19;
const COLD: usize = 20;
const PAGEOUT: usize = 21;
const POPULATE_READ: usize = 22;
const POPULATE_WRITE: usize = 23;
const GUARD_INSTALL: usize = 102;
const GUARD_REMOVE: usize = 103;

/// Advice for `count` pages of the memory from its page `first` on.
fn advise(memory: Memory, first: usize, count: usize, advice: usize) {
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
fn split<const N: usize>(memory: Memory) {
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

pub const CASES: &[Case] = &[
    case("getpid()", nothing, |_| {
        sys::call(Call::Getpid, []);
    }),
    case("unknown advice", nothing, |m| advise(m, 0, 1, 77)),
    case("GUARD_INSTALL, first of its VMA", Memory::renew, |m| {
        advise(m, 7, 1, GUARD_INSTALL)
    }),
    case(
        "GUARD_INSTALL, VMA had one",
        |m| {
            advise(m, 7, 1, GUARD_INSTALL);
            advise(m, 7, 1, GUARD_REMOVE);
        },
        |m| advise(m, 7, 1, GUARD_INSTALL),
    ),
    case(
        "GUARD_INSTALL, guard there",
        |m| advise(m, 7, 1, GUARD_INSTALL),
        |m| advise(m, 7, 1, GUARD_INSTALL),
    ),
    case(
        "GUARD_REMOVE",
        |m| advise(m, 7, 1, GUARD_INSTALL),
        |m| advise(m, 7, 1, GUARD_REMOVE),
    ),
    per_page(
        "GUARD_INSTALL, 16 empty",
        16,
        |m| advise(m, 0, 16, GUARD_REMOVE),
        |m| advise(m, 0, 16, GUARD_INSTALL),
    ),
    per_page(
        "GUARD_INSTALL, 512 empty",
        512,
        |m| advise(m, 0, 512, GUARD_REMOVE),
        |m| advise(m, 0, 512, GUARD_INSTALL),
    ),
    per_page("GUARD_INSTALL, no page tables", PAGES, Memory::renew, |m| {
        advise(m, 0, PAGES, GUARD_INSTALL)
    }),
    per_page(
        "GUARD_INSTALL, empty",
        PAGES,
        |m| advise(m, 0, PAGES, GUARD_REMOVE),
        |m| advise(m, 0, PAGES, GUARD_INSTALL),
    ),
    per_page(
        "GUARD_INSTALL, guarded",
        PAGES,
        |m| advise(m, 0, PAGES, GUARD_INSTALL),
        |m| advise(m, 0, PAGES, GUARD_INSTALL),
    ),
    per_page(
        "GUARD_INSTALL, populated",
        FILLED,
        |m| {
            advise(m, 0, PAGES, GUARD_REMOVE);
            fill(m);
        },
        |m| advise(m, 0, FILLED, GUARD_INSTALL),
    ),
    per_page(
        "GUARD_REMOVE",
        PAGES,
        |m| advise(m, 0, PAGES, GUARD_INSTALL),
        |m| advise(m, 0, PAGES, GUARD_REMOVE),
    ),
    per_page(
        "GUARD_REMOVE, 16 guarded",
        16,
        |m| advise(m, 0, 16, GUARD_INSTALL),
        |m| advise(m, 0, 16, GUARD_REMOVE),
    ),
    per_page("GUARD_REMOVE, nothing", PAGES, Memory::renew, |m| {
        advise(m, 0, PAGES, GUARD_REMOVE)
    }),
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
    case("smaps, 20 mappings", split::<10>, |_| {
        read(c"/proc/self/smaps")
    }),
    case("smaps, 1000 mappings", split::<500>, |_| {
        read(c"/proc/self/smaps")
    }),
    case("maps, 1000 mappings", split::<500>, |_| {
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
    per_page("FREE, empty", FILLED, nothing, |m| {
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
    per_page("COLD, empty", FILLED, nothing, |m| {
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
    case("RANDOM and NORMAL", nothing, |m| {
        advise(m, 5, 1, RANDOM);
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
