// SPDX-License-Identifier: GPL-2.0

//! Walks for guard markers: to remove them, and to check that there are none.

use crate::{
    error::{code::EINVAL, Result},
    mm::{
        page_table::{walk, HugePage, Step, Table, Visitor},
        virt::VmaRef,
        MmWithUser, PageRange, VmaWrite,
    },
    task::cond_resched,
};

/// The removal of the guards of a range, VMA by VMA. No lock is needed in between.
///
/// It can tell whether a marker may have come in behind it: each one that is written or moved
/// changes `mm_struct::guard_seq`, under a lock of its VMA. `fork()` fills the page tables of a new
/// address space without that, before anybody can remove guards there.
///
/// # Invariants
///
/// `start` and `end` are multiples of the page size. Each marker that was between them in the page
/// tables of `mm` when its `guard_seq` was `seq` has been removed.
pub struct GuardRemoval<'mm> {
    mm: &'mm MmWithUser,
    seq: usize,
    start: usize,
    end: usize,
}

impl<'mm> GuardRemoval<'mm> {
    /// Begins a removal.
    #[inline]
    pub fn new(mm: &'mm MmWithUser) -> Self {
        // INVARIANT: There is nothing in between.
        Self {
            mm,
            seq: mm.guard_seq(),
            start: 0,
            end: 0,
        }
    }

    /// Removes the guards in `part`, which must lie in `vma`. Nothing else changes.
    ///
    /// Returns the address behind the part, or that from which to go on when the locks of the VMA
    /// should be released before ([`VmaRef::should_unlock`]).
    ///
    /// # Errors
    ///
    /// `EINVAL` when the part does not lie in the VMA, or the VMA is of another address space.
    #[inline]
    pub fn remove(&mut self, vma: &VmaRef, part: PageRange) -> Result<usize> {
        vma.check_range(part)?;
        if !vma.is_of(self.mm) {
            return Err(EINVAL);
        }
        if part.start() != self.end {
            // INVARIANT: There is nothing in between.
            (self.start, self.end) = (part.start(), part.start());
        }
        let mut visitor = Remove {
            start: part.start(),
            stopped: part.end(),
        };
        if vma.has_maybe_guard() {
            // Where the walk ended is in the visitor.
            let _ = walk(vma, part, &mut visitor)?;
        }
        // INVARIANT: The walk removed the markers up to there. Without the flag there are none.
        self.end = visitor.stopped;
        Ok(self.end)
    }

    /// Returns whether `vma` has no guards for certain, as long as it is locked for writing.
    /// `false` means that it may have some.
    #[inline]
    pub(super) fn is_complete_for(&self, vma: &VmaWrite<'_>) -> bool {
        vma.is_of(self.mm)
            && self.start <= vma.start()
            && vma.end() <= self.end
            && self.mm.guard_seq() == self.seq
    }
}

/// Clears guard markers.
struct Remove {
    start: usize,
    /// Where the walk ended.
    stopped: usize,
}

impl Remove {
    /// Whether to stop before `addr`. If not, others may have the processor. Something is done in
    /// each walk. Out of line, and generic in nothing, so that only the object of the caller has it,
    /// once.
    #[inline(never)]
    #[expect(clippy::extra_unused_type_parameters)]
    fn stops_for_others<Nothing>(&mut self, vma: &VmaRef, addr: usize) -> bool {
        if addr == self.start {
            return false;
        }
        if vma.should_unlock() {
            self.stopped = addr;
            return true;
        }
        cond_resched();
        false
    }
}

impl Visitor<VmaRef> for Remove {
    #[inline]
    fn huge(&mut self, page: &mut HugePage<'_, VmaRef>) -> Result<Step> {
        let place = page.as_table();
        if self.stops_for_others::<()>(place.vma(), place.range().start()) {
            return Ok(Step::Stop);
        }
        Ok(Step::Next)
    }

    #[inline]
    fn huge_pud(&mut self, _: PageRange) -> Option<Step> {
        Some(Step::Next)
    }

    #[inline]
    fn table(&mut self, table: &mut Table<'_, VmaRef>) -> Result<Step> {
        let start = table.range().start();
        if self.stops_for_others::<()>(table.vma(), start) {
            return Ok(Step::Stop);
        }
        let Some(mut entries) = table.lock(start) else {
            return Ok(Step::Again);
        };
        while let Some(guards) = entries.next_guards() {
            guards.remove();
        }
        Ok(Step::Next)
    }
}

/// Returns whether no page table of `vma` has a guard marker. `false` also when others waited for
/// the locks before all tables were seen.
#[inline]
pub(super) fn has_no_guards(vma: &VmaWrite<'_>) -> bool {
    walk::<VmaRef, _>(vma, vma.range(), &mut FindGuard { tables: 0 })
        .is_ok_and(|walked| walked.is_continue())
}

/// Ends a walk at the first guard marker, or when others wait and some tables were looked at.
struct FindGuard {
    /// The number of tables and huge pages that were looked at.
    tables: usize,
}

impl FindGuard {
    /// The number of tables that are looked at although others wait: less than a millisecond of
    /// work.
    const MIN_TABLES: usize = 512;

    /// Whether to stop, as others wait. Counts what is looked at next.
    #[inline]
    fn stops_for_others(&mut self, vma: &VmaRef) -> bool {
        self.tables += 1;
        self.tables > Self::MIN_TABLES && vma.should_unlock()
    }
}

impl Visitor<VmaRef> for FindGuard {
    #[inline]
    fn huge(&mut self, page: &mut HugePage<'_, VmaRef>) -> Result<Step> {
        if self.stops_for_others(page.as_table().vma()) {
            return Ok(Step::Stop);
        }
        Ok(Step::Next)
    }

    #[inline]
    fn huge_pud(&mut self, _: PageRange) -> Option<Step> {
        Some(Step::Next)
    }

    #[inline]
    fn table(&mut self, table: &mut Table<'_, VmaRef>) -> Result<Step> {
        if self.stops_for_others(table.vma()) {
            return Ok(Step::Stop);
        }
        let Some(mut entries) = table.lock(table.range().start()) else {
            return Ok(Step::Again);
        };
        let found = entries.next_guards().is_some();
        drop(entries);
        cond_resched();
        Ok(if found { Step::Stop } else { Step::Next })
    }
}
