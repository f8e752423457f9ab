// SPDX-License-Identifier: GPL-2.0

//! Advice to reclaim memory: `MADV_COLD` and `MADV_PAGEOUT`.

use super::split::Large;
use kernel::{
    mm::folio::{lru_add_drain, Folio, IsolatedFolios},
    mm::page_table::{walk, Entries, Entry, HugePage, PresentEntry, Step, Table, Visitor},
    mm::tlb::{MmuGather, VmaGather},
    mm::{cond_resched, fatal_signal_pending, need_resched},
    mm::{virt::VmaRef, PageRange, VmFlags, VmaMmapLocked},
    page::PAGE_SIZE,
    prelude::*,
};

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use kernel::types::ARef;

/// The bytes of addresses after which others may have the processor, and the page table.
///
/// C: `SWAP_CLUSTER_MAX` entries.
const BATCH_SIZE: usize = 32 * PAGE_SIZE;

/// `MADV_COLD`: makes the memory in `range`, a part of `vma`, the first to be reclaimed.
///
/// # Errors
///
/// `EINVAL` when the VMA has memory that is not reclaimed: locked, of hugetlb, or page frames without
/// pages. That a fatal signal ended the work is no error: no one is left to see it.
///
/// C: `madvise_cold()` of `mm/madvise.c`.
pub(super) fn cold(vma: &VmaMmapLocked, range: PageRange) -> Result {
    check(vma)?;
    reclaim::<false>(vma, range, false);
    Ok(())
}

/// `MADV_PAGEOUT`: reclaims the memory in `range`, a part of `vma`, now.
///
/// To write the pages of a file out is for those who may write the file. For others it would show
/// what other processes have of it in memory. Their private copies they may write out.
///
/// # Errors
///
/// Those of [`cold`].
///
/// C: `madvise_pageout()` of `mm/madvise.c`.
pub(super) fn page_out(vma: &VmaMmapLocked, range: PageRange) -> Result {
    check(vma)?;
    let anonymous_only = match vma.is_anonymous() {
        true => false,
        false => !vma.file().is_some_and(|file| file.is_owned_or_writable()),
    };
    if anonymous_only && vma.vm_flags().intersects(VmFlags::MAYSHARE) {
        return Ok(());
    }
    reclaim::<true>(vma, range, anonymous_only);
    Ok(())
}

/// C: `can_madv_lru_vma()` of `mm/madvise.c`.
fn check(vma: &VmaRef) -> Result {
    const UNFIT: VmFlags = VmFlags::LOCKED
        .union(VmFlags::PFNMAP)
        .union(VmFlags::HUGETLB);
    match vma.vm_flags().intersects(UNFIT) {
        true => Err(EINVAL),
        false => Ok(()),
    }
}

fn reclaim<const PAGE_OUT: bool>(vma: &VmaRef, range: PageRange, anonymous_only: bool) {
    lru_add_drain();
    MmuGather::scope(vma.mm(), |tlb| {
        let mut visitor = Reclaim::<PAGE_OUT> { anonymous_only };
        // The collection is that of the VMA, so that this fails for a fatal signal only.
        let _ = tlb.of_vma(vma, |vma| walk(vma, range, &mut visitor));
    });
}

/// Reclaims the folios of a range that no one else has mapped: now if `PAGE_OUT`, and else before
/// all others.
struct Reclaim<const PAGE_OUT: bool> {
    /// Whether the pages of the file are to be left alone.
    anonymous_only: bool,
}

