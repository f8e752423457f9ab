// SPDX-License-Identifier: GPL-2.0

//! A model of the kernel crate: address spaces as plain data, and locks that panic when a rule is
//! broken.
//!
//! The policy of `mm/` and `fs_proc/` is compiled against it unchanged (`policy/src/lib.rs`), and
//! `cargo test` in the folder above drives it with random address spaces and calls. How to work on
//! it:
//!
//! - [`mm`] and what it has beside `space` is what policy sees: names, signatures and lock states are
//!   those of `rust/kernel/mm/`. When the API there changes, the compiler says what to change here.
//! - [`mm::space`] has the data, and the part of mm that is C: merges, zaps, page faults, `fork()`. It
//!   follows Linux 6.18.15, not the policy.
//! - [`locks`] knows what the thread holds. Whatever sleeps calls [`locks::might_sleep`], whatever takes
//!   a lock is in [`locks::acquire`], and each use of a VMA asks whether its lock is still held.
//! - [`model`] is for the tests: what goes wrong meanwhile, and what was done.
//! - Flags and ranges are the shipped sources. The numbers in [`bindings`] are those of C.
//! - A page table has 64 entries, so that a few hundred pages have several of them.
//! - Options: `VMA_WITHOUT="SWAP KSM" cargo test`; see `config.rs`.

#![warn(missing_docs)]
#![deny(unsafe_code)]

pub use ::macros;

pub mod bindings;
pub mod cred;
pub mod error;
pub mod locks;
pub mod mm;
pub mod model;
pub mod page;
pub mod prelude;
pub mod seq_file;
pub mod str;
pub mod sync;
pub mod task;
pub mod uaccess;

/// Formatting, as the kernel has it.
pub mod fmt {
    pub use core::fmt::*;
}

/// Makes a string of a literal.
#[macro_export]
macro_rules! c_str {
    ($str:expr) => {
        $crate::str::CStr::from_bytes(concat!($str, "\0").as_bytes())
    };
}

/// The thread.
#[macro_export]
macro_rules! current {
    () => {
        $crate::task::Task::current()
    };
}

/// Prints a warning, which the test can read.
#[macro_export]
macro_rules! pr_warn {
    ($($arg:tt)*) => {
        $crate::model::log($crate::model::Event::Warning(format!($($arg)*)))
    };
}
