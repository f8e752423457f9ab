// SPDX-License-Identifier: GPL-2.0

//! The VMA subsystem: what C calls.
//!
//! Only the conversions between C and Rust are here. [`madvise`] and [`fork`] hold the policy and
//! have no unsafe code; [`kernel::mm`] holds the locks and the page tables.
//!
//! C header: [`include/linux/rust_vma.h`](srctree/vma/include/linux/rust_vma.h)

#![deny(unsafe_code)]

use kernel::{
    bindings,
    error::from_result,
    mm::{virt::VmaRef, MmWithUser},
    prelude::*,
};

mod fork;
mod madvise;

use madvise::Behavior;

/// What the macros of `kernel::print` put before each message.
const __LOG_PREFIX: &[u8] = b"rust_vma\0";

/// Applies advice to a range of an address space, for `madvise()`, io_uring, and DAMON.
///
/// `start` and `len_in` are in bytes. Returns zero or a negative errno.
///
/// # Safety
///
/// `mm` must be valid and keep a non-zero `mm_users` during the call. No lock of it may be held.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn do_madvise(
    mm: *mut bindings::mm_struct,
    start: usize,
    len_in: usize,
    behavior: c_int,
) -> c_int {
    // SAFETY: The caller promises that `mm` is valid and has users.
    let mm = unsafe { MmWithUser::from_raw(mm) };
    from_result(|| madvise::advise(mm, start, len_in, Behavior::try_from(behavior)?).map(|()| 0))
}

/// Applies advice to a vector of ranges, for the system call `process_madvise()`.
///
/// Returns the number of bytes that were processed, or a negative errno when there are none.
///
/// # Safety
///
/// Must be called by a thread of userspace that holds no lock.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn vma_process_madvise(
    pidfd: c_int,
    vec: *const bindings::iovec,
    vlen: usize,
    behavior: c_int,
    flags: c_uint,
) -> isize {
    let vec = UserPtr::from_ptr(vec.cast_mut().cast());
    match madvise::process::process_madvise(pidfd, vec, vlen, behavior, flags) {
        // CAST: The sum of all lengths in a vector is limited to less than `isize::MAX`.
        Ok(done) => done as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// Decides whether `fork()` copies the page tables of `src_vma`, of which `dst_vma` is the copy.
///
/// # Safety
///
/// Both must be valid. The mmap locks of both address spaces must be held for writing.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn vma_needs_copy(
    dst_vma: *mut bindings::vm_area_struct,
    src_vma: *mut bindings::vm_area_struct,
) -> bool {
    // SAFETY: The caller promises that the VMA is valid and the mmap lock held.
    let copy = unsafe { VmaRef::from_raw(dst_vma) };
    // SAFETY: As above.
    let source = unsafe { VmaRef::from_raw(src_vma) };
    fork::needs_copy(copy.vm_flags(), source.has_anon_vma())
}

/// The exports of `CONFIG_ANON_VMA_NAME`.
#[cfg(CONFIG_ANON_VMA_NAME)]
#[expect(unsafe_code)]
mod anon_vma_name {
    use super::*;
    use core::ptr::{null_mut, NonNull};
    use kernel::{mm::AnonVmaName, str::CStr};

    /// Names the anonymous memory of the current process in a range, for `prctl()`.
    ///
    /// `addr` and `size` are in bytes. Returns zero or a negative errno.
    ///
    /// # Safety
    ///
    /// Must be called by a thread of userspace that holds no lock.
    #[export]
    unsafe extern "C" fn set_anon_vma_name(
        addr: usize,
        size: usize,
        uname: *const c_char,
    ) -> c_int {
        // SAFETY: The address space of a thread of userspace is valid and has users while it runs.
        let mm = unsafe { MmWithUser::from_raw((*bindings::get_current()).mm) };
        let name = (!uname.is_null()).then(|| UserPtr::from_ptr(uname.cast_mut().cast()));
        from_result(|| madvise::names::set(mm, addr, size, name).map(|()| 0))
    }

    /// Returns the name of a VMA, or null.
    ///
    /// # Safety
    ///
    /// `vma` must be valid, and its mmap lock or VMA lock held.
    #[export]
    unsafe extern "C" fn anon_vma_name(
        vma: *mut bindings::vm_area_struct,
    ) -> *mut bindings::anon_vma_name {
        // SAFETY: The caller promises that the VMA is valid and locked.
        unsafe { VmaRef::from_raw(vma) }.anon_vma_name()
    }

    /// Makes a name, with one reference; null when there is no memory.
    ///
    /// # Safety
    ///
    /// `name` must be a string.
    #[export]
    unsafe extern "C" fn anon_vma_name_alloc(name: *const c_char) -> *mut bindings::anon_vma_name {
        // SAFETY: The caller promises that it is a string.
        let name = unsafe { CStr::from_char_ptr(name) };
        AnonVmaName::alloc(name).map_or(null_mut(), NonNull::as_ptr)
    }

    /// Frees a name that has no references any more.
    ///
    /// # Safety
    ///
    /// `kref` must be the counter of a name, and zero.
    #[export]
    unsafe extern "C" fn anon_vma_name_free(kref: *mut bindings::kref) {
        if let Some(kref) = NonNull::new(kref) {
            // SAFETY: The caller promises it.
            unsafe { AnonVmaName::free(kref) };
        }
    }
}
