// SPDX-License-Identifier: GPL-2.0
//! Ways to the kernel other than memory system calls: settings, KSM, userfaultfd and io_uring.

use crate::sys::{self, call, must, Call, PAGE};
use core::ffi::CStr;

/// Makes the kernel do nothing on its own: what it does in the background is at no fixed time.
pub fn calm() {
    for (path, value) in [
        (c"/proc/sys/vm/dirty_writeback_centisecs", "0"),
        (c"/proc/sys/vm/compaction_proactiveness", "0"),
        (c"/proc/sys/vm/page-cluster", "0"),
        (c"/sys/kernel/mm/ksm/run", "0"),
        (c"/sys/kernel/mm/ksm/smart_scan", "0"),
        (c"/sys/kernel/mm/ksm/sleep_millisecs", "1"),
        (c"/sys/kernel/mm/ksm/pages_to_scan", "10000"),
        // khugepaged runs only while huge pages are not forbidden.
        (c"/sys/kernel/mm/transparent_hugepage/enabled", "always"),
        (c"/sys/kernel/mm/transparent_hugepage/defrag", "always"),
        (
            c"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled",
            "inherit",
        ),
        (
            c"/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none",
            "0",
        ),
        (
            c"/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_swap",
            "0",
        ),
        (
            c"/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_shared",
            "0",
        ),
        (
            c"/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
            "4000000000",
        ),
    ] {
        sys::write_file(path, value);
    }
    // khugepaged looks at its first candidate at once, and then sleeps. It gets one that stays, and time to see it.
    const LEN: usize = 1 << 22;
    const HUGEPAGE: usize = 14;
    let flags = sys::MAP_PRIVATE | sys::MAP_ANONYMOUS;
    let addr = sys::mmap(0, LEN, sys::PROT_READ, flags, -1, 0);
    call(Call::Madvise, [addr as usize, LEN, HUGEPAGE]);
    sys::sleep_ms(2000);
}

/// The number in a file.
fn number(path: &CStr) -> usize {
    let mut buffer = [0; 64];
    let text = sys::read_file(path, &mut buffer);
    text.trim().parse().expect("a number")
}

/// How often KSM has seen all pages.
pub fn ksm_scans() -> usize {
    number(c"/sys/kernel/mm/ksm/full_scans")
}

/// An io_uring with room for one request.
pub struct Ring {
    fd: usize,
    /// Addresses of the request, of the end of the requests and the start of the results, and of the two results
    request: usize,
    tail: usize,
    head: usize,
    results: usize,
}

impl Ring {
    pub fn new() -> Self {
        const NO_SQARRAY: u32 = 1 << 16;
        const REQUESTS: usize = 0x1000_0000;
        let mut parameters = [0_u32; 30];
        parameters[2] = NO_SQARRAY;
        let fd = must(Call::IoUringSetup, [1, parameters.as_mut_ptr().addr()]);
        let map = |offset: usize| {
            let prot = sys::PROT_READ | sys::PROT_WRITE;
            sys::mmap(0, PAGE, prot, sys::MAP_SHARED, fd as isize, offset / PAGE) as usize
        };
        let rings = map(0);
        let place = |index: usize| rings + parameters[index] as usize;
        Self {
            fd,
            request: map(REQUESTS),
            tail: place(11),
            head: place(20),
            results: place(25),
        }
    }

    pub fn advise(&mut self, addr: usize, len: usize, advice: isize) -> isize {
        const OP_MADVISE: u64 = 25;
        const GETEVENTS: usize = 1;
        let get = |addr| sys::peek(addr).expect("memory of the ring");
        let put = |addr, value| sys::poke(addr, value).expect("memory of the ring");
        let words = [
            OP_MADVISE,
            len as u64,
            addr as u64,
            (advice as u64) << 32,
            0,
            0,
            0,
            0,
        ];
        for (index, word) in words.into_iter().enumerate() {
            put(self.request + 8 * index, word as u32);
            put(self.request + 8 * index + 4, (word >> 32) as u32);
        }
        put(self.tail, get(self.tail).wrapping_add(1));
        must(Call::IoUringEnter, [self.fd, 1, 1, GETEVENTS, 0, 0]);
        let head = get(self.head);
        put(self.head, head.wrapping_add(1));
        get(self.results + 16 * (head as usize % 2) + 8) as i32 as isize
    }
}

const UFFDIO_API: usize = 0xc018_aa3f;
pub const UFFDIO_REGISTER: usize = 0xc020_aa00;
pub const UFFDIO_UNREGISTER: usize = 0x8010_aa01;
pub const UFFDIO_COPY: usize = 0xc028_aa03;
pub const UFFDIO_ZEROPAGE: usize = 0xc020_aa04;
pub const UFFDIO_WRITEPROTECT: usize = 0xc018_aa06;
pub const UFFDIO_POISON: usize = 0xc020_aa08;
pub const UFFD_FEATURE_EVENT_REMOVE: u64 = 1 << 3;
const UFFD_FEATURE_SIGBUS: u64 = 1 << 7;
const UFFD_FEATURE_WP_HUGETLBFS_SHMEM: u64 = 1 << 12;
const UFFD_FEATURE_WP_UNPOPULATED: u64 = 1 << 13;

pub fn ioctl<const N: usize>(fd: isize, request: usize, argument: &mut [u64; N]) -> isize {
    call(
        Call::Ioctl,
        [fd as usize, request, argument.as_mut_ptr().addr()],
    )
}

pub fn new_uffd(features: u64) -> isize {
    let fd = must(Call::Userfaultfd, [0]) as isize;
    // 32-bit ARM cannot protect pages.
    let protect = if cfg!(target_arch = "arm") {
        0
    } else {
        UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED
    };
    let result = ioctl(
        fd,
        UFFDIO_API,
        &mut [0xaa, features | UFFD_FEATURE_SIGBUS | protect, 0],
    );
    assert_eq!(result, 0, "userfaultfd has these features");
    fd
}
