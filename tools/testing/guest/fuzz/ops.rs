// SPDX-License-Identifier: GPL-2.0
//! The operations. What they do depends on the random numbers, and on the mappings there are, which are compared, but not on
//! what else the kernel answers.

use crate::{
    episode::*,
    kernel::*,
    state,
    sys::{self, call, must, Call, Child, PAGE},
    Log, ARENA, PAGES,
};
use core::{ffi::CStr, fmt::Write, sync::atomic::Ordering};

const HWPOISON: isize = 100;
const SOFT_OFFLINE: isize = 101;

/// Advice that may be given to another process.
const REMOTE_ADVICE: [isize; 4] = [3, 20, 21, 25];

/// Advice that makes userfaultfd tell of pages that go.
const REMOVING_ADVICE: [isize; 4] = [DONTNEED, 8, 9, 24];

const NAMES: [Option<&CStr>; 10] = [
    None,
    None,
    Some(c"a"),
    Some(c"a"),
    Some(c"b"),
    Some(c"with space"),
    Some(c""),
    Some(c"0123456789012345678901234567890123456789012345678901234567890123456789012345678"),
    Some(c"01234567890123456789012345678901234567890123456789012345678901234567890123456789"),
    Some(c"no[brackets]"),
];

/// What can be mapped. Files are named by their place in [`Episode::files`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Anonymous,
    Droppable,
    Hugetlb,
    File(usize),
}

const HUGE_TMPFS: usize = 0;

const KINDS: [(Kind, usize); 9] = [
    (Kind::Anonymous, 60),
    (Kind::Droppable, 3),
    (Kind::Hugetlb, 3),
    (Kind::File(HUGE_TMPFS), 10),
    (Kind::File(1), 10),
    (Kind::File(2), 8),
    (Kind::File(3), 3),
    (Kind::File(4), 7),
    (Kind::File(5), 2),
];

pub type Operation = fn(&mut Episode) -> isize;

pub const OPERATIONS: [(&str, usize, Operation); 22] = [
    ("map", 26, Episode::map),
    ("unmap", 5, Episode::unmap),
    ("remap", 12, Episode::remap),
    ("protect", 12, Episode::protect),
    ("lock", 6, Episode::lock),
    ("unlock", 12, Episode::unlock),
    ("seal", 2, Episode::seal),
    ("read", 20, Episode::read),
    ("write", 28, Episode::write),
    ("advise", 80, Episode::advise),
    ("read+advise", 16, Episode::read_and_advise),
    ("write+advise", 40, Episode::write_and_advise),
    ("process_advise", 20, Episode::process_advise),
    ("remote_advise", 8, Episode::remote_advise),
    ("name", 14, Episode::name),
    ("fork", 6, Episode::fork),
    ("uffd", 12, Episode::uffd),
    ("uffd_event", 4, Episode::uffd_event),
    ("poison", 1, Episode::poison),
    ("thp_disable", 1, Episode::thp_disable),
    ("ksm", 1, Episode::ksm),
    ("io_uring", 8, Episode::io_uring),
];

pub const COUNT: usize = OPERATIONS.len();

pub fn names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().map(|(name, _, _)| *name)
}

fn madvise(range: Range, advice: isize) -> isize {
    call(Call::Madvise, [range.addr(), range.len(), advice as usize])
}

