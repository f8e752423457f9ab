// SPDX-License-Identifier: GPL-2.0

//! `madvise()` and `process_madvise()`: the dispatcher.
//!
//! It checks the range, takes the lock that the advice needs, and goes over the VMAs of the range.
//! Which lock that is, and what is done under it, is in the table of [`behavior`]; the modules named
//! there have one family of advice each.

use kernel::{
    mm::{
        fatal_signal_pending, file::VmaFile, page_table::GuardRemoval, plugged, restart_syscall,
        tlb::MmuGather, untag_current, virt::VmaRef, AddressVector, LockMode, MmWithUser, MmapRead,
        MmapReadGuard, MmapWrite, MmapWriteGuard, PageRange, VmFlags, VmaReadGuard,
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
use behavior::{Row, VmaRead, Work};

/// Why advice could not be applied to a VMA.
enum Failure {
    /// For good.
    Error(Error),
    /// Something stayed in the way. It must be tried again after the locks were released.
    Blocked,
    /// The VMA must be announced as one that may have guards, under the mmap write lock, which
    /// [`install_guards`] does.
    Unannounced,
    /// Others wait for the locks. [`install_guards`] and [`remove_guards`] release them and go on.
    Contended,
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
/// ended the wait for the lock, or long work on guards; `ENOMEM` when a part of the range is not
/// mapped, although the rest was processed; and those of the advice, which end the work at the VMA
/// where they occur.
///
/// C: `do_madvise()` of `mm/madvise.c`.
pub(crate) fn advise(mm: &MmWithUser, start: usize, len: usize, behavior: Behavior) -> Result {
    let Some(range) = PageRange::from_user(start, len)? else {
        return Ok(());
    };
    with_locks(mm, behavior, |apply| apply(range, len)).map_err(|failure| match failure {
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
            // blocked, the only other failure that comes here, is tried again after the lock was free
            // for a moment.
            Err(_) if fatal_signal_pending() => break Err(EINTR),
            Err(_) => {}
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
        Work::Guards(work) => body(&mut |range, _| plugged(|| work(mm, range, row))),
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
    let mut rest = Rest::new(range);
    while let Some((vma, part)) = rest.next_vma::<L>(guard)? {
        rest.addr = apply(vma, part)?;
    }
    Ok(rest.finish()?)
}

/// The rest of a range, in a walk over its VMAs that may release the locks in between.
#[derive(Copy, Clone)]
struct Rest {
    range: PageRange,
    /// Where it begins.
    addr: usize,
    /// Whether a part of the range before that is not mapped.
    has_hole: bool,
}

impl Rest {
    fn new(range: PageRange) -> Self {
        Self {
            range,
            addr: range.start(),
            has_hole: false,
        }
    }

    /// The part of the range that is behind; `None` before the first VMA.
    fn done(&self) -> Option<PageRange> {
        self.range.clamp(self.range.start(), self.addr)
    }

    /// The rest as a range; `None` at the end.
    fn range(&self) -> Option<PageRange> {
        self.range.clamp(self.addr, self.range.end())
    }

    /// The first VMA of the rest, with the part of the rest that lies in it; `None` at the end.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when nothing is mapped from here on.
    fn next_vma<'g, L: LockMode>(
        &mut self,
        guard: &'g mut L::Guard<'_>,
    ) -> Result<Option<(L::Vma<'g>, PageRange)>> {
        if self.addr >= self.range.end() {
            return Ok(None);
        }
        let vma = L::find_vma(guard, self.addr).ok_or(ENOMEM)?;
        self.has_hole |= self.addr < vma.start();
        let part = self.range.clamp(vma.start().max(self.addr), vma.end());
        Ok(part.map(|part| (vma, part)))
    }

    /// Ends the walk.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when a part of the range is not mapped.
    fn finish(&self) -> Result {
        if self.has_hole {
            return Err(ENOMEM);
        }
        Ok(())
    }
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
    if guard.is_none() && mm.is_current() {
        let range = untag_current_range(range)?;
        if let Some(vma) = lock_one_vma(mm, range) {
            check_seal(&vma, row)?;
            return plugged(|| Ok(apply(VmaRead::Vma(&vma), range).map(drop)?));
        }
    }
    advise_each_vma::<MmapRead>(read_lock(mm, guard)?, range, row, |vma, part| {
        Ok(apply(VmaRead::Mmap(vma), part)?)
    })
}

/// Takes the mmap read lock, unless `guard` has it.
fn read_lock<'a, 'mm>(
    mm: &'mm MmWithUser,
    guard: &'a mut Option<MmapReadGuard<'mm>>,
) -> Result<&'a mut MmapReadGuard<'mm>> {
    match guard {
        Some(guard) => Ok(guard),
        None => Ok(guard.insert(MmapRead::lock(mm)?)),
    }
}

/// Removes the tag from the start of a range of the current process.
fn untag_current_range(range: PageRange) -> Result<PageRange> {
    range.moved_to(untag_current(range.start())).ok_or(EINVAL)
}

/// Takes the read lock of the VMA that `range`, which has no tag, is in, without waiting; `None` when
/// the range is not in one VMA.
///
/// Userfaultfd is told of what is removed, and its answer is awaited without the mmap lock. So what
/// it watches needs that lock. So do the huge pages of DAX, which a zap may split.
///
/// C: `try_vma_read_lock()` of `mm/madvise.c`.
fn lock_one_vma(mm: &MmWithUser, range: PageRange) -> Option<VmaReadGuard<'_>> {
    mm.lock_vma_under_rcu(range.start()).filter(|vma| {
        let is_dax = vma.file().is_some_and(VmaFile::is_dax);
        range.end() <= vma.end() && !vma.userfaultfd_armed() && !is_dax
    })
}

/// Installs guards in a range.
///
/// Each VMA must be announced before its first guard. The write locks are held for that, and for a
/// few guards.
fn install_guards(mm: &MmWithUser, range: PageRange, row: &Row) -> Result<(), Failure> {
    let mut read_guard = None;
    let mut rest = Rest::new(untagged(mm, &mut read_guard, range)?);
    loop {
        match work_on_guards(mm, &mut read_guard, &mut rest, row, guard::install) {
            Err(Failure::Unannounced) => {
                drop(read_guard);
                let mut guard = MmapWrite::lock(mm)?;
                announce_guards(&mut guard, &mut rest, row)?;
                if rest.range().is_none() {
                    return Ok(rest.finish()?);
                }
                read_guard = Some(guard.downgrade());
            }
            Err(Failure::Contended) if fatal_signal_pending() => return Err(EINTR.into()),
            Err(Failure::Contended) => read_guard = None,
            result => return result,
        }
    }
}

/// Announces guards in the VMAs of the rest of a range: in the first of them at least, where it
/// installs them at once if they are few.
///
/// # Errors
///
/// Those of the first VMA. Errors of later VMAs are found again when their turn comes, after the
/// work on those before them.
fn announce_guards(
    guard: &mut MmapWriteGuard<'_>,
    rest: &mut Rest,
    row: &Row,
) -> Result<(), Failure> {
    let Some((vma, part)) = rest.next_vma::<MmapWrite>(guard)? else {
        return Ok(());
    };
    check_seal(&vma, row)?;
    let vma = guard::announce(vma)?;
    if part.size() <= guard::SMALL {
        rest.addr = guard::fill(&vma, part)?;
    }
    let mut rest = Rest {
        addr: part.end(),
        ..*rest
    };
    while let Ok(Some((vma, part))) = rest.next_vma::<MmapWrite>(guard) {
        let stops = vma.should_unlock() || check_seal(&vma, row).is_err();
        if stops || (vma.maybe_guard().is_none() && guard::announce(vma).is_err()) {
            break;
        }
        rest.addr = part.end();
    }
    Ok(())
}

/// Removes the guards in a range, and the flag of VMAs that lie wholly in it.
///
/// The write locks are held only to check that no guards were installed meanwhile. That is a look at
/// two numbers, unless some were, in this VMA or another, or the range has a hole.
fn remove_guards(mm: &MmWithUser, range: PageRange, row: &Row) -> Result<(), Failure> {
    let mut read_guard = None;
    let range = untagged(mm, &mut read_guard, range)?;
    let mut rest = Rest::new(range);
    let mut removal = GuardRemoval::new(mm);
    let mut removes_all = false;
    let result = loop {
        let result = work_on_guards(mm, &mut read_guard, &mut rest, row, |vma, part| {
            removes_all |= guard::removes_all(vma, range);
            guard::remove(&mut removal, vma, part)
        });
        match result {
            Err(Failure::Contended) if fatal_signal_pending() => break Err(EINTR.into()),
            Err(Failure::Contended) => read_guard = None,
            result => break result,
        }
    };
    drop(read_guard);
    if !removes_all {
        return result;
    }
    if let Some(done) = rest.done() {
        let mut rest = Rest::new(done);
        while rest.range().is_some() {
            retire_guards(&mut MmapWrite::lock(mm)?, &mut rest, &removal);
        }
    }
    result
}

/// Takes the flag of the VMAs that lie wholly in a range without guards, until others wait for the
/// lock: of the first VMA in the rest of the range at least.
fn retire_guards(guard: &mut MmapWriteGuard<'_>, rest: &mut Rest, removal: &GuardRemoval<'_>) {
    let first = rest.addr;
    while let Ok(Some((vma, part))) = rest.next_vma::<MmapWrite>(guard) {
        if rest.addr > first && vma.should_unlock() {
            return;
        }
        if guard::removes_all(&vma, rest.range) {
            guard::retire(vma, removal);
        }
        rest.addr = part.end();
    }
    rest.addr = rest.range.end();
}

/// Calls `work` under a read lock for each VMA in the rest of a range: that of the VMA, if the rest is
/// in one VMA and `read_guard` is empty; else the mmap read lock, which `read_guard` keeps. `work`
/// returns the end of the part that it was given; or where to go on, when the locks should be
/// released.
///
/// # Errors
///
/// [`Failure::Contended`] when the locks should be released before the work goes on; `ENOMEM` when a
/// part of the range is not mapped; and those of `work`.
fn work_on_guards<'mm>(
    mm: &'mm MmWithUser,
    read_guard: &mut Option<MmapReadGuard<'mm>>,
    rest: &mut Rest,
    row: &Row,
    mut work: impl FnMut(&VmaRef, PageRange) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let mut advance = |rest: &mut Rest, vma: &VmaRef, part: PageRange| {
        check_seal(vma, row)?;
        rest.addr = work(vma, part)?;
        if rest.addr < part.end() {
            return Err(Failure::Contended);
        }
        Ok(())
    };
    if let (None, Some(range)) = (&*read_guard, rest.range()) {
        if let Some(vma) = lock_one_vma(mm, range) {
            advance(rest, &vma, range)?;
            return Ok(rest.finish()?);
        }
    }
    let (guard, first) = (read_lock(mm, read_guard)?, rest.addr);
    while let Some((vma, part)) = rest.next_vma::<MmapRead>(guard)? {
        if rest.addr > first && vma.should_unlock() {
            return Err(Failure::Contended);
        }
        advance(rest, &vma, part)?;
    }
    Ok(rest.finish()?)
}

/// Removes the tag from the start of a range in `mm`. `read_guard` keeps the mmap read lock if it was
/// taken, as it is for another process.
fn untagged<'mm>(
    mm: &'mm MmWithUser,
    read_guard: &mut Option<MmapReadGuard<'mm>>,
    range: PageRange,
) -> Result<PageRange> {
    if mm.is_current() {
        return untag_current_range(range);
    }
    untag::<MmapRead>(read_lock(mm, read_guard)?, range)
}