impl<const PAGE_OUT: bool> Visitor<VmaGather<'_>> for Reclaim<PAGE_OUT> {
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    fn huge(&mut self, page: &HugePage<'_, VmaGather<'_>>) -> Result<Step> {
        check_signal()?;
        page.as_table().vma().change_to_huge_pages();
        let split = collect::<PAGE_OUT, _>(|list| {
            let locked = page.lock()?;
            let folio = locked.folio()?;
            if folio.maybe_mapped_shared() || (self.anonymous_only && !folio.is_anon()) {
                return None;
            }
            if !page.is_whole() {
                return Some(ARef::from(folio));
            }
            if !PAGE_OUT {
                locked.clear_young();
            }
            reclaim_folio(folio, list);
            None
        });
        Ok(match split.map(|folio| Folio::lock(folio).split()) {
            Some(Ok(())) => Step::Again,
            _ => Step::Next,
        })
    }

    #[cfg(not(CONFIG_TRANSPARENT_HUGEPAGE))]
    fn huge(&mut self, _: &HugePage<'_, VmaGather<'_>>) -> Result<Step> {
        Ok(Step::Next)
    }

    fn table(&mut self, table: &Table<'_, VmaGather<'_>>) -> Result<Step> {
        check_signal()?;
        table.vma().change_to_pages();
        let is_table = collect::<PAGE_OUT, _>(|list| match table.lock(table.range().start()) {
            Some(entries) => {
                self.reclaim_entries(table, entries, list);
                true
            }
            None => false,
        });
        if is_table {
            cond_resched();
        }
        Ok(Step::Next)
    }
}

impl<const PAGE_OUT: bool> Reclaim<PAGE_OUT> {
    #[inline(always)]
    fn reclaim_entries<'t, 'v>(
        &self,
        table: &'t Table<'t, VmaGather<'v>>,
        mut entries: Entries<'t, VmaGather<'v>>,
        list: &mut Option<&mut IsolatedFolios<'_>>,
    ) {
        let mut check_at = table.range().start() + BATCH_SIZE;
        loop {
            let entry = match entries.next_entry() {
                Some(Entry::Present(entry)) => entry,
                Some(_) => continue,
                None => return,
            };
            let addr = entry.addr();
            if addr >= check_at {
                check_at = addr + BATCH_SIZE;
                if need_resched() {
                    drop(entries);
                    cond_resched();
                    match table.lock(addr) {
                        Some(relocked) => entries = relocked,
                        None => return,
                    }
                    continue;
                }
            }
            let Some(folio) = entry.folio() else {
                continue;
            };
            if !folio.is_large() {
                self.reclaim_mapped(entry, folio, list);
                continue;
            }
            match Large::new(entry, folio, self.anonymous_only) {
                Large::Whole(entry, n) => {
                    self.reclaim_mapped(entry, folio, list);
                    entries.skip_rest(n);
                }
                Large::Part(part) => match part.split(table, entries) {
                    Some(relocked) => entries = relocked,
                    None => return,
                },
                Large::Kept(n) => entries.skip_rest(n),
            }
        }
    }

    /// Reclaims a folio, all of whose pages `entry` maps, unless it is in use elsewhere.
    #[inline(always)]
    fn reclaim_mapped(
        &self,
        entry: PresentEntry<'_, VmaGather<'_>>,
        folio: &Folio,
        list: &mut Option<&mut IsolatedFolios<'_>>,
    ) {
        if !folio.is_on_lru() || !folio.is_mapped_once_per_page() {
            return;
        }
        if self.anonymous_only && !folio.is_anon() {
            return;
        }
        if !PAGE_OUT && entry.is_young() {
            entry.clear_young();
        }
        reclaim_folio(folio, list);
    }
}

/// Calls `work` with the list of the folios that are to be reclaimed after it, if they are.
#[inline]
fn collect<const PAGE_OUT: bool, R>(
    work: impl FnOnce(&mut Option<&mut IsolatedFolios<'_>>) -> R,
) -> R {
    if PAGE_OUT {
        IsolatedFolios::reclaim(|list| work(&mut Some(list)))
    } else {
        work(&mut None)
    }
}

/// Puts a folio on the list, or, without one, makes it the first to be reclaimed.
#[inline(always)]
fn reclaim_folio(folio: &Folio, list: &mut Option<&mut IsolatedFolios<'_>>) {
    // Reclaim takes no folio that looks used. That it was used is lost to those who track idle pages.
    folio.clear_referenced();
    folio.test_clear_young();
    if folio.is_active() {
        folio.set_workingset();
    }
    match list {
        Some(list) => list.isolate(folio),
        None => folio.deactivate(),
    }
}

fn check_signal() -> Result {
    match fatal_signal_pending() {
        true => Err(EINTR),
        false => Ok(()),
    }
}
