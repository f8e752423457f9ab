// SPDX-License-Identifier: GPL-2.0
//! What two threads get done beside each other, per second. Not in instructions: where the clock counts them there is one
//! processor.

use crate::{
    cases::{advise, split, DONTNEED, GUARD_INSTALL, GUARD_REMOVE},
    now,
    sys::{self, Call, Child},
    Memory,
};
use core::{
    fmt::{self, Write},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

const MILLISECONDS: u32 = 3000;

/// Pages that are dropped and faulted in.
const FAULTED: usize = 64;

/// Where a guard comes and goes, far from those pages. There is another guard, so that the mapping keeps its flag.
const GUARDED: usize = 1000;

fn fault(memory: Memory) -> u64 {
    advise(memory, 0, FAULTED, DONTNEED);
    memory.fill(FAULTED);
    FAULTED as u64
}

fn install(memory: Memory) -> u64 {
    advise(memory, GUARDED, 1, GUARD_INSTALL);
    advise(memory, GUARDED, 1, GUARD_REMOVE);
    1
}

type Work = (fn(Memory) -> u64, Memory);

/// Prints how often, per second, `counted` is done while `beside` is done again and again.
fn measure(name: &str, counted: Work, beside: Work) {
    let stop = AtomicBool::new(false);
    let rate = AtomicU64::new(0);
    let repeat = |(work, memory): Work| {
        let (start, mut count) = (now(), 0);
        while !stop.load(Ordering::Relaxed) {
            count += work(memory);
        }
        count * 1_000_000_000 / (now() - start).max(1) as u64
    };
    sys::in_threads(
        [&|| rate.store(repeat(counted), Ordering::Relaxed), &|| {
            repeat(beside);
        }],
        || {
            sys::sleep_ms(MILLISECONDS);
            stop.store(true, Ordering::Relaxed);
        },
    );
    let _ = writeln!(sys::Stdout, "{name}\t{}", rate.load(Ordering::Relaxed));
}

pub fn run() {
    let [one, other] = [Memory::new(), Memory::new()];
    for memory in [one, other] {
        advise(memory, GUARDED + 1, 1, GUARD_INSTALL);
    }
    measure(
        "faults, guards in the same mapping",
        (fault, one),
        (install, one),
    );
    measure(
        "faults, guards in another mapping",
        (fault, one),
        (install, other),
    );
    measure(
        "installs, guards in the same mapping",
        (install, one),
        (install, one),
    );
    measure(
        "installs, guards in another mapping",
        (install, one),
        (install, other),
    );
}

/// A number in decimal, as a string for a program.
struct Argument([u8; 12], usize);

impl Write for Argument {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.1 + text.len();
        // The last byte stays zero.
        self.0[..11]
            .get_mut(self.1..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.1 = end;
        Ok(())
    }
}

/// Lets guardmap look for 20 guards in a process with 2000 mappings, by the flag and without it. What it prints is not
/// of the same form, and is marked.
pub fn compare_ways_to_find_guards() {
    let memory = Memory::new();
    split::<1000>(memory);
    memory.fill(4000);
    for i in 0..20 {
        advise(memory, 200 * i, 1, GUARD_INSTALL);
    }
    let mut pid = Argument([0; 12], 0);
    let _ = write!(pid, "{}", sys::must(Call::Getpid, []));
    let (program, option) = (c"/tests/guardmap", c"--compare");
    let arguments = [
        program.as_ptr(),
        option.as_ptr(),
        pid.0.as_ptr().cast(),
        core::ptr::null(),
    ];
    let pipe = sys::pipe();
    let child = Child::start(|| {
        sys::must(Call::Dup3, [pipe[1], 1, 0]);
        sys::must(
            Call::Execve,
            [program.as_ptr().addr(), arguments.as_ptr().addr(), 0],
        );
    });
    sys::close(pipe[1] as isize);
    let mut text = [0; 8192];
    let mut len = 0;
    while let n @ 1.. = sys::read(pipe[0], &mut text[len..]) {
        len += n;
    }
    assert_eq!(child.wait(), 0, "guardmap");
    let text = core::str::from_utf8(&text[..len]).unwrap_or_default();
    for line in text.lines().filter(|line| line.contains(" us")) {
        let _ = writeln!(
            sys::Stdout,
            "# guardmap, 2000 mappings, 20 with guards: {}",
            line.trim()
        );
    }
}
