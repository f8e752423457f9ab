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
    mm::{virt::VmaRef, AddressVector, MmWithUser},
    prelude::*,
};

mod fork;
mod madvise;

use madvise::Behavior;

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
    let Some(behavior) = Behavior::from_raw(behavior) else {
        // SAFETY: The caller promises what the C function needs.
        return unsafe { bindings::c_do_madvise(mm, start, len_in, behavior) };
    };
    // SAFETY: The caller promises that `mm` is valid and has users.
    let mm = unsafe { MmWithUser::from_raw(mm) };
    from_result(|| madvise::advise(mm, start, len_in, behavior).map(|()| 0))
}

/// Applies advice to a vector of ranges of an address space, for `process_madvise()`.
///
/// Returns the number of bytes that were processed, or a negative errno when there are none.
///
/// # Safety
///
/// As [`do_madvise`]; and `iter` must be valid and made by `import_iovec()`.
#[export]
#[expect(unsafe_code)]
pub unsafe extern "C" fn vector_madvise(
    mm: *mut bindings::mm_struct,
    iter: *mut bindings::iov_iter,
    behavior: c_int,
) -> isize {
    let Some(behavior) = Behavior::from_raw(behavior) else {
        // SAFETY: The caller promises what the C function needs.
        return unsafe { bindings::c_vector_madvise(mm, iter, behavior) };
    };
    // SAFETY: The caller promises that `mm` is valid and has users.
    let mm = unsafe { MmWithUser::from_raw(mm) };
    // SAFETY: The caller promises that `iter` is valid and of the right kind.
    let mut vector = unsafe { AddressVector::from_raw(iter) };
    match madvise::advise_vector(mm, &mut vector, behavior) {
        // CAST: `import_iovec()` limits the sum of all lengths to less than `isize::MAX`.
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
    let dst = unsafe { VmaRef::from_raw(dst_vma) };
    // SAFETY: As above.
    let src = unsafe { VmaRef::from_raw(src_vma) };
    fork::needs_copy(dst.vm_flags(), src.vm_flags(), src.has_anon_vma())
}
