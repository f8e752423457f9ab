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
    for_each_folio(start, len, UserPage::fail)
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
    for_each_folio(start, len, UserPage::soft_offline)
}

fn for_each_folio(start: usize, len: usize, work: fn(UserPage) -> Result) -> Result {
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
        work(page)?;
        addr = addr.saturating_add(size);
    }
    Ok(())
}