impl Episode {
    pub fn map_range(&mut self, mut range: Range, fixed: usize) -> isize {
        let mut kind = KINDS[self.rng.weighted(KINDS.iter().map(|(_, weight)| *weight))].0;
        let mut flags = fixed
            | self
                .rng
                .pick(&[sys::MAP_PRIVATE, sys::MAP_PRIVATE, sys::MAP_SHARED]);
        if self.guards == Guards::PrivateOnly {
            flags = fixed | sys::MAP_PRIVATE;
            if matches!(kind, Kind::File(_)) {
                kind = Kind::Anonymous;
            }
        }
        let mut offset = 0;
        match kind {
            Kind::Anonymous => {}
            Kind::Droppable => flags = fixed | sys::MAP_DROPPABLE,
            Kind::Hugetlb => {
                range.first -= range.first % HUGE;
                range.count = HUGE;
                flags |= sys::MAP_HUGETLB;
            }
            // Where pages of the file and of memory can be huge alike, and another part each time: two are not merged.
            Kind::File(HUGE_TMPFS) => offset = range.first + HUGE * self.maps,
            Kind::File(_) => offset = self.rng.below(100),
        }
        let fd = match kind {
            Kind::File(index) => self.files[index],
            _ => {
                flags |= sys::MAP_ANONYMOUS;
                -1
            }
        };
        for (percent, flag) in [(10, sys::MAP_POPULATE), (5, sys::MAP_NORESERVE)] {
            if self.rng.chance(percent) {
                flags |= flag;
            }
        }
        // What is locked from the start cannot have the guard that shared memory begins with.
        let lock = kind == Kind::Anonymous && self.rng.chance(3);
        if lock && flags & sys::MAP_SHARED == 0 {
            flags |= sys::MAP_LOCKED;
        }
        self.maps += 1;
        let prot = self.rng.pick(&[3, 3, 3, 3, 3, 3, 3, 1, 1, 0, 5, 7]);
        note!(
            self,
            " {range} {kind:?} prot {prot} flags {flags:x} offset {offset:x}"
        );
        let shared = flags & sys::MAP_SHARED != 0;
        let is_anonymous = !shared && !matches!(kind, Kind::File(_));
        let guarded = self.guards == Guards::Everywhere && !is_anonymous;
        let first_prot = if guarded && !shared {
            sys::PROT_READ | sys::PROT_WRITE
        } else {
            prot
        };
        let addr = sys::mmap(range.addr(), range.len(), first_prot, flags, fd, offset);
        if addr as usize != range.addr() {
            return addr;
        }
        if guarded {
            // What is written to a private mapping of a file makes for an anon_vma on every kernel.
            if !shared || self.rng.chance(50) {
                self.write_range(Range { count: 1, ..range });
            }
            if first_prot != prot {
                must(Call::Mprotect, [range.addr(), range.len(), prot]);
            }
            let first = Range { count: 1, ..range };
            note!(self, " {}", madvise(first, GUARD_INSTALL));
            if !state::has_whole_file_mapping(&mut self.buffers, &[[first.addr(), first.len()]]) {
                note!(self, " {}", madvise(first, GUARD_REMOVE));
            }
        }
        0
    }

    fn map(&mut self) -> isize {
        let range = self.range();
        let fixed = self
            .rng
            .pick(&[sys::MAP_FIXED, sys::MAP_FIXED, sys::MAP_FIXED_NOREPLACE]);
        self.map_range(range, fixed)
    }

    fn unmap(&mut self) -> isize {
        let range = self.range();
        note!(self, " {range}");
        call(Call::Munmap, [range.addr(), range.len()])
    }

    fn remap(&mut self) -> isize {
        let old = self.range();
        let mut new = self.range();
        let flags = match self.rng.below(10) {
            0..=2 => 0,
            // What is left behind has lost its anon_vma, but not our flag: a child gets a copy of its page tables.
            3..=5 if self.guards == Guards::Nowhere => {
                sys::MREMAP_MAYMOVE | sys::MREMAP_FIXED | sys::MREMAP_DONTUNMAP
            }
            _ => sys::MREMAP_MAYMOVE | sys::MREMAP_FIXED,
        };
        // DONTUNMAP needs equal lengths.
        if flags & sys::MREMAP_DONTUNMAP != 0 || self.rng.chance(50) {
            new.count = old.count.min(PAGES - new.first);
        }
        if flags == 0 {
            // It grows in place: not out of the arena.
            new.count = new.count.min(PAGES - old.first);
        }
        note!(self, " {old} to {new} flags {flags}");
        let args = [old.addr(), old.len(), new.len(), flags, new.addr()];
        match call(Call::Mremap, args) {
            addr if addr >= ARENA as isize => addr - ARENA as isize,
            error => error,
        }
    }

