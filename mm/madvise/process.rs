// SPDX-License-Identifier: GPL-2.0

//! `process_madvise()`: advice for a vector of ranges, in this or another process.

use super::{advise_vector, Behavior};
use kernel::{
    cred::Capability,
    mm::{madv::ADVICE_CHECKED_LATE, AddressVector},
    prelude::*,
    task::Task,
};

/// Applies advice to the `count` ranges of the vector at `vector`, in the process of `pidfd`.
///
/// Returns the number of bytes in the ranges that were processed. It is less than the sum of all
/// when there was an error behind the first range.
///
/// # Errors
///
/// - `EINVAL` when `flags` is not zero.
/// - Errors of [`AddressVector::import`], [`Task::from_pidfd`], and [`Task::mm_for_read`].
/// - `EINVAL` when the advice is unknown; with [`ADVICE_CHECKED_LATE`] only if there is a range,
///   and behind the two errors that follow.
/// - `EINVAL` when the process is another one and the advice is not for others.
/// - `EPERM` when it is another one and the current thread lacks `CAP_SYS_NICE`.
/// - Errors of [`advise`] for the first range.
///
/// C: `process_madvise()` of `mm/madvise.c`.
///
/// [`advise`]: super::advise
pub(crate) fn process_madvise(
    pidfd: c_int,
    vector: UserPtr,
    count: usize,
    behavior: c_int,
    flags: c_uint,
) -> Result<usize> {
    if flags != 0 {
        return Err(EINVAL);
    }
    AddressVector::import(vector, count, |vector| {
        let mm = Task::from_pidfd(pidfd)?.mm_for_read()?;
        let advice = Behavior::try_from(behavior);
        if !ADVICE_CHECKED_LATE {
            advice?;
        }
        if !mm.is_current() {
            if !Behavior::is_remote(behavior) {
                return Err(EINVAL);
            }
            if !Capability::SysNice.is_held() {
                return Err(EPERM);
            }
        }
        match advice {
            Ok(advice) => advise_vector(&mm, vector, advice),
            Err(_) if vector.remaining() == 0 => Ok(0),
            Err(e) => Err(e),
        }
    })
}
