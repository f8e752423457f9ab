// SPDX-License-Identifier: GPL-2.0
//! An episode: a process with its arena, the choice of ranges and advice in it, and what is logged of it.

use crate::{
    kernel::Ring,
    ops::OPERATIONS,
    rng::Rng,
    state,
    sys::{self, call, must, Call, Child, PAGE},
    Log, ARENA, PAGES, SECONDS,
};
use core::{
    ffi::CStr,
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

/// Pages of a huge page on the 64-bit architectures.
pub const HUGE: usize = 512;

/// How often the state is logged before all pages are read, which takes even longer.
const STATES_PER_CONTENT: usize = 25;

/// The most pages that one operation touches.
const TOUCHED: usize = 40;

const NO_CAPABILITIES: u64 = 0;
const NICE_CAPABILITY: u64 = 1 << 23;
pub const ALL_CAPABILITIES: u64 = !0;

pub const GUARD_INSTALL: isize = 102;
pub const GUARD_REMOVE: isize = 103;
const NORMAL: isize = 0;
pub const DONTNEED: isize = 4;
pub const MERGEABLE: isize = 12;

/// Stands for values that are no advice.
const BAD: isize = -1000;
/// Advice and how often it is given
const ADVICE: [(isize, usize); 26] = [
    (0, 3),         // NORMAL
    (1, 2),         // RANDOM
    (2, 2),         // SEQUENTIAL
    (3, 6),         // WILLNEED
    (DONTNEED, 8),  // DONTNEED
    (8, 10),        // FREE
    (9, 4),         // REMOVE
    (10, 3),        // DONTFORK
    (11, 2),        // DOFORK
    (MERGEABLE, 3), // MERGEABLE
    (13, 3),        // UNMERGEABLE
    (14, 6),        // HUGEPAGE
    (15, 3),        // NOHUGEPAGE
    (16, 3),        // DONTDUMP
    (17, 3),        // DODUMP
    (18, 3),        // WIPEONFORK
    (19, 2),        // KEEPONFORK
    (20, 8),        // COLD
    (21, 12),       // PAGEOUT
    (22, 4),        // POPULATE_READ
    (23, 5),        // POPULATE_WRITE
    (24, 4),        // DONTNEED_LOCKED
    (25, 7),        // COLLAPSE
    (GUARD_INSTALL, 12),
    (GUARD_REMOVE, 7),
    (BAD, 4),
];

const BAD_ADVICE: [isize; 9] = [-1, -2, 5, 7, 26, 99, 104, 0x7fff_ffff, -0x8000_0000];

/// Files that are open for mapping.
pub const FILES: usize = 6;

/// Where an episode has guards. The stock kernel gives a mapping of a file, or of shared memory, an anon_vma with its first
/// guard, which ours does not: parts that got different ones are not merged. With a guard in each such mapping from the
/// start, and something written to each private one, or with no guards, there is no such difference. Nor is there when the
/// guards of such a mapping are not removed from all of it at once: then ours forgets them, and a child has none of its pages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Guards {
    Everywhere,
    Nowhere,
    /// All memory is private, and guards are everywhere.
    PrivateOnly,
}

/// Pages of the arena.
#[derive(Clone, Copy)]
pub struct Range {
    pub first: usize,
    pub count: usize,
}

impl Range {
    pub fn addr(self) -> usize {
        ARENA + self.first * PAGE
    }

    pub fn len(self) -> usize {
        self.count * PAGE
    }

    /// The addresses of the pages to touch: all, or some that are evenly spread.
    pub fn touched(self) -> impl Iterator<Item = usize> {
        (self.addr()..self.addr() + self.len()).step_by(self.count.div_ceil(TOUCHED) * PAGE)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}+{:x}", self.first, self.count)
    }
}

