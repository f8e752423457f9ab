// SPDX-License-Identifier: GPL-2.0

//! Injection of memory failures: `MADV_HWPOISON` and `MADV_SOFT_OFFLINE`.

use kernel::{cred::Capability, mm::poison::UserPage, prelude::*};

/// `MADV_HWPOISON`: lets the pages of the current process in `len` bytes from `start` fail.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN`, and errors of [`UserPage::get`] and [`UserPage::fail`]. The
/// pages before have failed.
///
/// C: `madvise_inject_error()` of `mm/madvise.c`.
pub(super) fn fail(start: usize, len: usize) -> Result {
    inject(start, len, false)
}

/// `MADV_SOFT_OFFLINE`: takes the pages of the current process in `len` bytes from `start` out of
/// use, and keeps their content elsewhere.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN`, and errors of [`UserPage::get`] and [`UserPage::soft_offline`].
///
/// C: `madvise_inject_error()` of `mm/madvise.c`.
pub(super) fn soft_offline(start: usize, len: usize) -> Result {
    inject(start, len, true)
}

/// Lets pages fail, or takes them out of use if `keeps_content`.
#[inline(never)]
fn inject(start: usize, len: usize, keeps_content: bool) -> Result {
    if !Capability::SysAdmin.is_held() {
        return Err(EPERM);
    }
    let end = start.saturating_add(len);
    let mut addr = start;
    while addr < end {
        let Some(page) = UserPage::get(addr)? else {
            return Ok(());
        };
        // The page may be in no folio of that size any more afterwards.
        let size = page.folio_size();
        if keeps_content {
            page.soft_offline()?;
        } else {
            page.fail()?;
        }
        addr = addr.saturating_add(size);
    }
    Ok(())
}
