// SPDX-License-Identifier: GPL-2.0

//! `madvise()` and `process_madvise()`: the dispatcher.
//!
//! It checks the range, takes the lock that the advice needs, and goes over the VMAs of the range.
//! Which lock that is, and what is done under it, is in the table of [`behavior`]; the modules named
//! there have one family of advice each.

use kernel::{
    mm::{
        fatal_signal_pending, plugged, restart_syscall, tlb::MmuGather, untag_current,
        virt::VmaRef, AddressVector, LockMode, MmWithUser, MmapRead, MmapReadGuard, MmapWrite,
        PageRange, VmFlags, VmaReadGuard,
    },
    prelude::*,
};

mod behavior;
mod discard;
mod files;
mod flags;
mod guard;
#[cfg(CONFIG_ANON_VMA_NAME)]
pub(crate) mod names;
#[cfg(CONFIG_MEMORY_FAILURE)]
mod poison;
mod populate;
pub(crate) mod process;
mod reclaim;
mod split;
#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
mod tests;

pub(crate) use behavior::Behavior;
use behavior::{GuardWork, Row, VmaGuards, VmaRead, Work};

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
    with_locks(mm, behavior, |apply| apply(range, len)).map_err(|failure| match failure {
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
fn advise_vector(
    mm: &MmWithUser,
    vector: &mut AddressVector<'_>,
    behavior: Behavior,
) -> Result<usize> {
    let total = vector.remaining();
    let outcome = loop {
        match with_locks(mm, behavior, |apply| apply_to_ranges(vector, apply)) {
            Ok(()) => break Ok(0),
            Err(Failure::Error(e)) => break Err(e),
            // A restart of the system call would do the first ranges again. So a range that was
            // blocked is tried again here, after the lock was free for a moment.
            Err(Failure::Blocked) if fatal_signal_pending() => break Err(EINTR),
            Err(Failure::Blocked) => {}
        }
    };
    match total - vector.remaining() {
        0 => outcome,
        done => Ok(done),
    }
}

/// Calls `apply` for the ranges that are left in `vector`, up to the first failure.
fn apply_to_ranges(vector: &mut AddressVector<'_>, apply: &mut Apply<'_>) -> Result<(), Failure> {
    while let Some((start, len)) = vector.first() {
        if let Some(range) = PageRange::from_user(start, len)? {
            apply(range, len)?;
        }
        vector.advance();
    }
    Ok(())
}

/// Applies advice to one range, whose length it takes in pages and, as the user passed it, in bytes.
type Apply<'a> = dyn FnMut(PageRange, usize) -> Result<(), Failure> + 'a;

/// Takes the locks that `behavior` needs and calls `body` under them, with a function that applies
/// the advice to one range.
///
/// # Errors
///
/// `EINTR` when a fatal signal ended the wait for the lock, and those of `body`.
///
/// C: `madvise_lock()`, `madvise_init_tlb()`, and `madvise_do_behavior()` of `mm/madvise.c`.
fn with_locks(
    mm: &MmWithUser,
    behavior: Behavior,
    body: impl FnOnce(&mut Apply<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let row = behavior.row();
    match row.work {
        #[cfg(CONFIG_MEMORY_FAILURE)]
        Work::Unlocked(work) => body(&mut |range, len| Ok(work(range.start(), len)?)),
        Work::Populate(work) => {
            let mut guard = MmapRead::lock(mm)?;
            body(&mut |range, _| {
                let range = untag::<MmapRead>(&guard, range)?;
                plugged(|| Ok(work(&mut guard, range)?))
            })
        }
        Work::MmapRead(work) => {
            let mut guard = MmapRead::lock(mm)?;
            body(&mut |range, _| {
                advise_each_vma::<MmapRead>(&mut guard, range, row, |vma, part| {
                    work(&vma, part)?;
                    Ok(part.end())
                })
            })
        }
        Work::MmapReadReleased(work) => {
            let mut guard = MmapRead::lock(mm)?;
            body(&mut |range, _| {
                advise_each_vma::<MmapRead>(&mut guard, range, row, |vma, part| {
                    work(vma, part)?;
                    Ok(part.end())
                })
            })
        }
        Work::VmaRead(work) => {
            let mut guard = None;
            MmuGather::scope(mm, |tlb| {
                body(&mut |range, _| {
                    advise_one_or_each_vma(mm, &mut guard, range, row, |vma, part| {
                        work(vma, part, tlb)
                    })
                })
            })
        }
        Work::Guards(work) => {
            let mut guard = None;
            body(&mut |range, _| work_on_guards(mm, &mut guard, range, row, work))
        }
        Work::Flags(change) => {
            let mut guard = MmapWrite::lock(mm)?;
            body(&mut |range, _| {
                advise_each_vma::<MmapWrite>(&mut guard, range, row, |vma, part| {
                    Ok(flags::update(vma, part, change)?)
                })
            })
        }
    }
}

/// Checks that advice may be given to the memory of a VMA: always, unless it throws it away and the
/// VMA is sealed. Sealed memory that the process could overwrite anyway may be thrown away, and so
/// may that of a file.
///
/// # Errors
///
/// `EPERM` when it may not.
///
/// C: `can_madvise_modify()` of `mm/madvise.c`.
fn check_seal(vma: &VmaRef, row: &Row) -> Result {
    let flags = vma.vm_flags();
    let allowed = !row.discards
        || !flags.intersects(VmFlags::SEALED)
        || !vma.is_anonymous()
        || (flags.intersects(VmFlags::WRITE) && vma.arch_write_permitted());
    match allowed {
        true => Ok(()),
        false => Err(EPERM),
    }
}

/// Removes the tag, which the hardware ignores, from the start of a range.
fn untag<L: LockMode>(guard: &L::Guard<'_>, range: PageRange) -> Result<PageRange> {
    // An address is no higher without its tag, so that this does not fail.
    range.moved_to(L::untag(guard, range.start())).ok_or(EINVAL)
}

/// As [`for_each_vma`], for the advice of `row` and an address as the user passed it, and with the
/// requests to disks submitted together.
fn advise_each_vma<L: LockMode>(
    guard: &mut L::Guard<'_>,
    range: PageRange,
    row: &Row,
    mut apply: impl FnMut(L::Vma<'_>, PageRange) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let range = untag::<L>(guard, range)?;
    plugged(|| {
        for_each_vma::<L, _>(guard, range, |vma, part| {
            check_seal(&vma, row)?;
            apply(vma, part)
        })
    })
}

/// Applies `apply` to each VMA in `range`, with the part of the range that lies in it. It returns
/// the address from which to go on.
///
/// # Errors
///
/// The first error of `apply` ends the walk. A hole does not; it makes for `ENOMEM` at the end.
///
/// C: `madvise_walk_vmas()` of `mm/madvise.c`.
fn for_each_vma<L: LockMode, E: From<Error>>(
    guard: &mut L::Guard<'_>,
    range: PageRange,
    mut apply: impl FnMut(L::Vma<'_>, PageRange) -> Result<usize, E>,
) -> Result<(), E> {
    let mut addr = range.start();
    let mut has_hole = false;
    while addr < range.end() {
        let vma = L::find_vma(guard, addr).ok_or(ENOMEM)?;
        has_hole |= addr < vma.start();
        let Some(part) = range.clamp(vma.start().max(addr), vma.end()) else {
            break;
        };
        addr = apply(vma, part)?;
    }
    if has_hole {
        return Err(ENOMEM.into());
    }
    Ok(())
}

/// As [`advise_each_vma`], but takes the read lock of the VMA alone if the range is in one VMA, and
/// the mmap lock is not held already. `guard` keeps the mmap lock if it was taken.
fn advise_one_or_each_vma<'mm>(
    mm: &'mm MmWithUser,
    guard: &mut Option<MmapReadGuard<'mm>>,
    range: PageRange,
    row: &Row,
    mut apply: impl FnMut(VmaRead<'_>, PageRange) -> Result<usize>,
) -> Result<(), Failure> {
    if guard.is_none() {
        if let Some((vma, range)) = lock_one_vma(mm, range)? {
            check_seal(&vma, row)?;
            return plugged(|| Ok(apply(VmaRead::Vma(&vma), range).map(drop)?));
        }
    }
    let guard = match guard {
        Some(guard) => guard,
        None => guard.insert(MmapRead::lock(mm)?),
    };
    advise_each_vma::<MmapRead>(guard, range, row, |vma, part| {
        Ok(apply(VmaRead::Mmap(vma), part)?)
    })
}

/// Takes the read lock of the VMA that `range` is in, without waiting. Returns it and the range
/// without a tag; `None` when the range is not in one VMA of the current process.
///
/// Userfaultfd is told of what is removed, and its answer is awaited without the mmap lock. So what
/// it watches needs that lock.
///
/// C: `try_vma_read_lock()` of `mm/madvise.c`.
fn lock_one_vma(
    mm: &MmWithUser,
    range: PageRange,
) -> Result<Option<(VmaReadGuard<'_>, PageRange)>> {
    if !mm.is_current() {
        return Ok(None);
    }
    let range = range.moved_to(untag_current(range.start())).ok_or(EINVAL)?;
    Ok(mm
        .lock_vma_under_rcu(range.start())
        .filter(|vma| range.end() <= vma.end() && !vma.userfaultfd_armed())
        .map(|vma| (vma, range)))
}

/// Works on the guards in a range under the weakest lock that will do: where the flags of no VMA
/// change, a read lock is enough, of the VMA if it is one. `read_guard` keeps the mmap read lock if it
/// was taken; the write lock is not kept, as others wait for it.
fn work_on_guards<'mm>(
    mm: &'mm MmWithUser,
    read_guard: &mut Option<MmapReadGuard<'mm>>,
    range: PageRange,
    row: &Row,
    work: GuardWork,
) -> Result<(), Failure> {
    if read_guard.is_none() {
        match lock_one_vma(mm, range)? {
            Some((vma, range)) => {
                if !(work.changes_flags)(&vma, range) {
                    check_seal(&vma, row)?;
                    return plugged(|| (work.apply)(VmaGuards::Read(&vma), range));
                }
            }
            None => *read_guard = Some(MmapRead::lock(mm)?),
        }
    }
    if let Some(guard) = read_guard {
        if !changes_any_flags(guard, range, work)? {
            return advise_each_vma::<MmapRead>(guard, range, row, |vma, part| {
                (work.apply)(VmaGuards::Read(&vma), part)?;
                Ok(part.end())
            });
        }
        *read_guard = None;
    }
    let mut guard = MmapWrite::lock(mm)?;
    advise_each_vma::<MmapWrite>(&mut guard, range, row, |vma, part| {
        (work.apply)(VmaGuards::Write(vma), part)?;
        Ok(part.end())
    })
}

/// Returns whether the flags of a VMA in `range` change.
fn changes_any_flags(
    guard: &mut MmapReadGuard<'_>,
    range: PageRange,
    work: GuardWork,
) -> Result<bool> {
    let range = untag::<MmapRead>(guard, range)?;
    let mut any = false;
    // Whether there are holes is asked later.
    let _: Result = for_each_vma::<MmapRead, _>(guard, range, |vma, part| {
        any |= (work.changes_flags)(&vma, part);
        Ok(part.end())
    });
    Ok(any)
}
