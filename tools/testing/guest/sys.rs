// SPDX-License-Identifier: GPL-2.0
//! System calls, and touches of memory that may fault. All unsafe code is here.
//!
//! Calls change the memory map, but only within the arena, to which no reference ever exists: Rust code reads and
//! writes it through [`peek`] and [`poke`] alone. That is why [`call`] is safe.

use core::{
    arch::global_asm,
    ffi::{c_int, c_long, c_ulong, c_void, CStr},
    fmt,
    mem::size_of_val,
    ptr, slice,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

pub const PAGE: usize = 4096;

pub const PROT_READ: usize = 1;
pub const PROT_WRITE: usize = 2;
pub const MAP_SHARED: usize = 1;
pub const MAP_PRIVATE: usize = 2;
pub const MAP_DROPPABLE: usize = 8;
pub const MAP_FIXED: usize = 0x10;
pub const MAP_ANONYMOUS: usize = 0x20;
pub const MAP_LOCKED: usize = 0x2000;
pub const MAP_NORESERVE: usize = 0x4000;
pub const MAP_POPULATE: usize = 0x8000;
pub const MAP_HUGETLB: usize = 0x4_0000;
pub const MAP_FIXED_NOREPLACE: usize = 0x10_0000;
pub const MREMAP_MAYMOVE: usize = 1;
pub const MREMAP_FIXED: usize = 2;
pub const MREMAP_DONTUNMAP: usize = 4;
pub const MLOCK_ONFAULT: usize = 1;
pub const O_RDWR: usize = 2;
pub const O_CREAT: usize = 0o100;
pub const PR_SET_THP_DISABLE: usize = 41;
pub const PR_SET_TAGGED_ADDR_CTRL: usize = 55;
pub const PR_SET_VMA: usize = 0x5356_4d41;
pub const PIDFD_SELF_THREAD: isize = -10000;
pub const PIDFD_SELF_THREAD_GROUP: isize = -10001;

const AT_FDCWD: isize = -100;
const SIGBUS: c_int = 7;
const SIGSEGV: c_int = 11;
const SIGCHLD: usize = 17;
const SA_SIGINFO: c_int = 4;
const BUS_MCEERR_AR: c_int = 4;

/// Declares the system calls with their numbers on x86_64, arm64 and arm.
macro_rules! calls {
    ($($name:ident $x86_64:literal $arm64:literal $arm:literal,)*) => {
        #[derive(Clone, Copy)]
        #[repr(isize)]
        pub enum Call {
            $($name = if cfg!(target_arch = "x86_64") {
                $x86_64
            } else if cfg!(target_arch = "aarch64") {
                $arm64
            } else {
                $arm
            },)*
        }
    };
}

calls! {
    Read 0 63 3,
    Write 1 64 4,
    Close 3 57 6,
    Lseek 8 62 19,
    Mmap 9 222 192,
    Mprotect 10 226 125,
    Munmap 11 215 91,
    Ioctl 16 29 54,
    Mremap 25 216 163,
    Mincore 27 232 219,
    Madvise 28 233 220,
    Getpid 39 172 20,
    Clone 56 220 120,
    Execve 59 221 11,
    Wait4 61 260 114,
    Fsync 74 82 118,
    Ftruncate 77 46 93,
    Fchown 93 55 207,
    Capget 125 90 184,
    Capset 126 91 185,
    Mlock 149 228 150,
    Munlock 150 229 151,
    Prctl 157 167 172,
    Openat 257 56 322,
    Unlinkat 263 35 328,
    Dup3 292 24 358,
    Pipe2 293 59 359,
    MemfdCreate 319 279 385,
    Userfaultfd 323 282 388,
    Mlock2 325 284 390,
    PkeyMprotect 329 288 394,
    PkeyAlloc 330 289 395,
    IoUringSetup 425 425 425,
    IoUringEnter 426 426 426,
    PidfdOpen 434 434 434,
    ProcessMadvise 440 440 440,
    MemfdSecret 447 447 447,
    Mseal 462 462 462,
}

#[repr(C)]
struct SigAction {
    handler: extern "C" fn(c_int, *const c_int, *mut c_void),
    mask: [u8; 128],
    flags: c_int,
    restorer: *const c_void,
}

extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn sigaction(signal: c_int, new: *const SigAction, old: *mut SigAction) -> c_int;
    fn alarm(seconds: u32) -> u32;
    fn usleep(microseconds: u32) -> c_int;
    fn pthread_create(
        thread: *mut c_ulong,
        attributes: *const c_void,
        start: extern "C" fn(*mut c_void) -> *mut c_void,
        arg: *mut c_void,
    ) -> c_int;
    fn pthread_join(thread: c_ulong, result: *mut *mut c_void) -> c_int;
    fn _exit(status: c_int) -> !;
    fn __errno_location() -> *mut c_int;
    fn touch_peek(addr: usize) -> u32;
    fn touch_poke(addr: usize, value: u32);
    static touch_fault: u8;
}

