// SPDX-License-Identifier: GPL-2.0

//! Memory management: what `rust/kernel/mm/` has, on the data of [`space`].

#[cfg(CONFIG_ANON_VMA_NAME)]
mod anon_vma_name;
pub mod file;
pub mod folio;
pub mod madv;
mod mmap_lock;
pub mod page_table;
#[cfg(CONFIG_MEMORY_FAILURE)]
pub mod poison;
#[path = "../../../../../rust/kernel/mm/range.rs"]
mod range;
pub mod space;
mod swap;
mod syscall;
pub mod tlb;
pub mod virt;
#[path = "../../../../../rust/kernel/mm/vm_flags.rs"]
mod vm_flags;
mod vma;

#[cfg(CONFIG_ANON_VMA_NAME)]
pub use anon_vma_name::AnonVmaName;
pub use mmap_lock::{
    untag_current, LockMode, MmapRead, MmapReadGuard, MmapWrite, MmapWriteGuard, VmaReadGuard,
};
pub use range::PageRange;
pub use swap::SwapEntry;
#[cfg(CONFIG_SWAP)]
pub use swap::SwapReader;
pub use syscall::{
    capable, cond_resched, fatal_signal_pending, mm_of_task_for_read, need_resched, plugged,
    restart_syscall, task_of_pidfd, AddressVector, Task, UserCString,
};
pub use vm_flags::VmFlags;
pub use vma::{Announced, VmaMaybeGuard, VmaMmapLocked, VmaMmapRead, VmaMmapWrite, VmaWrite};

use crate::{bindings, str::CStr};
use space::Space;
use std::{cell::RefCell, rc::Rc};

/// An address space.
#[derive(Clone)]
pub struct MmWithUser(Rc<Inner>);

struct Inner {
    id: u64,
    space: RefCell<Space>,
}

impl core::fmt::Debug for MmWithUser {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "mm {}", self.0.id)
    }
}

impl MmWithUser {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Lends the data, without a look at the locks: for the model and the tests.
    pub fn with<R>(&self, work: impl FnOnce(&mut Space) -> R) -> R {
        work(&mut self.0.space.borrow_mut())
    }

    /// Whether it is that of the thread.
    pub fn is_current(&self) -> bool {
        crate::model::with_env(|env| env.current.as_ref().is_some_and(|mm| mm.id() == self.id()))
    }

    /// Takes note of the memory that is in use, for the maximum.
    pub fn update_hiwater_rss(&self) {}

    /// A number that changes whenever guard markers have come into the page tables.
    fn guard_seq(&self) -> usize {
        self.with(|space| space.guard_seq)
    }

    /// Counts `n` pages less in swap.
    pub fn uncount_swapped(&self, n: usize) {
        self.with(|space| {
            space.swapped = space
                .swapped
                .checked_sub(n)
                .expect("fewer pages are in swap");
        });
    }
}

/// Writes a label and a number to a file of `/proc`.
pub fn seq_put_decimal(m: &crate::seq_file::SeqFile, label: &CStr, number: u64, width: u32) {
    m.write(label.as_bytes());
    m.write(format!("{number:width$}", width = width as usize).as_bytes());
}

/// Writes bytes to a file of `/proc`.
pub fn seq_write(m: &crate::seq_file::SeqFile, bytes: &[u8]) {
    m.write(bytes);
}
