// SPDX-License-Identifier: GPL-2.0

//! The parts of [`crate::mm`] that the VMA subsystem adds.

#[cfg(CONFIG_ANON_VMA_NAME)]
mod anon_vma_name;
mod bindings;
mod counters;
pub mod file;
pub mod folio;
#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
pub mod kunit;
pub mod madv;
mod mmap_lock;
pub mod page_table;
#[cfg(CONFIG_MEMORY_FAILURE)]
pub mod poison;
mod range;
mod seq;
mod swap;
mod syscall;
pub mod tlb;
mod vm_flags;
mod vma;

#[cfg(CONFIG_ANON_VMA_NAME)]
pub use anon_vma_name::AnonVmaName;
pub use mmap_lock::{untag_current, LockMode, MmapRead, MmapWrite, MmapWriteGuard};
pub use range::PageRange;
pub use seq::{seq_put_decimal, seq_write};
pub use swap::SwapEntry;
#[cfg(CONFIG_SWAP)]
pub use swap::SwapReader;
pub use syscall::{
    capable, cond_resched, fatal_signal_pending, mm_of_task_for_read, need_resched, plugged,
    restart_syscall, task_of_pidfd, AddressVector, UserCString,
};
pub use vm_flags::VmFlags;
pub use vma::{Announced, VmaMaybeGuard, VmaMmapLocked, VmaMmapRead, VmaMmapWrite, VmaWrite};
