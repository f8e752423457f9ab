// SPDX-License-Identifier: GPL-2.0

//! Guard regions: `MADV_GUARD_INSTALL` and `MADV_GUARD_REMOVE`.
//!
//! A guard is a marker in a page table entry that makes each access to the page fatal. It takes no
//! VMA of its own. [`VmFlags::MAYBE_GUARD`] says that a VMA may have them. [`announce`] sets it
//! under the mmap write lock and the VMA write lock, before the first marker goes in. [`fill`] and
//! [`remove_from`] write and clear markers under a read lock, and return early when others wait for
//! that lock. [`retire`] clears the flag under both write locks when all guards of the VMA were
//! removed. [`install`] and [`remove`] go over the VMAs, and take the write locks.

use super::{
    locks::{untagged, work_on_rest, Rest},
    work::{Failure, Rule},
};
use kernel::{
    mm::guard::{GuardRemoval, Run, VmaMaybeGuard},
    mm::page_table::{table_span, walk, HugePage, MissingTable, Step, Table, Visitor},
    mm::{
        virt::VmaRef, LockMode, MmWithUser, MmapWrite, MmapWriteGuard, PageRange, VmFlags,
        VmaMmapWrite,
    },
    page::PAGE_SIZE,
    prelude::*,
    task::cond_resched,
};

/// How often an install zaps a page that is in its way before it lets others have the locks.
///
/// Under a read lock page faults can fill the range again.
const MAX_TRIES: usize = 3;

/// How much memory an install zaps before it asks whether others wait for its locks, in bytes: this
/// much, which takes some hundred microseconds, or the span of a page table if that is more.
const ZAP_SIZE: usize = 4 << 20;

/// How much is installed under the write locks that the first guards of a VMA need, in bytes. More
/// than that, and any zap, is work for a read lock.
const SMALL: usize = 16 * PAGE_SIZE;

/// Where a zap from `addr` on ends if a page table spans `span` bytes: behind `addr`, and at the
/// end of a table, so that no huge page is split there.
fn zap_end(addr: usize, span: usize) -> usize {
    addr.saturating_add(ZAP_SIZE.max(span)) & !(span - 1)
}

/// Installs guards in a range.
///
/// Each VMA must be announced before its first guard. The write locks are held for that, and for a
/// few guards.
pub(super) fn install(mm: &MmWithUser, range: PageRange, rule: &Rule) -> Result<(), Failure> {
    let mut read_guard = None;
    let mut rest = Rest::new(untagged(mm, &mut read_guard, range)?);
    loop {
        match work_on_rest(mm, &mut read_guard, &mut rest, rule, install_in) {
            Err(Failure::Unannounced) => {
                drop(read_guard);
                let mut guard = MmapWrite::lock(mm)?;
                announce_in_rest(&mut guard, &mut rest, rule)?;
                if rest.range().is_none() {
                    return Ok(rest.finish()?);
                }
                read_guard = Some(guard.downgrade());
            }
            Err(Failure::Contended) if current!().fatal_signal_pending() => {
                return Err(EINTR.into())
            }
            Err(Failure::Contended) => read_guard = None,
            result => return result,
        }
    }
}

/// Announces guards in the VMAs of the rest of a range: in the first of them at least, where it
/// installs them at once if they are few and no memory is in their place.
///
/// # Errors
///
/// Errors of the first VMA. Errors of later VMAs are found again when their turn comes, after the
/// work on those before them.
fn announce_in_rest(
    guard: &mut MmapWriteGuard<'_>,
    rest: &mut Rest,
    rule: &Rule,
) -> Result<(), Failure> {
    let Some((vma, part)) = next_vma(rest, guard)? else {
        return Ok(());
    };
    rule.check_seal(&vma)?;
    let vma = announce(vma)?;
    if part.size() <= SMALL {
        rest.addr = fill(&vma, part, false)?;
    }
    let mut rest = rest.starting_at(part.end());
    while let Ok(Some((vma, part))) = next_vma(&mut rest, guard) {
        let stops = vma.should_unlock() || rule.check_seal(&vma).is_err();
        if stops || (vma.maybe_guard().is_none() && announce(vma).is_err()) {
            break;
        }
        rest.addr = part.end();
    }
    Ok(())
}

