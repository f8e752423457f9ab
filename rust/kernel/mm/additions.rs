// SPDX-License-Identifier: GPL-2.0

//! The parts of [`crate::mm`] that the VMA subsystem adds. Each uses only those above it.

pub(crate) mod bindings;
pub mod madv;

mod range;
mod vm_flags;

#[cfg(CONFIG_ANON_VMA_NAME)]
mod anon_vma_name;
pub mod file;
mod vma;

mod counters;
mod mmap_lock;

pub mod folio;
mod plug;
#[cfg(CONFIG_MEMORY_FAILURE)]
pub mod poison;
mod swap;

pub mod tlb;

pub mod page_table;

pub mod guard;

mod address_vector;
#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
pub mod kunit;

pub use address_vector::AddressVector;
#[cfg(CONFIG_ANON_VMA_NAME)]
pub use anon_vma_name::AnonVmaName;
pub use mmap_lock::{untag_current, LockMode, MmapRead, MmapWrite, MmapWriteGuard};
pub use plug::plugged;
pub use range::PageRange;
pub use swap::SwapEntry;
#[cfg(CONFIG_SWAP)]
pub use swap::SwapReader;
pub use vm_flags::VmFlags;
pub use vma::{Announced, FlagChange, VmaMmapLocked, VmaMmapRead, VmaMmapWrite, VmaWrite};