/// One process with its arena.
pub struct Episode {
    pub rng: Rng,
    pub log: Log,
    pub buffers: state::Buffers,
    pub counts: &'static [AtomicU64],
    pub child_hash: &'static AtomicU64,
    /// Ends of earlier ranges: where mappings begin and end, so that operations meet there.
    pub points: [usize; 16],
    pub next_point: usize,
    pub files: [isize; FILES],
    pub maps: usize,
    pub guards: Guards,
    /// The pages that are sealed, and stay so.
    pub sealed: [bool; PAGES],
    pub uffd: isize,
    pub ring: Option<Ring>,
    pub pkey: isize,
    pub own_pidfd: isize,
    pub dead_pidfd: isize,
    /// Two pages outside the arena: one to lock and unlock, one for userfaultfd.
    pub scratch: usize,
    pub step: usize,
    /// After how many operations the state is logged, which takes longer than the operations.
    pub look: usize,
    /// Whether huge pages are used without advice, and ranges fit them more often.
    pub large: bool,
}

macro_rules! note {
    ($episode:expr, $($arg:tt)*) => {{
        let _ = write!($episode.log, $($arg)*);
    }};
}
pub(crate) use note;

/// A new file of some pages, the first 64 of which have data.
fn new_file(path: &CStr, pages: usize) -> isize {
    sys::unlink(path);
    let fd = sys::open(path, sys::O_RDWR | sys::O_CREAT);
    let mut data = [0; PAGE];
    for page in 0..64 {
        data[..2].copy_from_slice(&[page, 0xda]);
        sys::write(fd as usize, &data);
    }
    must(Call::Ftruncate, [fd as usize, pages * PAGE]);
    must(Call::Fsync, [fd as usize]);
    fd
}

impl Episode {
    pub fn new(
        seed: u64,
        number: usize,
        log: Log,
        child_hash: &'static AtomicU64,
        counts: &'static [AtomicU64],
        look: usize,
    ) -> Self {
        sys::set_up_signals(SECONDS);
        let memfd = call(Call::MemfdCreate, [c"fuzz".as_ptr().addr(), 0]);
        must(Call::Ftruncate, [memfd as usize, 200 * PAGE]);
        let secret = call(Call::MemfdSecret, [0]);
        call(Call::Ftruncate, [secret as usize, 64 * PAGE]);
        let huge_tmpfs = new_file(c"/tmp/huge/fuzz", 300 * HUGE);
        let disk = new_file(c"/mnt/fuzz", 200);
        let foreign = new_file(c"/mnt/foreign", 200);
        must(Call::Fchown, [foreign as usize, 1, 1]);
        sys::close(foreign);
        let dead = Child::start(|| ());
        let dead_pidfd = call(Call::PidfdOpen, [dead.pid(), 0]);
        dead.wait();
        let flags = sys::MAP_PRIVATE | sys::MAP_ANONYMOUS;
        let scratch = sys::mmap(0, 2 * PAGE, sys::PROT_READ | sys::PROT_WRITE, flags, -1, 0);
        // Elsewhere numbers and features of keys differ.
        let pkey = if cfg!(target_arch = "x86_64") {
            call(Call::PkeyAlloc, [0, 2])
        } else {
            -1
        };
        let mut episode = Self {
            rng: Rng::new(seed, number as u64),
            log,
            buffers: state::Buffers::new(),
            counts,
            child_hash,
            points: [0; 16],
            next_point: 0,
            files: [
                huge_tmpfs,
                memfd,
                disk,
                sys::open(c"/mnt/fuzz", 0),
                sys::open(c"/mnt/foreign", 0),
                secret,
            ],
            maps: 0,
            guards: Guards::Everywhere,
            sealed: [false; PAGES],
            uffd: -1,
            ring: None,
            pkey,
            own_pidfd: call(Call::PidfdOpen, [must(Call::Getpid, []), 0]),
            dead_pidfd,
            scratch: scratch as usize,
            step: 0,
            look,
            large: false,
        };
        episode.furnish();
        episode
    }

    pub fn hash(&self) -> u64 {
        self.log.hash
    }

