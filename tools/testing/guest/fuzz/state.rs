// SPDX-License-Identifier: GPL-2.0
//! What can be seen of the arena: its mappings, and its pages.

use crate::{
    sys::{self, Call, PAGE},
    Log, ARENA, PAGES,
};
use core::{array, fmt::Write};

/// Bits of a word of /proc/PID/pagemap.
const PRESENT: u64 = 1 << 63;
const GUARD: u64 = 1 << 58;
const SWAPPED: u64 = 1 << 62;
const PFN: u64 = (1 << 55) - 1;

/// Flags of /proc/kpageflags that have a fixed meaning (the ones from 34 on differ from kernel to kernel) and depend on this
/// process alone: a page that comes back from swap is active or not depending on the sizes of all lists.
const KPF: u64 = ((1 << 34) - 1) & !(1 << 6);

/// What is not compared: `Size` says nothing new.
const IGNORED_FIELDS: [&str; 4] = ["Size:", "KernelPageSize:", "MMUPageSize:", "Guard:"];

/// Memory to read files into.
pub struct Buffers {
    text: [u8; 1 << 19],
    pagemap: [u64; PAGES],
    flags: [u64; PAGES],
    resident: [u8; PAGES],
}

impl Buffers {
    pub const fn new() -> Self {
        Self {
            text: [0; 1 << 19],
            pagemap: [0; PAGES],
            flags: [0; PAGES],
            resident: [0; PAGES],
        }
    }
}

/// The addresses in a line that begins a mapping: `7f12c000-7f13c000 rw-p …`.
fn addresses(line: &str) -> Option<(usize, usize)> {
    let (from, to) = line.split(' ').next()?.split_once('-')?;
    Some((
        usize::from_str_radix(from, 16).ok()?,
        usize::from_str_radix(to, 16).ok()?,
    ))
}

/// Whether a mapping of a file, or of shared memory, lies in one of the ranges, of an address and a length each.
pub fn has_whole_file_mapping(buffers: &mut Buffers, ranges: &[[usize; 2]]) -> bool {
    /// Without the tag.
    const ADDRESS: usize = (u64::MAX >> 8) as usize;
    let text = sys::read_file(c"/proc/self/maps", &mut buffers.text);
    text.lines().any(|line| {
        let is_file = line.split(' ').nth(4) != Some("0");
        let Some((from, to)) = addresses(line).filter(|_| is_file) else {
            return false;
        };
        ranges.iter().any(|[addr, len]| {
            let addr = addr & ADDRESS;
            addr <= from && to <= addr.saturating_add(len.saturating_add(PAGE - 1))
        })
    })
}

/// The number of a page of the arena.
fn page(addr: usize) -> Option<usize> {
    let number = addr.checked_sub(ARENA)? / PAGE;
    (number <= PAGES).then_some(number)
}

/// Logs each mapping in the arena, and asks which of its pages are in memory.
fn mappings(log: &mut Log, text: &str, resident: &mut [u8; PAGES]) {
    let mut inside = false;
    for line in text.lines() {
        if let Some((from, to)) = addresses(line) {
            let range = page(from).zip(page(to));
            inside = range.is_some();
            if let Some((from, to)) = range {
                let args = [
                    ARENA + from * PAGE,
                    (to - from) * PAGE,
                    resident[from..].as_mut_ptr().addr(),
                ];
                let result = sys::call(Call::Mincore, args);
                // Device and inode differ from run to run.
                let mut words = line.split_ascii_whitespace().skip(1);
                let (perms, offset) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                let _ = write!(
                    log,
                    "\n  {from:03x}-{to:03x} {perms} {offset} mincore={result}"
                );
                for word in words.skip(2) {
                    let _ = write!(log, " {word}");
                }
            }
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
            for flag in flags.split_ascii_whitespace().filter(|flag| *flag != "gu") {
                let _ = write!(log, " {flag}");
            }
        } else if inside {
            let mut words = line.split_ascii_whitespace();
            let (name, value) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            if value != "0" && !IGNORED_FIELDS.contains(&name) {
                let _ = write!(log, " {name}{value}");
            }
        }
    }
}

/// Reads the flags of the pages that are present, runs of neighbours at once.
fn page_flags(fd: usize, pagemap: &[u64; PAGES], flags: &mut [u64; PAGES]) {
    let pfn = |entry: u64| (entry & (PRESENT | SWAPPED) == PRESENT).then_some(entry & PFN);
    let mut first = 0;
    while first < PAGES {
        let Some(start) = pfn(pagemap[first]).filter(|pfn| *pfn != 0) else {
            first += 1;
            continue;
        };
        let neighbours =
            (1..PAGES - first).take_while(|i| pfn(pagemap[first + i]) == Some(start + *i as u64));
        let count = 1 + neighbours.count();
        sys::read_numbers(fd, start as usize, &mut flags[first..first + count]);
        first += count;
    }
}

/// Whether a page is a guard.
pub fn is_guard(addr: usize) -> bool {
    let mut word = [0];
    let fd = sys::open(c"/proc/self/pagemap", 0) as usize;
    sys::read_numbers(fd, addr / PAGE, &mut word);
    sys::close(fd as isize);
    word[0] & GUARD != 0
}

/// Logs the state of this process's arena.
pub fn log(log: &mut Log, buffers: &mut Buffers) {
    let Buffers {
        text,
        pagemap,
        flags,
        resident,
    } = buffers;
    flags.fill(0);
    resident.fill(0);
    mappings(log, sys::read_file(c"/proc/self/smaps", text), resident);

    let fd = sys::open(c"/proc/self/pagemap", 0) as usize;
    sys::read_numbers(fd, ARENA / PAGE, pagemap);
    sys::close(fd as isize);
    let fd = sys::open(c"/proc/kpageflags", 0);
    // A process without capabilities sees neither flags nor page frame numbers.
    if fd >= 0 {
        page_flags(fd as usize, pagemap, flags);
        sys::close(fd);
    }

    // Pages alike are one line: pagemap's flags, kpageflags and mincore's answer, in hexadecimal.
    let pages: [(u64, u64, u8); PAGES] =
        array::from_fn(|i| (pagemap[i] >> 55, flags[i] & KPF, resident[i]));
    let mut rest = &pages[..];
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|page| *page == first).count();
        let (seen, flags, resident) = *first;
        if seen != 0 || resident != 0 {
            let from = PAGES - rest.len();
            let _ = write!(
                log,
                "\n  {from:03x}+{count:x} {seen:x} {flags:x} {resident:x}"
            );
        }
        rest = &rest[count..];
    }
    let _ = writeln!(log);
}
