// SPDX-License-Identifier: GPL-2.0

//! Memory management: what `rust/kernel/mm/` has, on the data of [`space`].

mod address_vector;
#[cfg(CONFIG_ANON_VMA_NAME)]
mod anon_vma_name;
pub mod file;
pub mod folio;
pub mod guard;
pub mod madv;
mod mmap_lock;
pub mod page_table;
#[cfg(CONFIG_MEMORY_FAILURE)]
pub mod poison;
#[allow(unsafe_code)]
#[path = "../../../../../rust/kernel/mm/range.rs"]
mod range;
pub mod space;
mod swap;
pub mod tlb;
pub mod virt;
#[path = "../../../../../rust/kernel/mm/vm_flags.rs"]
mod vm_flags;
mod vma;

pub use address_vector::AddressVector;
#[cfg(CONFIG_ANON_VMA_NAME)]
pub use anon_vma_name::AnonVmaName;
pub use mmap_lock::{
    untag_current, LockMode, MmapRead, MmapReadGuard, MmapWrite, MmapWriteGuard, VmaReadGuard,
};
pub use range::PageRange;
pub use swap::SwapEntry;
#[cfg(CONFIG_SWAP)]
pub use swap::SwapReader;
pub use vm_flags::VmFlags;
pub use vma::{Announced, FlagChange, VmaMmapLocked, VmaMmapRead, VmaMmapWrite, VmaWrite};

use crate::{bindings, locks, model};
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

    /// Counts `n` pages less in swap.
    fn sub_swapents(&self, n: usize) {
        self.with(|space| {
            space.swapped = space
                .swapped
                .checked_sub(n)
                .expect("fewer pages are in swap");
        });
    }
}

/// Holds requests to disks back while `work` runs.
#[track_caller]
pub fn plugged<R>(work: impl FnOnce() -> R) -> R {
    locks::might_sleep("to plug requests");
    let result = work();
    locks::might_sleep("to submit requests");
    model::log(model::Event::Unplug);
    result
}
