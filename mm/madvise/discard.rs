// SPDX-License-Identifier: GPL-2.0

//! Advice that gives memory back: `MADV_DONTNEED`, `MADV_DONTNEED_LOCKED`, `MADV_FREE`.

use super::{
    large_folio,
    work::{check_seal, VmaRead},
};
use kernel::{
    mm::folio::lru_add_drain,
    mm::page_table::{
        walk, Entries, Entry, HugePage, MappedFolio, Step, Table, Visitor, WholeFolio,
    },
    mm::tlb::{AnonGather, MmuGather},
    mm::{virt::VmaRef, Announced, PageRange, VmFlags},
    prelude::*,
    task::cond_resched,
};

/// `MADV_DONTNEED`: drops the memory in `range`, a part of `vma`, at once. Returns the address from
/// which to go on.
///
/// # Errors
///
/// - `EINVAL` when the VMA is locked, or maps page frames without pages.
/// - `EINVAL` when it is one of hugetlb and `range` does not begin at a huge page. At its end it
///   is cut down to whole huge pages.
/// - `ENOMEM` when the VMA is gone after userfaultfd was told of the removal, `EPERM` when it is
///   sealed by then.
///
/// C: `madvise_dontneed_free()` of `mm/madvise.c`.
pub(super) fn dont_need(
    vma: VmaRead<'_>,
    range: PageRange,
    tlb: &mut MmuGather<'_>,
) -> Result<usize> {
    unmap(vma, range, tlb, VmFlags::PFNMAP.union(VmFlags::LOCKED))
}

/// `MADV_DONTNEED_LOCKED`: as [`dont_need`], but takes locked memory, too.
///
/// # Errors
///
/// As [`dont_need`].
pub(super) fn dont_need_locked(
    vma: VmaRead<'_>,
    range: PageRange,
    tlb: &mut MmuGather<'_>,
) -> Result<usize> {
    unmap(vma, range, tlb, VmFlags::PFNMAP)
}

/// Unmaps `range`, a part of `vma`, which must have none of the flags `unfit`. As [`dont_need`].
fn unmap(
    vma: VmaRead<'_>,
    range: PageRange,
    tlb: &mut MmuGather<'_>,
    unfit: VmFlags,
) -> Result<usize> {
    discard(
        vma,
        range,
        |vma, range| check_zap(vma, range, unfit),
        |vma, range| match vma {
            VmaRead::Vma(vma) => tlb.zap(vma, range),
            VmaRead::Mmap(vma) => tlb.zap_mmap_locked(vma, range),
        },
    )
}

/// `MADV_FREE`: lets the memory in `range`, a part of `vma`, be dropped when memory is short,
/// unless it is written to before. Pages in swap are dropped at once. Returns the address from
/// which to go on.
///
/// # Errors
///
/// - `EINVAL` when the VMA is not private anonymous memory, or is locked.
/// - `ENOMEM` when the VMA is gone after userfaultfd was told of the removal, `EPERM` when it is
///   sealed by then.
///
/// C: `madvise_free_single_vma()` of `mm/madvise.c`.
pub(super) fn free(vma: VmaRead<'_>, range: PageRange, tlb: &mut MmuGather<'_>) -> Result<usize> {
    const UNFIT: VmFlags = VmFlags::PFNMAP
        .union(VmFlags::LOCKED)
        .union(VmFlags::HUGETLB);
    let check = |vma: &VmaRef, range: PageRange| {
        if vma.vm_flags().intersects(UNFIT) {
            return Err(EINVAL);
        }
        Ok(Some(range))
    };
    discard(vma, range, check, |vma, range| {
        if !vma.is_anonymous() {
            return Err(EINVAL);
        }
        // Freeing is a favour that a driver's pages are not done.
        if vma.vm_flags().intersects(VmFlags::MIXEDMAP) {
            return Ok(());
        }
        lru_add_drain();
        vma.mm().update_hiwater_rss();
        // `Free` never stops.
        tlb.with_anon_vma(vma, range, |vma| walk(vma, range, &mut Free).map(drop))
    })
}