    fn protect(&mut self) -> isize {
        let range = self.range();
        let prot = self.rng.pick(&[0, 1, 1, 3, 3, 3, 3, 3]);
        note!(self, " {range} prot {prot}");
        if self.pkey > 0 && self.rng.chance(20) {
            note!(self, " with a key");
            let args = [range.addr(), range.len(), prot, self.pkey as usize];
            return call(Call::PkeyMprotect, args);
        }
        call(Call::Mprotect, [range.addr(), range.len(), prot])
    }

    fn lock(&mut self) -> isize {
        let range = self.small_range();
        let flags = self.rng.pick(&[0, sys::MLOCK_ONFAULT]);
        note!(self, " {range} flags {flags}");
        call(Call::Mlock2, [range.addr(), range.len(), flags])
    }

    fn unlock(&mut self) -> isize {
        let range = self.range();
        note!(self, " {range}");
        call(Call::Munlock, [range.addr(), range.len()])
    }

    /// Passes over ranges with a sealed part between others, in which the stock kernel loses its place.
    fn seal(&mut self) -> isize {
        let range = self.small_range();
        note!(self, " {range}");
        let pages = &mut self.sealed[range.first..range.first + range.count];
        let mut behind = pages
            .iter()
            .skip_while(|sealed| **sealed)
            .skip_while(|sealed| !**sealed)
            .skip_while(|sealed| **sealed);
        if behind.next().is_some() {
            return 0;
        }
        let result = call(Call::Mseal, [range.addr(), range.len(), 0]);
        if result == 0 {
            pages.fill(true);
        }
        result
    }

    fn read(&mut self) -> isize {
        let range = self.range();
        self.read_range(range);
        0
    }

    fn write(&mut self) -> isize {
        let range = self.range();
        self.write_range(range);
        0
    }

    fn advise(&mut self) -> isize {
        let (addr, len) = self.any_range();
        let advice = self.advice(&[[addr, len]]);
        self.call_as_someone(Call::Madvise, [addr, len, advice as usize])
    }

    /// Advice for pages that were read just now, and wait to be put on a list.
    fn read_and_advise(&mut self) -> isize {
        let range = self.range();
        self.read_range(range);
        let advice = self.advice(&[[range.addr(), range.len()]]);
        madvise(range, advice)
    }

    /// Advice for pages that were written just now, for some of them and what is beside them, or twice.
    fn write_and_advise(&mut self) -> isize {
        let mut range = self.range();
        self.write_range(range);
        if self.rng.chance(30) {
            range.first += self.rng.below(range.count);
            range.count = range.count.min(PAGES - range.first);
        }
        let advice = self.advice(&[[range.addr(), range.len()]]);
        let result = madvise(range, advice);
        if self.rng.chance(70) {
            return result;
        }
        note!(self, " = {result}, then");
        let advice = self.advice(&[[range.addr(), range.len()]]);
        madvise(range, advice)
    }

