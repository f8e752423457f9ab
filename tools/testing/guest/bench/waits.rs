// SPDX-License-Identifier: GPL-2.0
//! How long another thread waits beside a call that works for long. Not in instructions: where the clock counts them there
//! is one processor.

use crate::{
    cases::{DONTDUMP, DONTNEED, GUARD_INSTALL, GUARD_REMOVE, POPULATE_WRITE},
    now,
    sys::{self, Call, PAGE},
    ticks, FAILED,
};
use core::{
    fmt::Write,
    hint,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
};

/// How often each is tried. The round with the shortest longest wait counts: in the others the host was busy.
const ROUNDS: usize = 5;

/// Bytes of memory with pages in it, and without, which may be more than the machine has.
const POPULATED: usize = 256 << 20;
const EMPTY: usize = if cfg!(target_arch = "arm") {
    1 << 30
} else {
    16 << 30
};

/// Bytes of each of many mappings.
const PIECE: usize = 1 << 20;

/// What a call works on, and what the other thread does.
struct Area {
    addr: usize,
    len: usize,
    /// A page of the same mapping behind the range, or of another mapping.
    beside: usize,
    cmdline: usize,
}

impl Area {
    fn new(long: &Long) -> Self {
        let around = map(0, Self::around(long.len), 0, 0);
        let addr = around + PAGE;
        let beside = addr + long.len + if long.all { PAGE } else { 0 };
        for (addr, len) in [(addr, long.len), (beside, PAGE)] {
            map(addr, len, sys::PROT_READ | sys::PROT_WRITE, sys::MAP_FIXED);
        }
        Self {
            addr,
            len: long.len,
            beside,
            cmdline: sys::open(c"/proc/self/cmdline", 0) as usize,
        }
    }

    /// The bytes of a range of `len`, the page beside it, and pages around them that keep them from merging with others.
    fn around(len: usize) -> usize {
        len + 4 * PAGE
    }

    fn advise(&self, advice: usize) {
        advise(self.addr, self.len, advice);
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        sys::close(self.cmdline as isize);
        let len = Self::around(self.len);
        sys::must(Call::Munmap, [self.addr - PAGE, len]);
    }
}

fn map(addr: usize, len: usize, access: usize, flags: usize) -> usize {
    let flags = flags | sys::MAP_PRIVATE | sys::MAP_ANONYMOUS | sys::MAP_NORESERVE;
    let addr = sys::mmap(addr, len, access, flags, -1, 0);
    assert!(!FAILED.contains(&addr));
    addr as usize
}

fn advise(addr: usize, len: usize, advice: usize) {
    sys::must(Call::Madvise, [addr, len, advice]);
}

struct Long {
    name: &'static str,
    len: usize,
    /// Whether the range is all of its mapping.
    all: bool,
    prepare: fn(&Area),
    advice: usize,
}

const fn long(
    name: &'static str,
    len: usize,
    all: bool,
    prepare: fn(&Area),
    advice: usize,
) -> Long {
    Long {
        name,
        len,
        all,
        prepare,
        advice,
    }
}

const LONG: [Long; 6] = [
    long(
        "first GUARD_INSTALL, populated",
        POPULATED,
        false,
        |area| area.advise(POPULATE_WRITE),
        GUARD_INSTALL,
    ),
    long(
        "first GUARD_INSTALL, empty",
        EMPTY,
        false,
        |_| (),
        GUARD_INSTALL,
    ),
    long(
        "next GUARD_INSTALL, populated",
        POPULATED,
        false,
        |area| {
            advise(area.addr, PAGE, GUARD_INSTALL);
            advise(area.addr, PAGE, GUARD_REMOVE);
            area.advise(POPULATE_WRITE);
        },
        GUARD_INSTALL,
    ),
    long(
        "GUARD_REMOVE of a part",
        EMPTY,
        false,
        |area| area.advise(GUARD_INSTALL),
        GUARD_REMOVE,
    ),
    long(
        "GUARD_REMOVE of all",
        EMPTY,
        true,
        |area| area.advise(GUARD_INSTALL),
        GUARD_REMOVE,
    ),
    long(
        "GUARD_REMOVE, one of many mappings",
        POPULATED,
        true,
        |area| {
            area.advise(POPULATE_WRITE);
            for piece in (area.addr..area.addr + area.len).step_by(2 * PIECE) {
                advise(piece, PIECE, DONTDUMP);
            }
            advise(area.addr + 10 * PIECE, PAGE, GUARD_INSTALL);
        },
        GUARD_REMOVE,
    ),
];

type Wait = fn(&Area);

/// What the other thread waits in.
const WAITS: [(&str, Wait); 3] = [
    ("cmdline", |area| {
        sys::must(Call::Lseek, [area.cmdline, 0, 0]);
        sys::read(area.cmdline, &mut [0; 64]);
    }),
    ("mprotect()", |area| {
        for access in [sys::PROT_READ, sys::PROT_READ | sys::PROT_WRITE] {
            sys::must(Call::Mprotect, [area.beside, PAGE, access]);
        }
    }),
    ("page fault", |area| {
        advise(area.beside, PAGE, DONTNEED);
        assert_eq!(sys::poke(area.beside, 1), Ok(()));
    }),
];

const BEFORE: u32 = 0;
const CALL: u32 = 1;
const AFTER: u32 = 2;

/// In ticks: the longest and the mean wait of those that were there while the call worked, how many there were, and
/// what the call took.
type Measured = [i64; 4];

fn measure(area: &Area, long: &Long, wait: Wait) -> Measured {
    (long.prepare)(area);
    let begun = AtomicBool::new(false);
    let phase = AtomicU32::new(BEFORE);
    let [longest, total, count, taken] = [const { AtomicI64::new(0) }; 4];
    let repeat = || loop {
        let (at_start, start) = (phase.load(Ordering::SeqCst), ticks());
        if at_start == AFTER {
            break;
        }
        wait(area);
        let took = ticks() - start;
        if phase.load(Ordering::SeqCst) != BEFORE {
            longest.fetch_max(took, Ordering::Relaxed);
            total.fetch_add(took, Ordering::Relaxed);
            count.fetch_add(1, Ordering::Relaxed);
        }
        begun.store(true, Ordering::Relaxed);
    };
    sys::in_threads([&repeat], || {
        while !begun.load(Ordering::Relaxed) {
            hint::spin_loop();
        }
        let start = ticks();
        phase.store(CALL, Ordering::SeqCst);
        area.advise(long.advice);
        phase.store(AFTER, Ordering::SeqCst);
        taken.store(ticks() - start, Ordering::Relaxed);
    });
    let [longest, total, count, taken] = [longest, total, count, taken].map(AtomicI64::into_inner);
    [longest, total / count.max(1), count, taken]
}

/// How many ticks a microsecond has.
fn ticks_per_us() -> i64 {
    let (start, time) = (ticks(), now());
    sys::sleep_ms(1000);
    (ticks() - start) * 1000 / (now() - time)
}

pub fn run() {
    let unit = ticks_per_us();
    for long in &LONG {
        for (what, wait) in WAITS {
            let rounds = (0..ROUNDS).map(|_| measure(&Area::new(long), long, wait));
            let [longest, mean, count, taken] = rounds.min().unwrap_or_default();
            let [longest, mean, taken] = [longest, mean, taken].map(|time| time / unit);
            let _ = writeln!(
                sys::Stdout,
                "{}: {what}\t{longest:>7} {mean:>7} {count:>6} {taken:>7}",
                long.name
            );
        }
    }
}
