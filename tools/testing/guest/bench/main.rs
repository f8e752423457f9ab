// SPDX-License-Identifier: GPL-2.0
//! Measures memory system calls. In an emulator whose clock counts instructions a nanosecond is one.
//!
//! Prints a line for each case: its name, a tab, and the instructions of one call, or those per page where the name says
//! so. `bench contention` prints what threads get done beside each other, per second, `bench waits` how long one waits.

#![no_std]
#![no_main]

mod cases;
mod contention;
// Other programs use the rest.
#[allow(dead_code)]
#[path = "../sys.rs"]
mod sys;
mod waits;

use core::{
    ffi::{c_char, c_int, c_long, CStr},
    fmt::Write,
    panic::PanicInfo,
};
use sys::{Call, PAGE};

/// How often each case is run. The least counts: others were interrupted.
const RUNS: usize = 15;

/// The same for cases of more than 8192 pages, which take long.
const LONG_RUNS: usize = 3;

/// Pages of the memory that calls are made for.
const PAGES: usize = 65536;

/// What a call returns in the place of an address. On 32-bit ARM addresses are negative, too.
const FAILED: core::ops::RangeInclusive<isize> = -4095..=-1;

macro_rules! say {
    ($($arg:tt)*) => {
        let _ = writeln!(sys::Stdout, $($arg)*);
    };
}

extern "C" {
    fn clock_gettime(clock: c_int, time: *mut [c_long; 2]) -> c_int;
}

fn now() -> i64 {
    const MONOTONIC: c_int = 1;
    let mut time = [0; 2];
    // SAFETY: the time is valid for writes.
    unsafe { clock_gettime(MONOTONIC, &mut time) };
    time[0] as i64 * 1_000_000_000 + time[1] as i64
}

/// A clock of unknown unit. An emulated x86_64 has no other that is fine, but where it counts instructions.
fn ticks() -> i64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: each x86_64 has this counter.
    return unsafe { core::arch::x86_64::_rdtsc() } as i64;
    #[cfg(not(target_arch = "x86_64"))]
    now()
}

/// Lets the kernel do what it has put off, such as to free memory, and returns soon after a tick of its
/// clock. Without this what a long case takes depends on what came before.
fn settle() {
    /// A multiple of the time between ticks, in milliseconds.
    const PERIOD: u32 = 20;
    let since_tick = (now() / 1_000_000 % i64::from(PERIOD)) as u32;
    sys::sleep_ms(2 * PERIOD - since_tick);
}

/// The instructions of `work` after `prepare`, and those that it takes to look at the clock.
fn measure(runs: usize, memory: Memory, prepare: fn(Memory), work: fn(Memory)) -> i64 {
    let run = |_| {
        prepare(memory);
        settle();
        let start = now();
        work(memory);
        now() - start
    };
    (0..runs).map(run).min().unwrap_or(0)
}

/// Private anonymous memory of [`PAGES`] pages, with other mappings around it; and two pages of a file.
#[derive(Clone, Copy)]
pub struct Memory {
    pub addr: usize,
    pub file: usize,
}

impl Memory {
    fn new() -> Self {
        let flags = sys::MAP_PRIVATE | sys::MAP_ANONYMOUS;
        let around = sys::mmap(0, (PAGES + 2) * PAGE, 0, flags, -1, 0);
        assert!(!FAILED.contains(&around));
        let memfd = sys::must(Call::MemfdCreate, [c"bench".as_ptr().addr(), 0]);
        sys::must(Call::Ftruncate, [memfd, 2 * PAGE]);
        let access = sys::PROT_READ | sys::PROT_WRITE;
        let file = sys::mmap(0, 2 * PAGE, access, sys::MAP_SHARED, memfd as isize, 0);
        assert!(!FAILED.contains(&file));
        let memory = Self {
            addr: around as usize + PAGE,
            file: file as usize,
        };
        memory.renew();
        memory
    }

    /// Maps it anew.
    fn renew(self) {
        let flags = sys::MAP_PRIVATE | sys::MAP_ANONYMOUS | sys::MAP_FIXED;
        let access = sys::PROT_READ | sys::PROT_WRITE;
        sys::must(Call::Munmap, [self.addr, PAGES * PAGE]);
        let addr = sys::mmap(self.addr, PAGES * PAGE, access, flags, -1, 0);
        assert_eq!(addr as usize, self.addr);
    }

    /// Writes to its first pages.
    fn fill(self, pages: usize) {
        for page in 0..pages {
            assert_eq!(sys::poke(self.addr + page * PAGE, 1), Ok(()));
        }
    }
}

#[no_mangle]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    sys::write_file(c"/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
    // SAFETY: argv has argc C strings.
    let mode = (argc > 1).then(|| unsafe { CStr::from_ptr(*argv.add(1)) });
    if mode == Some(c"waits") {
        waits::run();
        return 0;
    }
    if mode == Some(c"contention") {
        contention::run();
        contention::compare_ways_to_find_guards();
        return 0;
    }
    let memory = Memory::new();
    let clock = measure(RUNS, memory, |_| (), |_| ());
    for case in cases::CASES.into_iter().flatten() {
        memory.renew();
        let runs = if case.pages > 8192 { LONG_RUNS } else { RUNS };
        let total = measure(runs, memory, case.prepare, case.work) - clock;
        let tenths = total * 10 / case.pages as i64;
        let unit = if case.pages > 1 { " per page" } else { "" };
        say!("{}{unit}\t{}.{}", case.name, tenths / 10, tenths % 10);
    }
    0
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("bench: {info}");
    sys::exit(101)
}