// What may fault is between touch_peek and touch_fault, where the handler lets such a touch return.
#[cfg(target_arch = "x86_64")]
global_asm!(
    "touch_peek: mov eax, [rdi]",
    "ret",
    "touch_poke: mov [rdi], esi",
    "touch_fault: ret",
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    "touch_peek: ldr w0, [x0]",
    "ret",
    "touch_poke: str w1, [x0]",
    "touch_fault: ret",
);
#[cfg(target_arch = "arm")]
global_asm!(
    ".arm",
    "touch_peek: ldr r0, [r0]",
    "bx lr",
    "touch_poke: str r1, [r0]",
    "touch_fault: bx lr",
);

/// Where a signal's context has the program counter.
const PC: usize = if cfg!(target_arch = "x86_64") {
    168
} else if cfg!(target_arch = "aarch64") {
    440
} else {
    92
};

static FAULT_SIGNAL: AtomicU32 = AtomicU32::new(0);
static FAULT_CODE: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_fault(signal: c_int, info: *const c_int, context: *mut c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO valid pointers; si_code is the third word, and the program
    // counter is where PC says.
    let (code, pc) = unsafe { (*info.add(2), context.byte_add(PC).cast::<usize>()) };
    // SAFETY: as above; the label is a symbol of this program.
    let (at, end) = unsafe { (*pc, (&raw const touch_fault).addr()) };
    FAULT_SIGNAL.store(signal as u32, Ordering::Relaxed);
    FAULT_CODE.store(code as u32, Ordering::Relaxed);
    if (touch_peek as usize..end).contains(&at) {
        // SAFETY: both functions have nothing on the stack, so that they may return from here.
        unsafe { *pc = end };
    } else if signal != SIGBUS || code < BUS_MCEERR_AR {
        // A fault of this program itself, not a report of poison that madvise() made.
        exit(98);
    }
}

/// Makes faults of [`peek`] and [`poke`] harmless, and ends the process when it takes too long.
pub fn set_up_signals(seconds: u32) {
    let action = SigAction {
        handler: on_fault,
        mask: [0; 128],
        flags: SA_SIGINFO,
        restorer: ptr::null(),
    };
    for signal in [SIGSEGV, SIGBUS] {
        // SAFETY: the handler touches nothing but atomics and its context.
        let result = unsafe { sigaction(signal, &action, ptr::null_mut()) };
        assert_eq!(result, 0);
    }
    // SAFETY: SIGALRM ends the process.
    unsafe { alarm(seconds) };
}

/// A touch that was stopped by a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    signal: u32,
    code: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.signal == SIGBUS as u32 {
            "bus"
        } else {
            "segv"
        };
        write!(f, "{name}{}", self.code)
    }
}

