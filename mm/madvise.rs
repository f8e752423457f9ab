// SPDX-License-Identifier: GPL-2.0

//! `madvise()` and `process_madvise()`.
//!
//! [`behavior`] is the table of advice. [`locks`] takes the lock that an advice wants and goes over
//! the VMAs of the range. The modules named in the table have one family of advice each.

use core::pin::Pin;
use kernel::{
    mm::{plugged, AddressVector, MmWithUser, PageRange},
    prelude::*,
    task::restart_syscall,
};

mod backing_store;
mod behavior;
mod discard;
mod guard;
mod large_folio;
mod locks;
#[cfg(CONFIG_ANON_VMA_NAME)]
pub(crate) mod names;
#[cfg(CONFIG_MEMORY_FAILURE)]
mod poison;
mod populate;
pub(crate) mod process;
mod reclaim;
#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
mod tests;
mod work;

pub(crate) use behavior::Behavior;
use locks::{with_locks, Ranges};
use work::{Failure, Work};

/// Applies advice to `len` bytes from the address `start`.
///
/// # Errors
///
/// Errors of [`PageRange::from_user`], in which case nothing was done; `EINTR` when a fatal signal
/// ended the wait for the lock, or long work on guards; `ENOMEM` when a part of the range is not
/// mapped, although the rest was processed; and errors of the advice, which end the work at the VMA
/// where they occur.
///
/// C: `do_madvise()` of `mm/madvise.c`.
pub(crate) fn advise(mm: &MmWithUser, start: usize, len: usize, behavior: Behavior) -> Result {
    let Some(range) = PageRange::from_user(start, len)? else {
        return Ok(());
    };
    let rule = behavior.rule();
    let outcome = match rule.work {
        // The shortest calls are those on guards.
        Work::Guards(work) => plugged(|| work(mm, range, rule)),
        _ => with_locks(mm, rule, &mut Ranges::One(range, len)),
    };
    outcome.map_err(|failure| match failure {
        Failure::Error(e) => e,
        Failure::Blocked | Failure::Unannounced | Failure::Contended => restart_syscall(),
    })
}

/// Applies advice to the ranges of `vector`, one after the other, up to the first error.
///
/// Returns the number of bytes in the ranges that were processed without an error.
///
/// # Errors
///
/// Errors of [`advise`] for the first range of the vector.
///
/// C: `vector_madvise()` of `mm/madvise.c`.
fn advise_vector(
    mm: &MmWithUser,
    mut vector: Pin<&mut AddressVector>,
    behavior: Behavior,
) -> Result<usize> {
    let total = vector.remaining();
    let outcome = loop {
        let mut ranges = Ranges::Vector(vector.as_mut());
        match with_locks(mm, behavior.rule(), &mut ranges) {
            Ok(()) => break Ok(0),
            Err(Failure::Error(e)) => break Err(e),
            // A restart of the system call would do the first ranges again. So a range that was
            // blocked, the only other failure that comes here, is tried again after the lock was
            // free for a moment.
            Err(_) if current!().fatal_signal_pending() => break Err(EINTR),
            Err(_) => {}
        }
    };
    match total - vector.remaining() {
        0 => outcome,
        done => Ok(done),
    }
}