/// Tells userfaultfd of the removal and does it. `check` says which part of a range is to be
/// removed. It is asked again when the lock was released meanwhile, as the VMA may be another one.
fn discard(
    vma: VmaRead<'_>,
    range: PageRange,
    check: impl Fn(&VmaRef, PageRange) -> Result<Option<PageRange>>,
    work: impl FnOnce(&VmaRead<'_>, PageRange) -> Result,
) -> Result<usize> {
    let Some(part) = check(&vma, range)? else {
        return Ok(range.end());
    };
    let vma = match vma {
        // A VMA that userfaultfd watches is not under this lock.
        VmaRead::Vma(_) => return work(&vma, part).map(|()| range.end()),
        VmaRead::Mmap(vma) => vma,
    };
    match vma.announce_removal(part)? {
        Announced::Same(vma) => work(&VmaRead::Mmap(vma), part).map(|()| range.end()),
        Announced::LockDropped(vma) => {
            let vma = VmaRead::Mmap(vma.ok_or(ENOMEM)?);
            check_seal(&vma)?;
            let Some(part) = check(&vma, part)? else {
                return Ok(part.start());
            };
            // The VMA may end earlier now. The rest is looked at next.
            let Some(part) = part.clamp(part.start(), vma.end()) else {
                return Ok(part.start());
            };
            work(&vma, part).map(|()| part.end())
        }
    }
}

/// Returns the part of `range` that `MADV_DONTNEED` takes from a VMA, if any, which must have none
/// of the flags `unfit`.
///
/// C: `madvise_dontneed_free_valid_vma()` of `mm/madvise.c`.
fn check_zap(vma: &VmaRef, range: PageRange, unfit: VmFlags) -> Result<Option<PageRange>> {
    let Some(size) = vma.hugetlb_page_size() else {
        if vma.vm_flags().intersects(unfit) {
            return Err(EINVAL);
        }
        return Ok(Some(range));
    };
    if range.start() & (size - 1) != 0 {
        return Err(EINVAL);
    }
    // The caller may not know of huge pages. Better too little is lost than too much.
    Ok(range.clamp(range.start(), range.end() & !(size - 1)))
}

/// Frees the pages of a range lazily.
struct Free;

impl Visitor<AnonGather<'_>> for Free {
    fn huge(&mut self, page: &mut HugePage<'_, AnonGather<'_>>) -> Result<Step> {
        #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
        if page.free_lazily() {
            return Ok(Step::Next);
        }
        self.table(page.as_table())
    }

    fn table(&mut self, table: &mut Table<'_, AnonGather<'_>>) -> Result<Step> {
        if let Some(entries) = table.lock(table.range().start()) {
            free_entries(entries);
            cond_resched();
        }
        Ok(Step::Next)
    }
}

/// Frees the pages of the entries lazily, and those in swap at once.
fn free_entries(mut entries: Entries<'_, AnonGather<'_>>) {
    while let Some(entry) = entries.next_entry() {
        match entry {
            Entry::Swap(entry) => entry.free(),
            Entry::Poisoned(entry) => entry.clear(),
            Entry::Present(entry) => match entry.into_folio() {
                Some(MappedFolio::Small(folio)) => folio.free_lazily(),
                Some(MappedFolio::Large(folio)) => free_large(folio),
                Some(MappedFolio::Part(part)) => {
                    if let Some(split) = large_folio::lock_to_split(part, false) {
                        match entries.unlocked(|| split.run()) {
                            Some(relocked) => entries = relocked,
                            None => return,
                        }
                    }
                }
                None => {}
            },
            Entry::Empty | Entry::Guard | Entry::Other => {}
        }
    }
}

/// Frees a large folio lazily. Out of line, so that the loop is made for folios of one page.
#[inline(never)]
fn free_large(folio: WholeFolio<'_, AnonGather<'_>>) {
    folio.free_lazily();
}
