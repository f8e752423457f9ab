// SPDX-License-Identifier: GPL-2.0

//! Injection of memory failures.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::mm::additions::bindings;
use crate::{c_str, cred::Capability, error::to_result, prelude::*, task::Task};
use core::{mem::ManuallyDrop, ptr::null_mut};

/// A page of the current process, with a reference.
///
/// # Invariants
///
/// `page` is valid, and this owns a reference to it.
pub struct UserPage {
    page: *mut bindings::page,
    addr: usize,
}

impl UserPage {
    /// Finds, or faults in, the page at `addr`, an address in the current process; may sleep.
    /// `None` when there is none to be had.
    ///
    /// # Errors
    ///
    /// `EFAULT` when nothing is mapped there, `EHWPOISON` when the page has failed already,
    /// `EINTR`.
    ///
    /// C: `get_user_pages_fast()`.
    #[inline]
    pub fn get(addr: usize) -> Result<Option<Self>> {
        // SAFETY: The current task is valid, and no one else changes its `mm`.
        if unsafe { (*Task::current_raw()).mm }.is_null() {
            return Err(EFAULT);
        }
        let mut page = null_mut();
        // SAFETY: There is room for one page, and the thread has an address space.
        match unsafe { bindings::get_user_pages_fast(addr, 1, 0, &mut page) } {
            // INVARIANT: The function returned one page with a reference.
            1 => Ok(Some(Self { page, addr })),
            0 => Ok(None),
            errno => Err(Error::from_errno(errno)),
        }
    }

    /// The size of the folio that the page is in, in bytes.
    ///
    /// C: `page_size()` of `compound_head()`.
    #[inline]
    pub fn folio_size(&self) -> usize {
        // SAFETY: By the type invariants the page is valid.
        unsafe { bindings::page_size(self.page) }
    }

    /// Handles the page as if the hardware had reported that it failed for good: all its users are
    /// killed.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_SYS_ADMIN`; and errors of the C function `memory_failure()`. It is no
    /// error when there is nothing to do.
    #[inline]
    pub fn fail(self) -> Result {
        if !Capability::SysAdmin.is_held() {
            return Err(EPERM);
        }
        let pfn = self.report(c_str!(
            "\x016Injecting memory failure for pfn %#lx at process virtual address %#lx\n"
        ));
        let flags = bindings::mf_flags_MF_ACTION_REQUIRED
            | bindings::mf_flags_MF_COUNT_INCREASED
            | bindings::mf_flags_MF_SW_SIMULATED;
        // SAFETY: The page is valid, and the function takes our reference over, as the flag says.
        // CAST: The flags are small.
        let status = unsafe { bindings::memory_failure(pfn, flags as c_int) };
        // CAST: An errno is small.
        if status == -(bindings::EOPNOTSUPP as c_int) {
            return Ok(());
        }
        to_result(status)
    }

    /// Moves the content elsewhere, where possible, and takes the page out of use.
    ///
    /// # Errors
    ///
    /// `EPERM` without `CAP_SYS_ADMIN`; and errors of the C function `soft_offline_page()`.
    #[inline]
    pub fn soft_offline(self) -> Result {
        if !Capability::SysAdmin.is_held() {
            return Err(EPERM);
        }
        let pfn = self.report(c_str!(
            "\x016Soft offlining pfn %#lx at process virtual address %#lx\n"
        ));
        // SAFETY: The page is valid, and the function takes our reference over, as the flag says.
        // CAST: The flag is small.
        to_result(unsafe {
            bindings::soft_offline_page(pfn, bindings::mf_flags_MF_COUNT_INCREASED as c_int)
        })
    }

    /// Prints a message, which has two `%lx`: for the number of the page frame, which is returned,
    /// and for the address. The caller takes over the reference.
    #[inline]
    fn report(self, format: &'static CStr) -> usize {
        let page = ManuallyDrop::new(self);
        // SAFETY: By the type invariants the page is valid.
        let pfn = unsafe { bindings::page_to_pfn(page.page) };
        // SAFETY: The format is followed by what it asks for.
        #[cfg(CONFIG_PRINTK)]
        unsafe {
            bindings::_printk(format.as_char_ptr(), pfn, page.addr)
        };
        #[cfg(not(CONFIG_PRINTK))]
        let _ = (format, page.addr);
        pfn
    }
}

impl Drop for UserPage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants this owns a reference.
        unsafe { bindings::put_page(self.page) };
    }
}