/// The signal that came since the last call, if any.
pub fn take_fault() -> Result<(), Fault> {
    match FAULT_SIGNAL.swap(0, Ordering::Relaxed) {
        0 => Ok(()),
        signal => Err(Fault {
            signal,
            code: FAULT_CODE.load(Ordering::Relaxed),
        }),
    }
}

/// Reads a word.
pub fn peek(addr: usize) -> Result<u32, Fault> {
    // SAFETY: an address where nothing may be read makes a signal, which the handler catches.
    let value = unsafe { touch_peek(addr) };
    take_fault().map(|()| value)
}

/// Writes a word.
pub fn poke(addr: usize, value: u32) -> Result<(), Fault> {
    // SAFETY: as in peek(); no reference to memory of the arena exists.
    unsafe { touch_poke(addr, value) };
    take_fault()
}

/// Makes a system call; gives its result, or -errno.
pub fn call<const N: usize>(call: Call, args: [usize; N]) -> isize {
    let mut a = [0; 6];
    a[..N].copy_from_slice(&args);
    // SAFETY: see the module's comment: calls that change memory get addresses in the arena, or of buffers that the
    // callers own.
    let result = unsafe { syscall(call as c_long, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if result == -1 {
        // SAFETY: the C library returns a valid pointer to this thread's errno.
        return -unsafe { *__errno_location() } as isize;
    }
    result as isize
}

/// A call that the program itself needs.
#[track_caller]
pub fn must<const N: usize>(number: Call, args: [usize; N]) -> usize {
    let result = call(number, args);
    usize::try_from(result).unwrap_or_else(|_| panic!("a call gives {result}"))
}

/// mmap(); the offset is in pages.
pub fn mmap(addr: usize, len: usize, prot: usize, flags: usize, fd: isize, offset: usize) -> isize {
    // 32-bit ARM has mmap2() only.
    let unit = if cfg!(target_arch = "arm") { 1 } else { PAGE };
    call(
        Call::Mmap,
        [addr, len, prot, flags, fd as usize, offset * unit],
    )
}

pub fn exit(status: c_int) -> ! {
    // SAFETY: _exit() may be called at any time.
    unsafe { _exit(status) }
}

pub fn sleep_ms(ms: u32) {
    // SAFETY: usleep() has no side effect.
    unsafe { usleep(ms * 1000) };
}

/// What a thread runs.
pub type Work<'a> = &'a (dyn Fn() + Sync);

/// Runs each of `works` in a thread of its own, and `meanwhile` in this one, until all have ended.
pub fn in_threads<const N: usize>(works: [Work<'_>; N], meanwhile: impl FnOnce()) {
    extern "C" fn run(work: *mut c_void) -> *mut c_void {
        // SAFETY: in_threads() passes a pointer to work, which it keeps until this thread has ended.
        let work = unsafe { *work.cast::<Work<'_>>() };
        work();
        ptr::null_mut()
    }
    let threads = works.each_ref().map(|work| {
        let (mut thread, work) = (0, ptr::from_ref(work).cast_mut().cast());
        // SAFETY: the thread ends before `works` does, and shares with this one what may be shared.
        let result = unsafe { pthread_create(&mut thread, ptr::null(), run, work) };
        assert_eq!(result, 0, "a thread can be made");
        thread
    });
    meanwhile();
    for thread in threads {
        // SAFETY: the thread was made above, and is waited for once.
        let result = unsafe { pthread_join(thread, ptr::null_mut()) };
        assert_eq!(result, 0, "a thread can be waited for");
    }
}

/// Writes to the standard output.
pub struct Stdout;

impl fmt::Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(1, text.as_bytes());
        Ok(())
    }
}

pub fn open(path: &CStr, flags: usize) -> isize {
    let path = path.as_ptr().addr();
    call(Call::Openat, [AT_FDCWD as usize, path, flags, 0o644])
}

pub fn unlink(path: &CStr) {
    call(Call::Unlinkat, [AT_FDCWD as usize, path.as_ptr().addr(), 0]);
}

pub fn close(fd: isize) {
    call(Call::Close, [fd as usize]);
}

pub fn write(fd: usize, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[must(Call::Write, [fd, rest.as_ptr().addr(), rest.len()])..];
    }
}

/// Reads as much as there is and fits; gives the length.
pub fn read(fd: usize, buffer: &mut [u8]) -> usize {
    let mut done = 0;
    while done < buffer.len() {
        let rest = &mut buffer[done..];
        match must(Call::Read, [fd, rest.as_mut_ptr().addr(), rest.len()]) {
            0 => break,
            count => done += count,
        }
    }
    done
}

/// Reads numbers from a file of such, beginning with number `index`.
pub fn read_numbers(fd: usize, index: usize, into: &mut [u64]) {
    must(Call::Lseek, [fd, index * 8, 0]);
    let count = must(
        Call::Read,
        [fd, into.as_mut_ptr().addr(), size_of_val(into)],
    );
    assert_eq!(count, size_of_val(into));
}

/// Gives a file of /proc or /sys a value, where there is such a file.
pub fn write_file(path: &CStr, value: &str) {
    let fd = open(path, O_RDWR);
    if fd >= 0 {
        write(fd as usize, value.as_bytes());
        close(fd);
    }
}

/// The text of a file.
pub fn read_file<'a>(path: &CStr, buffer: &'a mut [u8]) -> &'a str {
    let fd = open(path, 0);
    assert!(fd >= 0, "{path:?} cannot be opened");
    let len = read(fd as usize, buffer);
    assert!(len < buffer.len(), "{path:?} is too long");
    close(fd);
    core::str::from_utf8(&buffer[..len]).expect("a text file")
}