    /// Maps something nearly everywhere: large mappings, with huge pages where that is possible, or small ones.
    fn furnish(&mut self) {
        if self.rng.chance(50) {
            call(Call::Prctl, [sys::PR_SET_TAGGED_ADDR_CTRL, 1, 0, 0, 0]);
        }
        self.guards = self.rng.pick(&[
            Guards::Everywhere,
            Guards::Everywhere,
            Guards::Nowhere,
            Guards::PrivateOnly,
        ]);
        note!(self, "guards {:?}\n", self.guards);
        self.large = self.rng.chance(50);
        let (private, shared) = if self.large {
            ("always", "always")
        } else {
            ("madvise", "advise")
        };
        sys::write_file(c"/sys/kernel/mm/transparent_hugepage/enabled", private);
        sys::write_file(c"/sys/kernel/mm/transparent_hugepage/shmem_enabled", shared);
        let mut first = 0;
        while first < PAGES {
            let count = if self.large {
                HUGE * (1 + self.rng.below(2))
            } else {
                32 + self.rng.below(400)
            };
            let count = count.min(PAGES - first);
            if self.rng.chance(90) {
                note!(self, "furnish");
                let result = self.map_range(Range { first, count }, sys::MAP_FIXED);
                note!(self, " = {result}\n");
            }
            first += count;
        }
        self.show();
    }

    /// Runs one operation and logs what there is to see after it.
    pub fn step(&mut self, step: usize) {
        self.step = step;
        let index = self
            .rng
            .weighted(OPERATIONS.iter().map(|(_, weight, _)| *weight));
        let (name, _, operation) = OPERATIONS[index];
        note!(self, "{step} {name}");
        let result = operation(self);
        note!(self, " = {result}");
        self.counts[2 * index].fetch_add(1, Ordering::Relaxed);
        self.counts[2 * index + 1].fetch_add(u64::from(result >= 0), Ordering::Relaxed);
        let done = step + 1;
        if done % (STATES_PER_CONTENT * self.look) == 0 {
            self.log_content();
        }
        if done % self.look == 0 {
            self.show();
        } else {
            note!(self, "\n");
        }
    }

    /// Logs the state. Pages that wait to be put on an LRU list are put there first: how many wait depends on all that
    /// runs on the processor.
    pub fn show(&mut self) {
        call(Call::Mlock, [self.scratch, PAGE]);
        call(Call::Munlock, [self.scratch, PAGE]);
        state::log(&mut self.log, &mut self.buffers);
    }

    /// Logs what is in the pages. A child reads them, so that this process's page tables stay as they are.
    fn log_content(&mut self) {
        self.in_child(|child| {
            child.peek((ARENA..ARENA + PAGES * PAGE).step_by(PAGE));
        });
    }

    /// Runs `work` in a child, and logs the hash of its log.
    pub fn in_child(&mut self, work: impl FnOnce(&mut Self)) {
        let child = Child::start(|| {
            self.log = Log::new(self.log.full);
            work(self);
            self.child_hash.store(self.log.hash, Ordering::Relaxed);
        });
        self.wait(child);
    }

    pub fn wait(&mut self, child: Child) {
        let status = child.wait();
        let hash = self.child_hash.load(Ordering::Relaxed);
        note!(self, " child {status} {hash:x}");
    }

    /// A page: any, the first of a huge page, or one near the ends of an earlier range.
    pub fn page(&mut self) -> usize {
        let page = match self.rng.below(10) {
            0..=3 => self.rng.below(PAGES),
            4 => HUGE * self.rng.below(PAGES / HUGE),
            _ => (self.rng.pick(&self.points) + self.rng.below(3)).saturating_sub(1),
        };
        page.min(PAGES - 1)
    }

    pub fn range(&mut self) -> Range {
        let mut first = self.page();
        let count = match self.rng.below(20) {
            0..=5 => 1,
            6..=12 => 2 + self.rng.below(7),
            13..=15 => 9 + self.rng.below(56),
            16 | 17 if !self.large => 65 + self.rng.below(300),
            _ => {
                first -= first % HUGE;
                HUGE * (1 + self.rng.below(2))
            }
        };
        let count = count.min(PAGES - first);
        for point in [first, first + count] {
            self.points[self.next_point % self.points.len()] = point;
            self.next_point += 1;
        }
        Range { first, count }
    }

