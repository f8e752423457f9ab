// SPDX-License-Identifier: GPL-2.0

//! Advice to reclaim memory: `MADV_COLD` and `MADV_PAGEOUT`.

use super::large_folio;
use core::pin::Pin;
use kernel::{
    mm::folio::{lru_add_drain, Folio, IsolatedFolios},
    mm::page_table::{walk, Entries, Entry, MappedFolio, Step, Table, Visitor, WholeFolio},
    mm::tlb::{MmuGather, VmaGather},
    mm::{virt::VmaRef, PageRange, VmFlags, VmaMmapRead},
    page::PAGE_SIZE,
    prelude::*,
    task::{cond_resched, need_resched},
};

#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use kernel::{mm::folio::LockedFolio, mm::page_table::HugePage};

/// The bytes of addresses after which others may have the processor, and the page table.
///
/// C: `SWAP_CLUSTER_MAX` entries.
const BATCH_SIZE: usize = 32 * PAGE_SIZE;

/// `MADV_COLD`: makes the memory in `range`, a part of `vma`, the first to be reclaimed.
///
/// # Errors
///
/// `EINVAL` when the VMA has memory that is not reclaimed: locked, of hugetlb, or page frames
/// without pages. It is no error when a fatal signal ended the work: nobody is left to see it.
///
/// C: `madvise_cold()` of `mm/madvise.c`.
pub(super) fn cold(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    check(&vma)?;
    reclaim(&vma, range, Method::Deactivate, Which::All);
    Ok(())
}

/// `MADV_PAGEOUT`: reclaims the memory in `range`, a part of `vma`, now.
///
/// Only a process that may write a file may have its pages written out: for others it would show
/// which of them are in memory. Private copies are the process's own.
///
/// # Errors
///
/// Errors of [`cold`].
///
/// C: `madvise_pageout()` of `mm/madvise.c`.
pub(super) fn page_out(vma: VmaMmapRead<'_>, range: PageRange) -> Result {
    check(&vma)?;
    if vma.is_anonymous() || vma.file().is_some_and(|file| file.is_owned_or_writable()) {
        reclaim(&vma, range, Method::PageOut, Which::All);
    } else if !vma.vm_flags().intersects(VmFlags::MAYSHARE) {
        reclaim(&vma, range, Method::PageOut, Which::Anonymous);
    }
    Ok(())
}

/// C: `can_madv_lru_vma()` of `mm/madvise.c`.
fn check(vma: &VmaRef) -> Result {
    const UNFIT: VmFlags = VmFlags::LOCKED
        .union(VmFlags::PFNMAP)
        .union(VmFlags::HUGETLB);
    if vma.vm_flags().intersects(UNFIT) {
        return Err(EINVAL);
    }
    Ok(())
}

/// How folios are reclaimed.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Method {
    /// They become the first to be reclaimed.
    Deactivate,
    /// They are reclaimed now.
    PageOut,
}

/// Which folios are reclaimed.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Which {
    All,
    /// Folios of files are left alone.
    Anonymous,
}

fn reclaim(vma: &VmaRef, range: PageRange, method: Method, which: Which) {
    lru_add_drain();
    MmuGather::scope(vma.mm(), |tlb| {
        let mut visitor = Reclaim { method, which };
        // The collection is that of the VMA, so that this fails for a fatal signal only.
        let _ = tlb.with_vma(vma, |vma| walk(vma, range, &mut visitor));
    });
}

/// Reclaims the folios of a range that nobody else has mapped.
struct Reclaim {
    method: Method,
    which: Which,
}

impl Visitor<VmaGather<'_>> for Reclaim {
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    fn huge(&mut self, page: &mut HugePage<'_, VmaGather<'_>>) -> Result<Step> {
        check_signal()?;
        let is_whole = page.is_whole();
        let split = IsolatedFolios::reclaim(|list| {
            let locked = page.lock()?;
            let folio = locked.folio()?;
            if folio.maybe_mapped_shared() || !self.wants(folio) {
                return None;
            }
            if !is_whole {
                return Some(folio.try_lock()?.into_owned());
            }
            if self.method == Method::Deactivate {
                locked.clear_young();
            }
            self.reclaim_folio(folio, list);
            None
        });
        Ok(match split.map(LockedFolio::split) {
            Some(Ok(())) => Step::Again,
            _ => Step::Next,
        })
    }

    fn table(&mut self, table: &mut Table<'_, VmaGather<'_>>) -> Result<Step> {
        check_signal()?;
        let is_table = IsolatedFolios::reclaim(|list| {
            let entries = table.lock(table.range().start());
            entries.map(|entries| self.reclaim_entries(entries, list))
        });
        if is_table.is_some() {
            cond_resched();
        }
        Ok(Step::Next)
    }
}

impl Reclaim {
    /// Whether a folio is one of those that are reclaimed.
    #[inline(always)]
    fn wants(&self, folio: &Folio) -> bool {
        self.which == Which::All || folio.is_anon()
    }

    #[inline(always)]
    fn reclaim_entries(
        &self,
        mut entries: Entries<'_, VmaGather<'_>>,
        mut list: Pin<&mut IsolatedFolios>,
    ) {
        let mut check_at = entries.addr() + BATCH_SIZE;
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
                    let relocked = entries.unlocked(|| {
                        cond_resched();
                        addr
                    });
                    match relocked {
                        Some(relocked) => entries = relocked,
                        None => return,
                    }
                    continue;
                }
            }
            match entry.into_folio() {
                Some(MappedFolio::Small(folio)) => self.reclaim_whole(folio, list.as_mut()),
                Some(MappedFolio::Large(folio)) => self.reclaim_large(folio, list.as_mut()),
                Some(MappedFolio::Part(part)) => {
                    let only_anonymous = self.which == Which::Anonymous;
                    if let Some(split) = large_folio::lock_to_split(part, only_anonymous) {
                        match entries.unlocked(|| split.run()) {
                            Some(relocked) => entries = relocked,
                            None => return,
                        }
                    }
                }
                None => {}
            }
        }
    }

    /// Reclaims a folio unless it is in use elsewhere.
    #[inline(always)]
    fn reclaim_whole(
        &self,
        entries: WholeFolio<'_, VmaGather<'_>>,
        list: Pin<&mut IsolatedFolios>,
    ) {
        let folio = entries.folio();
        if !folio.is_on_lru() || !entries.is_mapped_once() || !self.wants(folio) {
            return;
        }
        if self.method == Method::Deactivate && entries.is_young() {
            entries.clear_young();
        }
        self.reclaim_folio(folio, list);
    }

    /// As [`Reclaim::reclaim_whole`]. Out of line, so that the loop is made for folios of one page.
    #[inline(never)]
    fn reclaim_large(
        &self,
        entries: WholeFolio<'_, VmaGather<'_>>,
        list: Pin<&mut IsolatedFolios>,
    ) {
        self.reclaim_whole(entries, list);
    }

    /// Reclaims a folio, or puts it on the list of those that are reclaimed after the table.
    #[inline(always)]
    fn reclaim_folio(&self, folio: &Folio, list: Pin<&mut IsolatedFolios>) {
        // Reclaim takes no folio that looks used. Idle page tracking does not see that it was.
        folio.clear_referenced();
        folio.test_clear_young();
        if folio.is_active() {
            folio.set_workingset();
        }
        match self.method {
            Method::Deactivate => folio.deactivate(),
            Method::PageOut => list.isolate(folio),
        }
    }
}

fn check_signal() -> Result {
    if current!().fatal_signal_pending() {
        return Err(EINTR);
    }
    Ok(())
}
