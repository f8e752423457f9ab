// SPDX-License-Identifier: GPL-2.0
//! The few calls of the C library that the demo needs. All unsafe code is here.

use core::{
    ffi::{c_char, c_int, c_long, c_void, CStr},
    fmt, ptr,
};

const PROT_READ: c_int = 1;
const PROT_WRITE: c_int = 2;
const MAP_SHARED: c_int = 1;
const MAP_PRIVATE: c_int = 2;
const MAP_ANONYMOUS: c_int = 0x20;
const MADV_GUARD_INSTALL: c_int = 102;
const MADV_GUARD_REMOVE: c_int = 103;
const SC_PAGESIZE: c_int = 30;

pub const SIGSEGV: c_int = 11;

extern "C" {
    fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    fn close(fd: c_int) -> c_int;
    fn read(fd: c_int, buffer: *mut u8, count: usize) -> isize;
    fn write(fd: c_int, buffer: *const u8, count: usize) -> isize;
    fn memfd_create(name: *const c_char, flags: u32) -> c_int;
    fn ftruncate64(fd: c_int, length: i64) -> c_int;
    fn sysconf(name: c_int) -> c_long;
    fn mmap64(
        addr: *mut c_void,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(addr: *mut c_void, len: usize) -> c_int;
    fn madvise(addr: *mut c_void, len: usize, advice: c_int) -> c_int;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn __errno_location() -> *mut c_int;
}

/// A call that failed, and errno.
pub struct Error(&'static str, c_int);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gives error {}", self.0, self.1)
    }
}

fn last_error(call: &'static str) -> Error {
    // SAFETY: the C library returns a valid pointer to this thread's errno.
    Error(call, unsafe { *__errno_location() })
}

/// Writes to the standard output.
pub struct Stdout;

impl fmt::Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the buffer is valid for its length.
            let done = unsafe { write(1, rest.as_ptr(), rest.len()) };
            rest = usize::try_from(done)
                .ok()
                .and_then(|done| rest.get(done..))
                .ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

pub fn exit(status: c_int) -> ! {
    // SAFETY: _exit() may be called at any time.
    unsafe { _exit(status) }
}

/// Fills the buffer from a file; gives the part that holds text.
pub fn read_file<'a>(path: &CStr, buffer: &'a mut [u8]) -> Result<&'a str, Error> {
    let mut len = 0;

    // SAFETY: the path is a C string.
    let fd = unsafe { open(path.as_ptr(), 0) };
    if fd < 0 {
        return Err(last_error("open()"));
    }
    loop {
        let rest = &mut buffer[len..];
        assert!(!rest.is_empty(), "{path:?} is too long");
        // SAFETY: the rest of the buffer is valid for its length.
        match unsafe { read(fd, rest.as_mut_ptr(), rest.len()) } {
            0 => break,
            done @ 1.. => len += done as usize,
            _ => return Err(last_error("read()")),
        }
    }
    // SAFETY: the descriptor is open and used by nobody else.
    unsafe { close(fd) };
    Ok(core::str::from_utf8(&buffer[..len]).expect("a text file"))
}

/// Pages of memory, all readable and writable.
pub struct Mapping {
    addr: *mut u8,
    page: usize,
    pages: usize,
}

impl Mapping {
    /// Private memory that belongs to no file.
    pub fn private(pages: usize) -> Result<Self, Error> {
        Self::new(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1)
    }

    /// A file in memory, mapped shared.
    pub fn shared_file(pages: usize) -> Result<Self, Error> {
        // SAFETY: the name is a C string.
        let fd = unsafe { memfd_create(c"demo".as_ptr(), 0) };
        if fd < 0 {
            return Err(last_error("memfd_create()"));
        }
        // SAFETY: the descriptor is open.
        if unsafe { ftruncate64(fd, (pages * page_size()) as i64) } != 0 {
            return Err(last_error("ftruncate()"));
        }
        let mapping = Self::new(pages, MAP_SHARED, fd);
        // SAFETY: the descriptor is open and used by nobody else; the mapping does not need it.
        unsafe { close(fd) };
        mapping
    }

    fn new(pages: usize, flags: c_int, fd: c_int) -> Result<Self, Error> {
        let page = page_size();
        let prot = PROT_READ | PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses overlaps nothing.
        let addr = unsafe { mmap64(ptr::null_mut(), pages * page, prot, flags, fd, 0) };
        if addr.addr() == usize::MAX {
            return Err(last_error("mmap()"));
        }
        Ok(Self {
            addr: addr.cast(),
            page,
            pages,
        })
    }

    /// The addresses from the first byte to the one after the last.
    pub fn range(&self) -> (usize, usize) {
        (self.addr.addr(), self.addr.addr() + self.pages * self.page)
    }

    fn page(&self, index: usize) -> *mut u8 {
        assert!(index < self.pages);
        // SAFETY: the page is within the mapping.
        unsafe { self.addr.add(index * self.page) }
    }

    fn advise(&self, page: usize, advice: c_int, call: &'static str) -> Result<(), Error> {
        // SAFETY: the page is within the mapping, and no reference to its bytes exists.
        match unsafe { madvise(self.page(page).cast(), self.page, advice) } {
            0 => Ok(()),
            _ => Err(last_error(call)),
        }
    }

    pub fn install_guard(&self, page: usize) -> Result<(), Error> {
        self.advise(page, MADV_GUARD_INSTALL, "madvise(MADV_GUARD_INSTALL)")
    }

    pub fn remove_guard(&self, page: usize) -> Result<(), Error> {
        self.advise(page, MADV_GUARD_REMOVE, "madvise(MADV_GUARD_REMOVE)")
    }

    /// Reads the first byte of a page. A guard there ends the process.
    pub fn read(&self, page: usize) -> u8 {
        // SAFETY: the byte is within the mapping; a guard makes this a signal, not undefined behaviour.
        unsafe { self.page(page).read_volatile() }
    }

    /// Writes the first byte of a page. A guard there ends the process.
    pub fn write(&self, page: usize, value: u8) {
        // SAFETY: as in read().
        unsafe { self.page(page).write_volatile(value) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this object's own.
        let result = unsafe { munmap(self.addr.cast(), self.pages * self.page) };
        assert_eq!(result, 0);
    }
}

fn page_size() -> usize {
    // SAFETY: sysconf() has no side effect.
    unsafe { sysconf(SC_PAGESIZE) as usize }
}

/// How a child process ended.
#[derive(PartialEq)]
pub enum Ended {
    Exit(c_int),
    Signal(c_int),
}

/// Runs `work` in a child process.
pub fn in_child(work: impl FnOnce()) -> Result<Ended, Error> {
    let mut status = 0;

    // SAFETY: the process has one thread only.
    let pid = unsafe { fork() };
    if pid == 0 {
        work();
        exit(0);
    }
    // SAFETY: the pointer is valid.
    if pid < 0 || unsafe { waitpid(pid, &mut status, 0) } != pid {
        return Err(last_error("fork() or waitpid()"));
    }
    Ok(match status & 0x7f {
        0 => Ended::Exit((status >> 8) & 0xff),
        signal => Ended::Signal(signal),
    })
}
