// SPDX-License-Identifier: GPL-2.0

//! `MADV_COLD` and `MADV_PAGEOUT`.

use super::{Oracle, Outcome};
use crate::world::Entry;
use kernel::{
    error::code::*,
    mm::{space::Vma, VmFlags},
    model::Event,
    page::PAGE_SIZE,
};

impl Oracle {
    /// C: `madvise_cold()`, `madvise_pageout()`.
    pub(super) fn reclaim(&mut self, vma: &Vma, start: usize, end: usize, out: bool) -> Outcome {
        if vma
            .flags
            .intersects(VmFlags::LOCKED | VmFlags::PFNMAP | VmFlags::HUGETLB)
        {
            return Err(EINVAL);
        }
        // Whoever may not write the file is not to learn what others have of it in memory.
        let file_may_go = match &vma.file {
            Some(file) => file.kind().owned_or_writable,
            None => false,
        };
        let anonymous_only = out && vma.has_ops && !file_may_go;
        if anonymous_only && vma.flags.intersects(VmFlags::MAYSHARE) {
            return Ok(());
        }
        for addr in (start..end).step_by(PAGE_SIZE) {
            if let Entry::Page(Some(id), ..) = self.view.page_mut(addr).entry {
                self.reclaim_page(addr, id, out, anonymous_only);
            }
        }
        Ok(())
    }

    /// C: `madvise_cold_or_pageout_pte_range()`, for folios of one page.
    fn reclaim_page(&mut self, addr: usize, id: u64, out: bool, anonymous_only: bool) {
        let folio = self.folio(id);
        if folio.device || (folio.nr == 1 && (!folio.lru.get() || folio.mapcount.get() != 1)) {
            return;
        }
        if anonymous_only && !folio.anon {
            return;
        }
        if folio.nr > 1 {
            self.unspecified(addr, id);
            return;
        }
        folio.referenced.set(false);
        folio.young.set(false);
        if folio.active.get() {
            folio.workingset.set(true);
        }
        let (anon, unevictable) = (folio.anon, folio.unevictable.get());
        if !out {
            folio.active.set(false);
            folio.deactivated.set(true);
            if let Entry::Page(_, _, young, _) = &mut self.view.page_mut(addr).entry {
                *young = false;
            }
        } else if !unevictable && (!anon || cfg!(CONFIG_SWAP)) {
            self.events.push(Event::Reclaimed(id));
            self.view.page_mut(addr).entry = if anon { Entry::Swap } else { Entry::Empty };
        }
    }
}
