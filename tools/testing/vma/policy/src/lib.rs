// SPDX-License-Identifier: GPL-2.0

//! The policy as it is in the kernel, and what `mm/rust_vma.rs` makes of it for C: errno and numbers.

use kernel::{
    mm::{MmWithUser, VmFlags},
    model,
    prelude::*,
    seq_file::SeqFile,
};

// A newer rustc wants to see each ControlFlow used; for all else the kernel's build is stricter.
#[allow(unused_must_use)]
#[path = "../../../../../mm"]
mod mm {
    pub(crate) mod fork;
    pub(crate) mod madvise;
}
#[allow(unsafe_code)]
#[path = "../../../../../fs_proc"]
mod fs_proc {
    pub(crate) mod smaps;
}

/// `madvise()`, as a system call that begins and ends without a lock.
pub fn madvise(mm: &MmWithUser, start: usize, len: usize, behavior: c_int) -> Result {
    model::syscall(|| mm::madvise::advise(mm, start, len, behavior.try_into()?))
}

/// `process_madvise()`.
pub fn process_madvise(
    pidfd: c_int,
    vector: UserPtr,
    count: usize,
    behavior: c_int,
    flags: c_uint,
) -> Result<usize> {
    model::syscall(|| mm::madvise::process::process_madvise(pidfd, vector, count, behavior, flags))
}

/// `prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)`.
#[cfg(CONFIG_ANON_VMA_NAME)]
pub fn set_name(mm: &MmWithUser, start: usize, len: usize, name: Option<UserPtr>) -> Result {
    model::syscall(|| mm::madvise::names::set(mm, start, len, name))
}

/// `vma_needs_copy()`.
pub fn needs_copy(copy: VmFlags, has_anon_vma: bool) -> bool {
    mm::fork::needs_copy(copy, has_anon_vma)
}

/// What a function of smaps that C calls writes.
fn written(show: impl FnOnce(*mut SeqFile)) -> Vec<u8> {
    let file = SeqFile::default();
    show(core::ptr::from_ref(&file).cast_mut());
    file.into_bytes()
}

/// The `VmFlags` line of smaps, by the function that C calls.
pub fn vm_flags_line(flags: VmFlags) -> Vec<u8> {
    // SAFETY: The file is valid.
    written(|m| unsafe { fs_proc::smaps::show_smap_vm_flags(m, flags.bits()) })
}

/// The `Guard` line of smaps for guards of `size` bytes, by the function that C calls.
pub fn guard_line(size: usize) -> Vec<u8> {
    // SAFETY: The file is valid.
    written(|m| unsafe { fs_proc::smaps::show_smap_guard(m, size) })
}
