// SPDX-License-Identifier: GPL-2.0

//! `madvise()` and `process_madvise()`: the dispatcher.
//!
//! It checks the range, takes the lock that the advice needs, and goes over the VMAs of the range.
//! What the advice does with one VMA is in the module of its family. Guard regions are here; all
//! other advice is in `mm/madvise.c`.

use kernel::{
    bindings,
    mm::{fatal_signal_pending, restart_syscall},
    mm::{AddressVector, LockMode, MmWithUser, MmapRead, MmapWrite, PageRange},
    prelude::*,
};

mod guard;

/// Advice of userspace that is handled here.
#[derive(Copy, Clone)]
pub(crate) enum Behavior {
    /// `MADV_GUARD_INSTALL`: make each access fatal.
    GuardInstall,
    /// `MADV_GUARD_REMOVE`: undo that.
    GuardRemove,
}

impl Behavior {
    /// Makes advice of the number that userspace passes; `None` for what C handles.
    pub(crate) fn from_raw(raw: c_int) -> Option<Self> {
        // CAST: The numbers are small and positive.
        match raw as u32 {
            bindings::MADV_GUARD_INSTALL => Some(Self::GuardInstall),
            bindings::MADV_GUARD_REMOVE => Some(Self::GuardRemove),
            _ => None,
        }
    }
}

/// Why advice could not be applied to a VMA.
enum Failure {
    /// For good.
    Error(Error),
    /// Something stayed in the way. It must be tried again after the locks were released.
    Blocked,
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

/// Applies advice to `len` bytes from the address `start`.
///
/// # Errors
///
/// Those of [`PageRange::from_user`], in which case nothing was done; `EINTR` when a fatal signal
/// ended the wait for the lock; `ENOMEM` when a part of the range is not mapped, although the rest
/// was processed; and those of the advice, which end the work at the VMA where they occur.
///
/// C: `do_madvise()` of `mm/madvise.c`.
pub(crate) fn advise(mm: &MmWithUser, start: usize, len: usize, behavior: Behavior) -> Result {
    let Some(range) = PageRange::from_user(start, len)? else {
        return Ok(());
    };
    let outcome = match behavior {
        Behavior::GuardInstall => {
            for_each_vma::<MmapWrite>(&mut MmapWrite::lock(mm)?, range, guard::install)
        }
        Behavior::GuardRemove => {
            for_each_vma::<MmapRead>(&mut MmapRead::lock(mm)?, range, guard::remove)
        }
    };
    outcome.map_err(|failure| match failure {
        Failure::Error(e) => e,
        Failure::Blocked => restart_syscall(),
    })
}

/// Applies advice to the ranges of `vector`, one after the other, up to the first error.
///
/// Returns the number of bytes in the ranges that were processed without an error.
///
/// # Errors
///
/// Those of [`advise`] for the first range of the vector.
///
/// C: `vector_madvise()` of `mm/madvise.c`.
pub(crate) fn advise_vector(
    mm: &MmWithUser,
    vector: &mut AddressVector<'_>,
    behavior: Behavior,
) -> Result<usize> {
    let total = vector.remaining();
    let outcome = match behavior {
        Behavior::GuardInstall => for_each_range::<MmapWrite>(mm, vector, guard::install),
        Behavior::GuardRemove => for_each_range::<MmapRead>(mm, vector, guard::remove),
    };
    match total - vector.remaining() {
        0 => outcome.map(|()| 0),
        done => Ok(done),
    }
}

/// Takes the lock once and applies `apply` to the ranges of `vector`, up to the first error.
///
/// A restart of the system call would do the first ranges again. So a range that was blocked is
/// tried again here, after the lock was free for a moment.
fn for_each_range<L: LockMode>(
    mm: &MmWithUser,
    vector: &mut AddressVector<'_>,
    apply: fn(L::Vma<'_>, PageRange) -> Result<(), Failure>,
) -> Result {
    let mut guard = L::lock(mm)?;
    while let Some((start, len)) = vector.first() {
        if let Some(range) = PageRange::from_user(start, len)? {
            match for_each_vma::<L>(&mut guard, range, apply) {
                Ok(()) => {}
                Err(Failure::Error(e)) => return Err(e),
                Err(Failure::Blocked) if fatal_signal_pending() => return Err(EINTR),
                Err(Failure::Blocked) => {
                    drop(guard);
                    guard = L::lock(mm)?;
                    continue;
                }
            }
        }
        vector.advance();
    }
    Ok(())
}

/// Applies `apply` to each VMA in `range`, with the part of the range that lies in it.
///
/// # Errors
///
/// The first error of `apply` ends the walk. A hole does not; it makes for `ENOMEM` at the end.
///
/// C: `madvise_walk_vmas()` of `mm/madvise.c`.
fn for_each_vma<L: LockMode>(
    guard: &mut L::Guard<'_>,
    range: PageRange,
    apply: fn(L::Vma<'_>, PageRange) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // An address is no higher without its tag, so that this does not fail.
    let range = range
        .moved_to(L::untag(guard, range.start()))
        .ok_or(EINVAL)?;
    let mut addr = range.start();
    let mut has_hole = false;
    while addr < range.end() {
        let vma = L::find_vma(guard, addr).ok_or(ENOMEM)?;
        let vma_end = vma.end();
        has_hole |= addr < vma.start();
        if let Some(part) = range.clamp(vma.start().max(addr), vma_end) {
            apply(vma, part)?;
        }
        addr = vma_end;
    }
    if has_hole {
        return Err(ENOMEM.into());
    }
    Ok(())
}
