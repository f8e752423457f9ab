// SPDX-License-Identifier: GPL-2.0

//! The parts of [`crate::mm`] that the VMA subsystem adds.

mod mmap_lock;
pub mod page_table;
mod range;
mod seq;
mod syscall;
mod vm_flags;
mod vma;

pub use mmap_lock::{LockMode, MmapRead, MmapWrite, MmapWriteGuard};
pub use range::PageRange;
pub use seq::seq_write;
pub use syscall::{fatal_signal_pending, restart_syscall, AddressVector};
pub use vm_flags::VmFlags;
pub use vma::{VmaMaybeGuard, VmaMmapLocked, VmaMmapWrite, VmaWrite};