    /// For what bars the way of other operations.
    pub fn small_range(&mut self) -> Range {
        let range = self.range();
        Range {
            count: range.count.min(24),
            ..range
        }
    }

    /// A range that the kernel may find fault with. None has memory of this program in it.
    fn odd_range(&mut self) -> (usize, usize) {
        let range = self.range();
        let (addr, len) = (range.addr(), range.len());
        match self.rng.below(10) {
            0 => (addr + 1 + self.rng.below(PAGE - 1), len),
            1 => (addr, 0),
            2 => (addr, len - self.rng.below(PAGE)),
            3 => (addr, usize::MAX - self.rng.below(PAGE - 1)),
            4 => (addr, usize::MAX - PAGE + 1 - len),
            5 => (0_usize.wrapping_sub(2 * PAGE), PAGE),
            6 => (0_usize.wrapping_sub(2 * PAGE), 2 * PAGE),
            7 => (ARENA - 2 * PAGE, 2 * PAGE + len),
            8 => (ARENA + (PAGES - 1) * PAGE, 2 * PAGE),
            // A tag, where addresses have room for one.
            _ => (
                addr | (0x5a << 24 << (usize::BITS - 32)) & !(u32::MAX as usize),
                len,
            ),
        }
    }

    /// Mostly a range of the arena.
    pub fn any_range(&mut self) -> (usize, usize) {
        let (addr, len) = if self.rng.chance(12) {
            self.odd_range()
        } else {
            let range = self.range();
            (range.addr(), range.len())
        };
        note!(self, " {:x}+{len:x}", addr.wrapping_sub(ARENA));
        (addr, len)
    }

    /// Advice for ranges, of an address and a length each.
    pub fn advice(&mut self, ranges: &[[usize; 2]]) -> isize {
        let advice = match ADVICE[self.rng.weighted(ADVICE.iter().map(|(_, weight)| *weight))] {
            (BAD, _) => self.rng.pick(&BAD_ADVICE),
            (GUARD_INSTALL, _) if self.guards == Guards::Nowhere => GUARD_REMOVE,
            (advice, _) => advice,
        };
        let advice = match advice {
            GUARD_REMOVE if state::has_whole_file_mapping(&mut self.buffers, ranges) => NORMAL,
            _ => advice,
        };
        note!(self, " advice {advice}");
        advice
    }

    /// Makes a call, now and then with fewer capabilities.
    pub fn call_as_someone<const N: usize>(&mut self, number: Call, args: [usize; N]) -> isize {
        let capabilities = match self.rng.below(12) {
            0 => NO_CAPABILITIES,
            1 => ALL_CAPABILITIES & !NICE_CAPABILITY,
            _ => return call(number, args),
        };
        note!(self, " capabilities {capabilities:x}");
        sys::set_capabilities(ALL_CAPABILITIES, capabilities);
        let result = call(number, args);
        sys::set_capabilities(ALL_CAPABILITIES, ALL_CAPABILITIES);
        result
    }

    /// Reads pages, and logs where what is found changes.
    pub fn peek(&mut self, addresses: impl Iterator<Item = usize>) {
        let mut last = Ok(0);
        for addr in addresses {
            let found = sys::peek(addr);
            match found {
                _ if found == last => continue,
                Ok(value) => note!(self, " {:x}:{value:x}", (addr - ARENA) / PAGE),
                Err(fault) => note!(self, " {:x}:{fault}", (addr - ARENA) / PAGE),
            }
            last = found;
        }
    }

    pub fn read_range(&mut self, range: Range) {
        note!(self, " {range}");
        self.peek(range.touched());
    }

    pub fn write_range(&mut self, range: Range) {
        note!(self, " {range}");
        // Few values, so that there are pages alike.
        let value = 1 + (self.step % 3) as u32;
        let mut last = Ok(());
        for addr in range.touched() {
            let result = sys::poke(addr, value);
            if result != last {
                let page = (addr - ARENA) / PAGE;
                match result {
                    Ok(()) => note!(self, " {page:x}:ok"),
                    Err(fault) => note!(self, " {page:x}:{fault}"),
                }
            }
            last = result;
        }
    }
}
