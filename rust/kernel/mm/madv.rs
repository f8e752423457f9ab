// SPDX-License-Identifier: GPL-2.0

//! The numbers of advice, as userspace passes them.
//!
//! C header:
//! [`include/uapi/asm-generic/mman-common.h`](srctree/include/uapi/asm-generic/mman-common.h)

/// Whether `process_madvise()` looks at the advice only when there is a range, as kernels before
/// 7.0 do.
pub use super::bindings::ADVICE_CHECKED_LATE;

pub use super::bindings::{
    MADV_COLD, MADV_COLLAPSE, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK,
    MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE,
    MADV_HUGEPAGE, MADV_HWPOISON, MADV_KEEPONFORK, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL,
    MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_RANDOM, MADV_REMOVE,
    MADV_SEQUENTIAL, MADV_SOFT_OFFLINE, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK,
};
