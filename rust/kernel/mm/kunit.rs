// SPDX-License-Identifier: GPL-2.0

//! Memory of userspace for KUnit tests.
//!
//! C header: [`include/kunit/test.h`](srctree/include/kunit/test.h)

use crate::mm::additions::bindings;
use crate::{
    error::{to_result, Error, Result},
    mm::{virt::VmaRef, MmWithUser},
    page::PAGE_SIZE,
    prelude::*,
    task::Task,
    types::NotThreadSafe,
    uaccess::UserSlice,
};

/// Memory that the thread of a test mapped. It goes away with the thread, at the end of the test.
///
/// # Invariants
///
/// The current thread has an address space, which it keeps as long as it runs.
pub struct UserMemory {
    start: usize,
    _nts: NotThreadSafe,
}

impl UserMemory {
    /// Maps `pages` pages of anonymous memory that can be read and written, shared or private. The
    /// thread gets an address space unless it has one.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the thread is not that of a test; `ENOMEM`.
    ///
    /// C: `kunit_attach_mm()`, `vm_mmap()`.
    #[inline]
    pub fn map(pages: usize, shared: bool) -> Result<Self> {
        // SAFETY: The current task is valid, and its own field is not changed by others.
        if unsafe { (*Task::current_raw()).kunit_test }.is_null() {
            return Err(EINVAL);
        }
        let size = pages.checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
        // SAFETY: The thread is that of a test.
        to_result(unsafe { bindings::kunit_attach_mm() })?;
        let prot = bindings::PROT_READ | bindings::PROT_WRITE;
        let kind = if shared {
            bindings::MAP_SHARED
        } else {
            bindings::MAP_PRIVATE
        };
        // CAST: `usize` is as wide as `unsigned long`.
        let (prot, flags) = (prot as usize, (kind | bindings::MAP_ANONYMOUS) as usize);
        // SAFETY: The thread has an address space; no file is passed, and the kernel chooses where.
        let start = unsafe { bindings::vm_mmap(core::ptr::null_mut(), 0, size, prot, flags, 0) };
        // CAST: An errno, if it is one.
        match start as isize {
            errno @ -4095..=-1 => Err(Error::from_errno(errno as c_int)),
            // INVARIANT: The thread was given an address space above, unless it had one.
            _ => Ok(Self {
                start,
                _nts: NotThreadSafe,
            }),
        }
    }

    /// Unmaps `count` pages from number `page` on.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// C: `vm_munmap()`.
    #[inline]
    pub fn unmap(&self, page: usize, count: usize) -> Result {
        // SAFETY: The memory is of userspace: no reference to it exists.
        to_result(unsafe { bindings::vm_munmap(self.addr(page), count.wrapping_mul(PAGE_SIZE)) })
    }

    /// Hands the address space of the thread to `work`. Neither leaves the thread.
    #[inline]
    pub fn with_mm<R>(&self, work: impl FnOnce(&MmWithUser) -> R) -> R {
        // SAFETY: By the type invariants the current thread has an address space, and keeps it
        // during the call.
        work(unsafe { MmWithUser::from_raw((*Task::current_raw()).mm) })
    }

    /// The address of page number `page`, in bytes.
    #[inline]
    pub fn addr(&self, page: usize) -> usize {
        self.start.wrapping_add(page.wrapping_mul(PAGE_SIZE))
    }

    /// Writes `value` to the first byte of page number `page`.
    ///
    /// # Errors
    ///
    /// `EFAULT` when a write by userspace would be fatal.
    #[inline]
    pub fn write(&self, page: usize, value: u8) -> Result {
        self.slice(page).writer().write_slice(&[value])
    }

    /// Reads the first byte of page number `page`.
    ///
    /// # Errors
    ///
    /// `EFAULT` when a read by userspace would be fatal.
    #[inline]
    pub fn read(&self, page: usize) -> Result<u8> {
        self.slice(page).reader().read()
    }

    #[inline]
    fn slice(&self, page: usize) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.addr(page)), 1)
    }

    /// Hands the VMA of page number `page` to `look`, under the mmap read lock.
    ///
    /// A failed assertion ends the thread. So `look` must make none: the lock would stay held.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the page is not mapped.
    #[inline]
    pub fn with_vma<R>(&self, page: usize, look: impl FnOnce(&VmaRef) -> R) -> Result<R> {
        self.with_mm(|mm| {
            let guard = mm.mmap_read_lock();
            guard.vma_lookup(self.addr(page)).map(look).ok_or(ENOMEM)
        })
    }
}