/// Removes the guards in a range, and the flag of VMAs that lie wholly in it.
///
/// The write locks are held only to check that no guards were installed meanwhile. That is a look
/// at two numbers, unless some were, in this VMA or another, or the range has a hole.
pub(super) fn remove(mm: &MmWithUser, range: PageRange, rule: &Rule) -> Result<(), Failure> {
    let mut read_guard = None;
    let range = untagged(mm, &mut read_guard, range)?;
    let mut rest = Rest::new(range);
    let mut removal = GuardRemoval::new(mm);
    let mut empties_some = false;
    let result = loop {
        let result = work_on_rest(mm, &mut read_guard, &mut rest, rule, |vma, part| {
            empties_some |= removes_all(vma, range);
            remove_from(&mut removal, vma, part)
        });
        match result {
            Err(Failure::Contended) if current!().fatal_signal_pending() => break Err(EINTR.into()),
            Err(Failure::Contended) => read_guard = None,
            result => break result,
        }
    };
    drop(read_guard);
    if !empties_some {
        return result;
    }
    if let Some(done) = rest.done() {
        let mut rest = Rest::new(done);
        while rest.range().is_some() {
            retire_in_rest(&mut MmapWrite::lock(mm)?, &mut rest, &removal);
        }
    }
    result
}

/// Takes the flag of the VMAs that lie wholly in a range without guards, until others wait for the
/// lock: of the first VMA in the rest of the range at least.
fn retire_in_rest(guard: &mut MmapWriteGuard<'_>, rest: &mut Rest, removal: &GuardRemoval<'_>) {
    let first = rest.addr;
    while let Ok(Some((vma, part))) = next_vma(rest, guard) {
        if rest.addr > first && vma.should_unlock() {
            return;
        }
        if removes_all(&vma, rest.whole) {
            retire(vma, removal);
        }
        rest.addr = part.end();
    }
    rest.addr = rest.whole.end();
}

/// As [`Rest::next_vma`], but out of line: the flag is seldom set or cleared.
#[inline(never)]
fn next_vma<'g>(
    rest: &mut Rest,
    guard: &'g mut MmapWriteGuard<'_>,
) -> Result<Option<(VmaMmapWrite<'g>, PageRange)>> {
    rest.next_vma::<MmapWrite>(guard)
}

/// Checks that `vma` can be given guards.
///
/// # Errors
///
/// `EINVAL` when the VMA is not ordinary memory, or is locked: locked memory must not be zapped.
fn check_install(vma: &VmaRef) -> Result {
    if !vma.is_ordinary() || vma.vm_flags().intersects(VmFlags::LOCKED) {
        return Err(EINVAL);
    }
    Ok(())
}

