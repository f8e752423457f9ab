// SPDX-License-Identifier: GPL-2.0
//! Shows guard regions at work: pages that kill whoever touches them, and that cost no mapping of their own.

#![no_std]
#![no_main]

mod sys;

use core::{
    ffi::{c_char, c_int},
    fmt::{self, Write},
    panic::PanicInfo,
};
use sys::{in_child, Ended, Mapping};

const PAGES: usize = 16;
const GUARD: usize = 4;

macro_rules! say {
    ($($arg:tt)*) => {
        if writeln!(sys::Stdout, $($arg)*).is_err() {
            sys::exit(1);
        }
    };
}

enum Failure {
    Call(sys::Error),
    NotSo(&'static str),
}

impl From<sys::Error> for Failure {
    fn from(error: sys::Error) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => write!(f, "{error}"),
            Self::NotSo(what) => write!(f, "not so: {what}"),
        }
    }
}

type Result<T = ()> = core::result::Result<T, Failure>;

fn expect(condition: bool, what: &'static str) -> Result {
    if !condition {
        return Err(Failure::NotSo(what));
    }
    say!("  ok   {what}");
    Ok(())
}

/// The addresses in a line that begins a mapping: `7f12c000-7f13c000 rw-p …`.
fn addresses(line: &str) -> Option<(usize, usize)> {
    let (from, to) = line.split(' ').next()?.split_once('-')?;
    Some((
        usize::from_str_radix(from, 16).ok()?,
        usize::from_str_radix(to, 16).ok()?,
    ))
}

/// Shows the VmFlags that /proc/self/smaps has for the mapping. Gives the number of mappings there, and whether one
/// has `gu`.
fn show(mapping: &Mapping) -> Result<(usize, bool)> {
    let (start, end) = mapping.range();
    let mut buffer = [0; 1 << 16];
    let (mut inside, mut count, mut gu) = (false, 0, false);

    for line in sys::read_file(c"/proc/self/smaps", &mut buffer)?.lines() {
        if let Some((from, to)) = addresses(line) {
            inside = from < end && to > start;
            count += usize::from(inside);
        } else if inside && line.starts_with("VmFlags:") {
            say!("       {line}");
            gu |= line.split(' ').any(|flag| flag == "gu");
        }
    }
    Ok((count, gu))
}

fn guards(kind: &str, mapping: &Mapping) -> Result {
    let (start, end) = mapping.range();
    say!("{kind}: {PAGES} pages at {start:#x}-{end:#x}");
    let (_, gu) = show(mapping)?;
    expect(!gu, "smaps does not show `gu`: there was never a guard")?;

    say!("install a guard on page {GUARD}");
    mapping.write(GUARD - 1, 1);
    mapping.write(GUARD + 1, 2);
    mapping.install_guard(GUARD)?;
    let (count, gu) = show(mapping)?;
    expect(gu, "smaps shows `gu`")?;
    expect(count == 1, "it is still one mapping")?;
    expect(
        mapping.read(GUARD - 1) == 1 && mapping.read(GUARD + 1) == 2,
        "the pages beside the guard keep their data",
    )?;

    say!("fork children: each has the guard too");
    for (touch, what) in [
        (
            read as Touch,
            "a child that reads the guard is killed by SIGSEGV",
        ),
        (write, "a child that writes to it is killed by SIGSEGV"),
    ] {
        let ended = in_child(|| touch(mapping, GUARD))?;
        expect(ended == Ended::Signal(sys::SIGSEGV), what)?;
    }
    let ended = in_child(|| write(mapping, GUARD + 1))?;
    expect(
        ended == Ended::Exit(0),
        "a child that writes beside it lives",
    )?;

    say!("remove the guard");
    mapping.remove_guard(GUARD)?;
    mapping.write(GUARD, 3);
    expect(mapping.read(GUARD) == 3, "the page can be used again")?;
    let ended = in_child(|| read(mapping, GUARD))?;
    expect(ended == Ended::Exit(0), "by a child as well")
}

type Touch = fn(&Mapping, usize);

fn read(mapping: &Mapping, page: usize) {
    mapping.read(page);
}

fn write(mapping: &Mapping, page: usize) {
    mapping.write(page, 4);
}

fn demo() -> Result {
    let mut buffer = [0; 1024];
    let version = sys::read_file(c"/proc/version", &mut buffer)?;
    let mut words = version.split(' ');
    say!(
        "{} {}",
        words.next().unwrap_or(""),
        words.nth(1).unwrap_or("")
    );
    guards("private memory", &Mapping::private(PAGES)?)?;
    guards("shared file", &Mapping::shared_file(PAGES)?)
}

#[no_mangle]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    match demo() {
        Ok(()) => {
            say!("demo: passed");
            0
        }
        Err(reason) => {
            say!("demo: failed: {reason}");
            1
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say!("demo: failed: {info}");
    sys::exit(101)
}
