// SPDX-License-Identifier: GPL-2.0
//! Replays a random sequence of memory system calls and logs all that can be seen of it: two kernels that behave alike
//! give the same log.
//!
//! `fuzz SEED OPERATIONS LOOK [EPISODE]`: the operations come in episodes, each in a process of its own; the state is logged
//! after every LOOK operations. A line per episode has the hash of its log; with EPISODE the log of that one is printed in
//! full, and the program ends after it. Lines that begin with `#` may differ.

#![no_std]
#![no_main]

mod episode;
mod kernel;
mod ops;
mod rng;
mod state;
// Other programs use the rest.
#[allow(dead_code)]
#[path = "../sys.rs"]
mod sys;

use core::{
    ffi::{c_char, c_int, CStr},
    fmt::{self, Write},
    panic::PanicInfo,
    sync::atomic::Ordering,
};
use sys::Call;

/// The memory that operations work on: at the same address everywhere, with room around it on each architecture.
const ARENA: usize = 0x2000_0000;
const PAGES: usize = 2048;

/// Operations per episode: enough to reach deep states, few enough to read.
const EPISODE: usize = 250;

/// How long an episode may take.
const SECONDS: u32 = 100;

/// What is seen: a hash (FNV-1a), and the text, in a file, if asked for.
struct Log {
    hash: u64,
    full: Option<usize>,
}

impl Log {
    fn new(full: Option<usize>) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            full,
        }
    }
}

impl Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        if let Some(file) = self.full {
            sys::write(file, text.as_bytes());
        }
        Ok(())
    }
}

macro_rules! say {
    ($($arg:tt)*) => {
        let _ = writeln!(sys::Stdout, $($arg)*);
    };
}

/// Runs all episodes, or all to the one to be shown: what went before may matter.
fn run(seed: u64, operations: usize, look: usize, shown: Option<usize>) {
    let words = sys::shared_words(2 + 2 * ops::COUNT);
    let (hash, child_hash, counts) = (&words[0], &words[1], &words[2..]);
    kernel::calm();
    say!("seed {seed} operations {operations}");
    for number in 0..operations.div_ceil(EPISODE) {
        let count = EPISODE.min(operations - number * EPISODE);
        // To print it on the way takes so long that other things may happen.
        let full = (shown == Some(number)).then(|| {
            let file = sys::open(c"/tmp/fuzz.log", sys::O_RDWR | sys::O_CREAT);
            usize::try_from(file).expect("a file")
        });
        let status = sys::Child::start(|| {
            let log = Log::new(full);
            let mut episode = episode::Episode::new(seed, number, log, child_hash, counts, look);
            for index in 0..count {
                episode.step(index);
                hash.store(episode.hash(), Ordering::Relaxed);
            }
        })
        .wait();
        if let Some(file) = full {
            sys::must(Call::Lseek, [file, 0, 0]);
            let mut part = [0; 4096];
            while let n @ 1.. = sys::read(file, &mut part) {
                sys::write(1, &part[..n]);
            }
        }
        say!(
            "seed {seed} episode {number} ended {status} hash {:016x}",
            hash.load(Ordering::Relaxed)
        );
        if full.is_some() {
            return;
        }
    }
    for (name, count) in ops::names().zip(counts.chunks_exact(2)) {
        let [done, good] = [&count[0], &count[1]].map(|c| c.load(Ordering::Relaxed));
        say!("# {name}: {done} times, {good} without error");
    }
    print_vmstat();
}

/// Prints the counters that say which ways the kernel took.
fn print_vmstat() {
    let mut buffer = [0; 1 << 14];
    for line in sys::read_file(c"/proc/vmstat", &mut buffer).lines() {
        let told = [
            "pswp",
            "pgscan",
            "pageoutrun",
            "thp_",
            "pgfree",
            "pglazy",
            "pgdeact",
            "pgrotated",
            "ksm_",
            "cow_ksm",
        ]
        .iter()
        .any(|prefix| line.starts_with(prefix));
        if told && !line.ends_with(" 0") {
            say!("# vmstat {line}");
        }
    }
}

#[no_mangle]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let argument = |index: usize| {
        // SAFETY: argv has argc C strings, which live as long as the process.
        (index < argc as usize).then(|| unsafe { CStr::from_ptr(*argv.add(index)) })
    };
    let number = |index: usize| argument(index)?.to_str().ok()?.parse::<usize>().ok();
    match (number(1), number(2), number(3)) {
        (Some(seed), Some(operations), Some(look @ 1..)) => {
            run(seed as u64, operations, look, number(4));
            0
        }
        _ => {
            say!("use: fuzz SEED OPERATIONS LOOK [EPISODE]");
            2
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("fuzz: {info}");
    sys::exit(101)
}