    /// Ranges for process_madvise().
    fn ranges<'a>(&mut self, space: &'a mut [[usize; 2]; 1025]) -> &'a [[usize; 2]] {
        let count = match self.rng.below(20) {
            0 => 0,
            1 => 1025,
            2 => 40,
            _ => 1 + self.rng.below(4),
        };
        let used = &mut space[..count];
        for entry in used.iter_mut() {
            *entry = if count > 4 {
                let range = self.range();
                [range.addr(), range.len()]
            } else {
                self.any_range().into()
            };
        }
        note!(self, " {count} ranges");
        used
    }

    fn process_advise(&mut self) -> isize {
        let pidfd = match self.rng.below(10) {
            0..=3 => sys::PIDFD_SELF_THREAD,
            4 | 5 => sys::PIDFD_SELF_THREAD_GROUP,
            6 | 7 => self.own_pidfd,
            8 => self.dead_pidfd,
            _ => self.rng.pick(&[-1, -10002, 0, 1000]),
        };
        let mut space = [[0; 2]; 1025];
        let ranges = self.ranges(&mut space);
        let addr = if self.rng.chance(4) {
            PAGE
        } else {
            ranges.as_ptr().addr()
        };
        let flags = usize::from(self.rng.chance(4));
        note!(self, " flags {flags}");
        let advice = self.advice(ranges) as usize;
        let args = [pidfd as usize, addr, ranges.len(), advice, flags];
        self.call_as_someone(Call::ProcessMadvise, args)
    }

    /// Advice for a child, which has pages of its own by then.
    fn remote_advise(&mut self) -> isize {
        let mut space = [[0; 2]; 1025];
        let ranges = self.ranges(&mut space);
        let written = self.range();
        let stripped = self.rng.chance(30);
        let advice = if self.rng.chance(75) {
            let advice = self.rng.pick(&REMOTE_ADVICE);
            note!(self, " advice {advice}");
            advice
        } else {
            self.advice(ranges)
        };
        note!(self, " stripped {stripped}");
        let (ready, go) = (sys::pipe(), sys::pipe());
        let child = Child::start(|| {
            self.log = Log::new(self.log.full);
            self.write_range(written);
            if stripped {
                sys::set_capabilities(0, 0);
            }
            sys::write(ready[1], &[0]);
            sys::read(go[0], &mut [0]);
            self.show();
            self.child_hash.store(self.log.hash, Ordering::Relaxed);
        });
        let pidfd = call(Call::PidfdOpen, [child.pid(), 0]);
        sys::read(ready[0], &mut [0]);
        let args = [
            pidfd as usize,
            ranges.as_ptr().addr(),
            ranges.len(),
            advice as usize,
            0,
        ];
        let result = self.call_as_someone(Call::ProcessMadvise, args);
        sys::write(go[1], &[0]);
        self.wait(child);
        for fd in [ready[0], ready[1], go[0], go[1], pidfd as usize] {
            sys::close(fd as isize);
        }
        result
    }

    fn name(&mut self) -> isize {
        let (addr, len) = self.any_range();
        let name = self.rng.pick(&NAMES);
        let bad = self.rng.chance(3);
        note!(self, " {name:?} {bad}");
        let name = match name {
            _ if bad => PAGE,
            Some(name) => name.as_ptr().addr(),
            None => 0,
        };
        call(Call::Prctl, [sys::PR_SET_VMA, 0, addr, len, name])
    }

    /// A child reads, writes and shows what it has.
    fn fork(&mut self) -> isize {
        let (read, written) = (self.range(), self.range());
        self.in_child(|child| {
            child.show();
            child.read_range(read);
            child.write_range(written);
            child.show();
        });
        0
    }

    /// Userfaultfd for missing and write-protected pages; who touches such a page gets SIGBUS.
    fn uffd(&mut self) -> isize {
        if self.uffd < 0 {
            self.uffd = new_uffd(0);
        }
        let range = self.small_range();
        let (addr, len) = (range.addr() as u64, range.len() as u64);
        let mode = self.rng.pick(&[1, 2, 2, 3]);
        let what = self.rng.below(9);
        note!(self, " {range} {what} mode {mode}");
        let fd = self.uffd;
        match what {
            0..=2 => ioctl(fd, UFFDIO_REGISTER, &mut [addr, len, mode, 0]),
            3 => ioctl(fd, UFFDIO_UNREGISTER, &mut [addr, len]),
            // The stock kernel puts the page in the place of a guard, but none of zeros.
            4 if state::is_guard(range.addr()) => {
                let mut args = [addr, PAGE as u64, 0, 0];
                let result = ioctl(fd, UFFDIO_ZEROPAGE, &mut args);
                note!(self, " {:x}", args[3]);
                result
            }
            4 => {
                let from = self.scratch as u64;
                let mut args = [addr, from, PAGE as u64, 0, 0];
                let result = ioctl(fd, UFFDIO_COPY, &mut args);
                note!(self, " {:x}", args[4]);
                result
            }
            5 => {
                let mut args = [addr, len, 0, 0];
                let result = ioctl(fd, UFFDIO_ZEROPAGE, &mut args);
                note!(self, " {:x}", args[3]);
                result
            }
            6 => {
                let mut args = [addr, PAGE as u64, 0, 0];
                let result = ioctl(fd, UFFDIO_POISON, &mut args);
                note!(self, " {:x}", args[3]);
                result
            }
            _ => ioctl(
                fd,
                UFFDIO_WRITEPROTECT,
                &mut [addr, len, u64::from(mode != 1)],
            ),
        }
    }

    /// Advice that removes pages, while another process reads the events of userfaultfd: the caller waits for it.
    fn uffd_event(&mut self) -> isize {
        let range = self.range();
        let fd = new_uffd(UFFD_FEATURE_EVENT_REMOVE);
        let (addr, len, end) = (range.addr() as u64, range.len() as u64, self.scratch + PAGE);
        note!(self, " {range}");
        let registered = ioctl(fd, UFFDIO_REGISTER, &mut [addr, len, 1, 0]);
        // The event of this page says that no more will come.
        let last = ioctl(fd, UFFDIO_REGISTER, &mut [end as u64, PAGE as u64, 1, 0]);
        assert_eq!(last, 0, "userfaultfd takes private memory");
        note!(self, " registered {registered}");
        let reader = Child::start(|| {
            self.log = Log::new(self.log.full);
            loop {
                let mut event = [0_u64; 4];
                must(Call::Read, [fd as usize, (&raw mut event).addr(), 32]);
                if event[1] == end as u64 {
                    break;
                }
                let [kind, from, to] = [
                    event[0] & 0xff,
                    event[1] - ARENA as u64,
                    event[2] - ARENA as u64,
                ];
                note!(self, " event {kind:x} {from:x}-{to:x}");
            }
            self.child_hash.store(self.log.hash, Ordering::Relaxed);
        });
        let advised = self.range();
        let advice = self.rng.pick(&REMOVING_ADVICE);
        let result = if self.rng.chance(50) {
            note!(self, " {advised} advice {advice}");
            madvise(advised, advice)
        } else {
            let ranges = [[range.addr(), range.len()], [advised.addr(), advised.len()]];
            note!(self, " and {advised} advice {advice}");
            let args = [
                sys::PIDFD_SELF_THREAD as usize,
                ranges.as_ptr().addr(),
                2,
                advice as usize,
                0,
            ];
            call(Call::ProcessMadvise, args)
        };
        must(Call::Madvise, [end, PAGE, DONTNEED as usize]);
        self.wait(reader);
        sys::close(fd);
        result
    }

    /// Poisons or offlines a page with data. Pages without would be the one zero page of all.
    fn poison(&mut self) -> isize {
        let first = self.page();
        let range = Range { first, count: 1 };
        let advice = self.rng.pick(&[HWPOISON, SOFT_OFFLINE]);
        note!(self, " {first:x} advice {advice}");
        if let Err(fault) = sys::poke(range.addr(), 1) {
            note!(self, " {fault}");
            return 0;
        }
        let result = self.call_as_someone(Call::Madvise, [range.addr(), PAGE, advice as usize]);
        if let Err(fault) = sys::take_fault() {
            note!(self, " {fault}");
        }
        result
    }

    /// Merges pages that are alike, as far as it goes.
    fn ksm(&mut self) -> isize {
        let range = self.range();
        self.write_range(range);
        let result = madvise(range, MERGEABLE);
        // With nothing to merge there are no scans.
        must(Call::Madvise, [self.scratch, PAGE, MERGEABLE as usize]);
        sys::write_file(c"/sys/kernel/mm/ksm/run", "1");
        let end = ksm_scans() + 4;
        while ksm_scans() < end {
            sys::sleep_ms(2);
        }
        sys::write_file(c"/sys/kernel/mm/ksm/run", "0");
        result
    }

    /// Advice by io_uring, whose workers are threads of this process.
    fn io_uring(&mut self) -> isize {
        let (addr, len) = self.any_range();
        let advice = self.advice(&[[addr, len]]);
        match &mut self.ring {
            Some(ring) => ring.advise(addr, len, advice),
            none => none.insert(Ring::new()).advise(addr, len, advice),
        }
    }

    fn thp_disable(&mut self) -> isize {
        let value = self.rng.below(2);
        note!(self, " {value}");
        call(Call::Prctl, [sys::PR_SET_THP_DISABLE, value, 0, 0, 0])
    }
}
