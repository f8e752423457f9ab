// SPDX-License-Identifier: GPL-2.0

//! The locks of advice, and the loops over VMAs under them.

use super::work::{try_again, Failure, Rule, VmaRead, Work};
use core::pin::Pin;
use kernel::{
    mm::{
        file::VmaFile, plugged, tlb::MmuGather, untag_current, virt::VmaRef, AddressVector,
        LockMode, MmWithUser, MmapRead, MmapReadGuard, MmapWrite, PageRange, VmFlags, VmaReadGuard,
    },
    prelude::*,
};

/// The ranges of a call.
pub(super) enum Ranges<'v> {
    /// That of `madvise()`, and its length as the user passed it, in bytes.
    One(PageRange, usize),
    /// The rest of those of `process_madvise()`.
    Vector(Pin<&'v mut AddressVector>),
}

impl Ranges<'_> {
    /// Calls `apply` for each range, up to the first failure.
    fn for_each(
        &mut self,
        mut apply: impl FnMut(PageRange, usize) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let next = match self {
                Self::One(range, len) => Some((*range, *len)),
                Self::Vector(vector) => first_in_vector(vector.as_mut())?,
            };
            let Some((range, len)) = next else {
                return Ok(());
            };
            apply(range, len)?;
            match self {
                Self::One(..) => return Ok(()),
                Self::Vector(vector) => vector.as_mut().advance(),
            }
        }
    }
}

/// The first range of a vector that is not empty; `None` at the end. Out of line: one is usual.
#[inline(never)]
fn first_in_vector(mut vector: Pin<&mut AddressVector>) -> Result<Option<(PageRange, usize)>> {
    while let Some((start, len)) = vector.first() {
        if let Some(range) = PageRange::from_user(start, len)? {
            return Ok(Some((range, len)));
        }
        vector.as_mut().advance();
    }
    Ok(None)
}

/// Applies the advice of `rule` to `ranges`, up to the first failure, under the lock that it wants:
/// taken once, or for each range where that decides which lock it is.
///
/// # Errors
///
/// `EINTR` when a fatal signal ended the wait for the lock; those of [`PageRange::from_user`] for a
/// range of a vector; and errors of the advice.
///
/// C: `madvise_lock()`, `madvise_init_tlb()`, and `madvise_do_behavior()` of `mm/madvise.c`.
pub(super) fn with_locks(
    mm: &MmWithUser,
    rule: &Rule,
    ranges: &mut Ranges<'_>,
) -> Result<(), Failure> {
    match rule.work {
        #[cfg(CONFIG_MEMORY_FAILURE)]
        Work::Unlocked(work) => ranges.for_each(|range, len| Ok(work(range.start(), len)?)),
        Work::Populate(work) => {
            let mut guard = MmapRead::lock(mm)?;
            ranges.for_each(|range, _| {
                let range = untag::<MmapRead>(&guard, range)?;
                plugged(|| Ok(work(&mut guard, range)?))
            })
        }
        Work::MmapRead(work) => {
            let mut guard = MmapRead::lock(mm)?;
            ranges.for_each(|range, _| {
                advise_each_vma::<MmapRead>(&mut guard, range, rule, |vma, part| {
                    work(vma, part)?;
                    Ok(part.end())
                })
            })
        }
        Work::VmaRead(work) => {
            let mut guard = None;
            MmuGather::scope(mm, |tlb| {
                ranges.for_each(|range, _| {
                    advise_one_or_each_vma(mm, &mut guard, range, rule, |vma, part| {
                        work(vma, part, tlb)
                    })
                })
            })
        }
        Work::Guards(work) => ranges.for_each(|range, _| plugged(|| work(mm, range, rule))),
        Work::Flags(change) => {
            let mut guard = MmapWrite::lock(mm)?;
            ranges.for_each(|range, _| {
                advise_each_vma::<MmapWrite>(&mut guard, range, rule, |vma, part| {
                    let mut flags = vma.change_flags(part)?;
                    change(&mut flags).map_err(try_again)?;
                    Ok(flags.apply().map_err(try_again)?)
                })
            })
        }
    }
}

/// Removes the tag, which the hardware ignores, from the start of a range.
fn untag<L: LockMode>(guard: &L::Guard<'_>, range: PageRange) -> Result<PageRange> {
    // An address is no higher without its tag, so that this does not fail.
    range.moved_to(L::untag(guard, range.start())).ok_or(EINVAL)
}

