// SPDX-License-Identifier: GPL-2.0

//! Advice that gives memory back: `MADV_DONTNEED`, `MADV_DONTNEED_LOCKED`, `MADV_FREE`.

use super::{behavior::VmaRead, split::Large};
use kernel::{
    mm::folio::{lru_add_drain, Folio},
    mm::page_table::{walk, Entries, Entry, HugePage, PresentEntry, Step, Table, Visitor},
    mm::tlb::{notify_clear, MmuGather, VmaGather},
    mm::{cond_resched, virt::VmaRef, Announced, PageRange, VmFlags},
    prelude::*,
};

/// `MADV_DONTNEED`: drops the memory in `range`, a part of `vma`, at once. Returns the address from
/// which to go on.
///
/// # Errors
///
/// - `EINVAL` when the VMA is locked, or maps page frames without pages.
/// - `EINVAL` when it is one of hugetlb and `range` does not begin at a huge page. At its end it
///   is cut down to whole huge pages.
/// - `ENOMEM` when the VMA is gone after userfaultfd was told of the removal.
///
/// C: `madvise_dontneed_free()` of `mm/madvise.c`.
pub(super) fn dont_need(
    vma: VmaRead<'_>,
    range: PageRange,
    tlb: &mut MmuGather<'_>,
) -> Result<usize> {
    const UNFIT: VmFlags = VmFlags::PFNMAP.union(VmFlags::LOCKED);
    discard(
        vma,
        range,
        |vma, range| check_zap(vma, range, UNFIT),
        |vma, range| tlb.zap(vma, range),
    )
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
    const UNFIT: VmFlags = VmFlags::PFNMAP;
    discard(
        vma,
        range,
        |vma, range| check_zap(vma, range, UNFIT),
        |vma, range| tlb.zap(vma, range),
    )
}

/// `MADV_FREE`: lets the memory in `range`, a part of `vma`, be dropped when memory is short, unless
/// it is written to before. What is in swap is dropped at once. Returns the address from which to
/// go on.
///
/// # Errors
///
/// - `EINVAL` when the VMA is not private anonymous memory, or is locked.
/// - `ENOMEM` when the VMA is gone after userfaultfd was told of the removal.
///
/// C: `madvise_free_single_vma()` of `mm/madvise.c`.
pub(super) fn free(vma: VmaRead<'_>, range: PageRange, tlb: &mut MmuGather<'_>) -> Result<usize> {
    const UNFIT: VmFlags = VmFlags::PFNMAP
        .union(VmFlags::LOCKED)
        .union(VmFlags::HUGETLB);
    let check = |vma: &VmaRef, range: PageRange| match vma.vm_flags().intersects(UNFIT) {
        true => Err(EINVAL),
        false => Ok(Some(range)),
    };
    discard(vma, range, check, |vma, range| {
        if !vma.is_anonymous() {
            return Err(EINVAL);
        }
        lru_add_drain();
        vma.mm().update_hiwater_rss();
        // `Free` never stops.
        notify_clear(vma, range, || {
            tlb.of_vma(vma, |vma| walk(vma, range, &mut Free).map(drop))
        })
    })
}

/// Tells userfaultfd of the removal and does it. `check` says which part of a range is to be
/// removed. It is asked again when the lock was released meanwhile, as the VMA may be another one.
fn discard(
    vma: VmaRead<'_>,
    range: PageRange,
    check: impl Fn(&VmaRef, PageRange) -> Result<Option<PageRange>>,
    work: impl FnOnce(&VmaRef, PageRange) -> Result,
) -> Result<usize> {
    let Some(part) = check(&vma, range)? else {
        return Ok(range.end());
    };
    let vma = match vma {
        // A VMA that userfaultfd watches is not under this lock.
        VmaRead::Vma(vma) => return work(vma, part).map(|()| range.end()),
        VmaRead::Mmap(vma) => vma,
    };
    match vma.announce_removal(part)? {
        Announced::Same(vma) => work(&vma, part).map(|()| range.end()),
        Announced::LockDropped(vma) => {
            let vma = vma.ok_or(ENOMEM)?;
            let Some(part) = check(&vma, part)? else {
                return Ok(part.start());
            };
            // The VMA may end earlier now. What is behind it is looked at next.
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
        return match vma.vm_flags().intersects(unfit) {
            true => Err(EINVAL),
            false => Ok(Some(range)),
        };
    };
    if range.start() & (size - 1) != 0 {
        return Err(EINVAL);
    }
    // The caller may not know of huge pages. Better too little is lost than too much.
    Ok(range.clamp(range.start(), range.end() & !(size - 1)))
}

/// Marks the pages of a range as free to be dropped.
struct Free;

impl Visitor<VmaGather<'_>> for Free {
    fn huge(&mut self, page: &HugePage<'_, VmaGather<'_>>) -> Result<Step> {
        #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
        if page.free() {
            return Ok(Step::Next);
        }
        self.table(page.as_table())
    }

    fn table(&mut self, table: &Table<'_, VmaGather<'_>>) -> Result<Step> {
        let mut swapped = 0;
        table.vma().change_to_pages();
        let Some(entries) = table.lock(table.range().start()) else {
            return Ok(Step::Next);
        };
        free_entries(table, entries, &mut swapped);
        if swapped > 0 {
            table.vma().mm().uncount_swapped(swapped);
        }
        cond_resched();
        Ok(Step::Next)
    }
}

/// Marks the pages of the entries. Adds the number of those that were in swap to `swapped`.
fn free_entries<'t, 'v>(
    table: &'t Table<'t, VmaGather<'v>>,
    mut entries: Entries<'t, VmaGather<'v>>,
    swapped: &mut usize,
) {
    while let Some(entry) = entries.next_entry() {
        match entry {
            Entry::Swap(entry) => {
                let n = entry.free();
                *swapped += n;
                entries.skip_rest(n);
            }
            Entry::Poisoned(entry) => entry.clear(),
            Entry::Present(entry) => {
                let Some(folio) = entry.folio() else {
                    continue;
                };
                if !folio.is_large() {
                    free_folio(entry, folio);
                    continue;
                }
                match Large::new(entry, folio, false) {
                    Large::Whole(entry, n) => {
                        free_folio(entry, folio);
                        entries.skip_rest(n);
                    }
                    Large::Part(part) => match part.split(table, entries) {
                        Some(relocked) => entries = relocked,
                        None => return,
                    },
                    Large::Kept(n) => entries.skip_rest(n),
                }
            }
            Entry::Empty | Entry::Guard | Entry::Other => {}
        }
    }
}

/// Marks a folio, all of whose pages `entry` maps, unless it is in use elsewhere.
#[inline(always)]
fn free_folio(entry: PresentEntry<'_, VmaGather<'_>>, folio: &Folio) {
    if folio.is_in_swap_cache() || folio.is_dirty() {
        let Some(locked) = folio.try_lock() else {
            return;
        };
        if !folio.is_mapped_once_per_page() {
            return;
        }
        if folio.is_in_swap_cache() && !locked.free_swap() {
            return;
        }
        locked.clear_dirty();
    }
    if entry.is_young() || entry.is_dirty() {
        entry.clear_young_dirty();
    }
    folio.mark_lazyfree();
}