/// A child process that was started.
pub struct Child(usize);

impl Child {
    /// Runs `work` in a child process.
    pub fn start(work: impl FnOnce()) -> Self {
        let pid = must(Call::Clone, [SIGCHLD]);
        if pid == 0 {
            work();
            exit(0);
        }
        Self(pid)
    }

    pub fn pid(&self) -> usize {
        self.0
    }

    /// Waits for its end: the exit status, or 256 and the signal.
    pub fn wait(self) -> usize {
        let mut status: c_int = 0;
        must(Call::Wait4, [self.0, (&raw mut status).addr(), 0, 0]);
        match status as usize & 0x7f {
            0 => (status as usize >> 8) & 0xff,
            signal => 256 + signal,
        }
    }
}

/// Two ends of a pipe: for reading, for writing.
pub fn pipe() -> [usize; 2] {
    let mut ends: [c_int; 2] = [0; 2];
    must(Call::Pipe2, [(&raw mut ends).addr(), 0]);
    ends.map(|fd| fd as usize)
}

/// Sets the capabilities that count (`effective`) and those that may be taken back (`permitted`), of those it has.
pub fn set_capabilities(permitted: u64, effective: u64) {
    let mut header = [0x2008_0522_u32, 0];
    let mut data = [0_u32; 6];
    let args = [(&raw mut header).addr(), (&raw mut data).addr()];
    must(Call::Capget, args);
    for (half, shift) in data.chunks_exact_mut(3).zip([0, 32]) {
        half[1] &= (permitted >> shift) as u32;
        half[0] = (effective >> shift) as u32 & half[1];
    }
    must(Call::Capset, args);
}

/// Words that children and their parent share.
pub fn shared_words(count: usize) -> &'static [AtomicU64] {
    let flags = MAP_SHARED | MAP_ANONYMOUS;
    let addr = mmap(0, count * 8, PROT_READ | PROT_WRITE, flags, -1, 0);
    assert!(addr & (PAGE as isize - 1) == 0, "no memory to share");
    // SAFETY: the mapping is new, outside the arena, and stays forever; all zeroes are valid atomics.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(addr as usize), count) }
}