/// Makes `vma` one that may have guards.
///
/// # Errors
///
/// `EINVAL` when it can have none; `ENOMEM` when there is no memory for the anon_vma. Nothing is
/// changed then.
fn announce(vma: VmaMmapWrite<'_>) -> Result<VmaMaybeGuard<'_>> {
    check_install(&vma)?;
    vma.start_write().set_maybe_guard()
}

/// Installs guards in `range`, a part of `vma`, as [`fill`] does.
///
/// # Errors
///
/// - [`Failure::Unannounced`] when the VMA must be announced before.
/// - `EINVAL` when the VMA can have no guards.
/// - Errors of [`fill`].
///
/// C: `madvise_guard_install()` of `mm/madvise.c`.
fn install_in(vma: &VmaRef, range: PageRange) -> Result<usize, Failure> {
    check_install(vma)?;
    fill(&vma.maybe_guard().ok_or(Failure::Unannounced)?, range, true)
}

/// Makes each access to `range`, a part of `vma`, fatal. Memory that is there is lost.
///
/// Returns the end of the range; or the address to go on from, when the locks should be released
/// before that, or memory is in the way and `may_zap` is false.
///
/// # Errors
///
/// - [`Failure::Blocked`] when page faults fill a page again and again.
/// - `ENOMEM` when there is no memory for a page table. Some of the markers are in place.
fn fill(vma: &VmaMaybeGuard<'_>, range: PageRange, may_zap: bool) -> Result<usize, Failure> {
    let (mut addr, mut tries) = (range.start(), 0);
    while let Some(rest) = range.clamp(addr, range.end()) {
        let mut visitor = Install {
            start: addr,
            stopped: None,
        };
        if walk(vma, rest, &mut visitor)?.is_continue() {
            break;
        }
        let in_way = match visitor.stopped {
            Some(Stopped::ForOthers(addr)) => return Ok(addr),
            Some(Stopped::ByMemory(addr)) => addr,
            None => break,
        };
        // Each walk may come no further than to a page that was just faulted in.
        if !may_zap || (in_way > range.start() && vma.should_unlock()) {
            return Ok(in_way);
        }
        tries = if in_way == addr { tries + 1 } else { 1 };
        if tries > MAX_TRIES {
            return Err(Failure::Blocked);
        }
        addr = in_way;
        if let Some(part) = rest.clamp(addr, zap_end(addr, table_span())) {
            vma.zap(part)?;
        }
    }
    Ok(range.end())
}

/// Removes the guards in `range`, a part of `vma`. Nothing else changes. Returns as [`fill`] does.
///
/// A locked VMA may have guards if it was locked after they were installed.
///
/// # Errors
///
/// `EINVAL` when the VMA is not ordinary memory.
///
/// C: `madvise_guard_remove()` of `mm/madvise.c`.
fn remove_from(
    removal: &mut GuardRemoval<'_>,
    vma: &VmaRef,
    range: PageRange,
) -> Result<usize, Failure> {
    if !vma.is_ordinary() {
        return Err(EINVAL.into());
    }
    Ok(removal.remove(vma, range)?)
}

/// Whether none of the guards that `vma` may have is left when those of `range` are removed.
fn removes_all(vma: &VmaRef, range: PageRange) -> bool {
    range.start() <= vma.start() && vma.end() <= range.end() && vma.has_maybe_guard()
}

/// Makes `vma`, whose guards were removed, one that has none for certain. It stays one that may
/// have some if others installed them meanwhile.
fn retire(vma: VmaMmapWrite<'_>, removal: &GuardRemoval<'_>) {
    let _ = vma.start_write().try_clear_maybe_guard(removal);
}

/// Fills a range with markers.
struct Install {
    start: usize,
    stopped: Option<Stopped>,
}

/// Why an install stopped, and where.
enum Stopped {
    /// There is memory, which must be zapped before.
    ByMemory(usize),
    /// The locks should be released.
    ForOthers(usize),
}

impl Install {
    /// Whether to stop before `range`. If not, others may have the processor. Something is done in
    /// each walk.
    #[inline(never)]
    fn stops_for_others(&mut self, vma: &VmaRef, range: PageRange) -> bool {
        if range.start() == self.start {
            return false;
        }
        if vma.should_unlock() {
            self.stopped = Some(Stopped::ForOthers(range.start()));
            return true;
        }
        cond_resched();
        false
    }

    #[inline]
    fn stop_by_memory(&mut self, addr: usize) -> Step {
        self.stopped = Some(Stopped::ByMemory(addr));
        Step::Stop
    }
}

impl Visitor<VmaMaybeGuard<'_>> for Install {
    fn huge_pud(&mut self, range: PageRange) -> Option<Step> {
        Some(self.stop_by_memory(range.start()))
    }

    fn huge(&mut self, page: &mut HugePage<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        let place = page.as_table();
        if self.stops_for_others(place.vma(), place.range()) {
            return Ok(Step::Stop);
        }
        Ok(self.stop_by_memory(place.range().start()))
    }

    #[inline]
    fn missing(&mut self, table: &MissingTable<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        if self.stops_for_others(table.vma(), table.range()) {
            return Ok(Step::Stop);
        }
        table.allocate_guards()
    }

    #[inline]
    fn table(&mut self, table: &mut Table<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        if self.stops_for_others(table.vma(), table.range()) {
            return Ok(Step::Stop);
        }
        let Some(mut entries) = table.lock(table.range().start()) else {
            return Ok(Step::Again);
        };
        while let Some(run) = entries.next_run() {
            match run {
                Run::Vacant(run) => run.install(),
                Run::Guards => {}
                Run::Other(addr) => return Ok(self.stop_by_memory(addr)),
            }
        }
        Ok(Step::Next)
    }
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[allow(unsafe_code)]
#[kernel::macros::kunit_tests(rust_vma_guard)]
mod tests {
    use super::*;

    #[test]
    fn a_zap_goes_forward_and_ends_with_a_table() {
        // What a table spans with pages of 4, 16 and 64 kB.
        for span in [2 << 20, 32 << 20, 512 << 20] {
            for addr in [span, span + 4096, 2 * span - 4096] {
                let end = zap_end(addr, span);
                assert!(addr < end && end <= addr + ZAP_SIZE.max(span));
                assert_eq!(end % span, 0);
            }
        }
    }
}