/// As [`for_each_vma`], for the advice of `rule` and an address as the user passed it, and with the
/// requests to disks submitted together.
#[inline]
fn advise_each_vma<L: LockMode>(
    guard: &mut L::Guard<'_>,
    range: PageRange,
    rule: &Rule,
    mut apply: impl FnMut(L::Vma<'_>, PageRange) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let range = untag::<L>(guard, range)?;
    plugged(|| {
        for_each_vma::<L, _>(guard, range, |vma, part| {
            rule.check_seal(&vma)?;
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
#[inline]
pub(super) fn for_each_vma<L: LockMode, E: From<Error>>(
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
pub(super) struct Rest {
    /// All of the range.
    pub(super) whole: PageRange,
    /// Where the rest begins.
    pub(super) addr: usize,
    /// Whether a part of the range before that is not mapped.
    has_hole: bool,
}

impl Rest {
    pub(super) fn new(range: PageRange) -> Self {
        Self {
            whole: range,
            addr: range.start(),
            has_hole: false,
        }
    }

    /// The rest from `addr` on.
    pub(super) fn starting_at(&self, addr: usize) -> Self {
        Self { addr, ..*self }
    }

    /// The part of the range that is done; `None` before the first VMA.
    pub(super) fn done(&self) -> Option<PageRange> {
        self.whole.clamp(self.whole.start(), self.addr)
    }

    /// The rest as a range; `None` at the end.
    pub(super) fn range(&self) -> Option<PageRange> {
        self.whole.clamp(self.addr, self.whole.end())
    }

    /// The first VMA of the rest, with the part of the rest that lies in it; `None` at the end.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when nothing is mapped from here on.
    #[inline(always)]
    pub(super) fn next_vma<'g, L: LockMode>(
        &mut self,
        guard: &'g mut L::Guard<'_>,
    ) -> Result<Option<(L::Vma<'g>, PageRange)>> {
        if self.addr >= self.whole.end() {
            return Ok(None);
        }
        let vma = L::find_vma(guard, self.addr).ok_or(ENOMEM)?;
        self.has_hole |= self.addr < vma.start();
        let part = self.whole.clamp(vma.start().max(self.addr), vma.end());
        Ok(part.map(|part| (vma, part)))
    }

    /// Ends the walk.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when a part of the range is not mapped.
    pub(super) fn finish(&self) -> Result {
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
    rule: &Rule,
    mut apply: impl FnMut(VmaRead<'_>, PageRange) -> Result<usize>,
) -> Result<(), Failure> {
    if guard.is_none() && mm.is_current() {
        let range = untag_current_range(range)?;
        if let Some(vma) = lock_one_vma(mm, range) {
            rule.check_seal(&vma)?;
            return plugged(|| Ok(apply(VmaRead::Vma(&vma), range).map(drop)?));
        }
    }
    advise_each_vma::<MmapRead>(read_lock(mm, guard)?, range, rule, |vma, part| {
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

/// Takes the read lock of the VMA that `range`, which has no tag, is in, without waiting; `None`
/// when the range is not in one VMA.
///
/// Userfaultfd is told of a removal, and its answer is awaited without the mmap lock. So memory
/// that it watches needs that lock. So do the huge pages of DAX and of drivers, which a zap may
/// split.
///
/// C: `try_vma_read_lock()` of `mm/madvise.c`.
fn lock_one_vma(mm: &MmWithUser, range: PageRange) -> Option<VmaReadGuard<'_>> {
    mm.lock_vma_under_rcu(range.start()).filter(|vma| {
        let may_have_huge_puds = vma.file().is_some_and(|file| is_of_device(vma, file));
        range.end() <= vma.end() && !vma.userfaultfd_armed() && !may_have_huge_puds
    })
}

/// Whether the pages of `vma`, which maps `file`, may be those of a device.
#[inline(never)]
fn is_of_device(vma: &VmaRef, file: &VmaFile) -> bool {
    file.is_dax() || vma.vm_flags().intersects(VmFlags::MIXEDMAP)
}

/// Calls `work` under a read lock for each VMA in the rest of a range: that of the VMA, if the rest
/// is in one VMA and `read_guard` is empty; else the mmap read lock, which `read_guard` keeps.
/// `work` returns the end of the part that it was given; or where to go on, when the locks should
/// be released.
///
/// # Errors
///
/// [`Failure::Contended`] when the locks should be released before the work goes on; `ENOMEM` when
/// a part of the range is not mapped; and errors of `work`.
pub(super) fn work_on_rest<'mm>(
    mm: &'mm MmWithUser,
    read_guard: &mut Option<MmapReadGuard<'mm>>,
    rest: &mut Rest,
    rule: &Rule,
    mut work: impl FnMut(&VmaRef, PageRange) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    let mut advance = |rest: &mut Rest, vma: &VmaRef, part: PageRange| {
        rule.check_seal(vma)?;
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

/// Removes the tag from the start of a range in `mm`. `read_guard` keeps the mmap read lock if it
/// was taken, as it is for another process.
pub(super) fn untagged<'mm>(
    mm: &'mm MmWithUser,
    read_guard: &mut Option<MmapReadGuard<'mm>>,
    range: PageRange,
) -> Result<PageRange> {
    if mm.is_current() {
        return untag_current_range(range);
    }
    untag::<MmapRead>(read_lock(mm, read_guard)?, range)
}
