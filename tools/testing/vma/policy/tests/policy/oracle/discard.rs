// SPDX-License-Identifier: GPL-2.0

//! Advice that drops memory.

use super::{huge_base, number::*, Oracle, Outcome};
use crate::world::Entry;
use kernel::{
    error::code::*,
    mm::{space::Vma, VmFlags},
    model::Event,
    page::PAGE_SIZE,
};

impl Oracle {
    /// What a zap leaves of an entry. C: `zap_nonpresent_ptes()`, `zap_install_uffd_wp_if_needed()`.
    pub(super) fn zapped(&mut self, vma: &Vma, addr: usize) -> Entry {
        let protected = vma.has_ops && vma.flags.intersects(VmFlags::UFFD_WP);
        match self.view.page_mut(addr).entry {
            Entry::Guard => Entry::Guard,
            Entry::UffdWp if vma.has_ops => Entry::UffdWp,
            Entry::Page(..) if protected => Entry::UffdWp,
            _ => Entry::Empty,
        }
    }

    /// C: `madvise_dontneed_free()`.
    pub(super) fn discard(
        &mut self,
        vma: &Vma,
        start: usize,
        mut end: usize,
        advice: i32,
    ) -> Outcome {
        let has = |flags: VmFlags| vma.flags.intersects(flags);
        if has(VmFlags::HUGETLB) {
            if advice == FREE || start != huge_base(start) {
                return Err(EINVAL);
            }
            end = huge_base(end);
            if start == end {
                return Ok(());
            }
        } else if has(VmFlags::PFNMAP) || (has(VmFlags::LOCKED) && advice != DONTNEED_LOCKED) {
            return Err(EINVAL);
        }
        if vma.uffd.is_some() {
            self.events.push(Event::UffdRemove(start, end));
        }
        if advice != FREE {
            for addr in (start..end).step_by(PAGE_SIZE) {
                self.view.page_mut(addr).entry = self.zapped(vma, addr);
            }
            return Ok(());
        }
        if vma.has_ops {
            return Err(EINVAL);
        }
        self.events.push(Event::Notify(start, end, true));
        for addr in (start..end).step_by(PAGE_SIZE) {
            self.free_page(addr);
        }
        self.events.push(Event::Notify(start, end, false));
        Ok(())
    }

    /// C: `madvise_free_pte_range()`, for folios of one page.
    fn free_page(&mut self, addr: usize) {
        let (id, index, young, dirty) = match self.view.page_mut(addr).entry {
            Entry::Swap | Entry::Poisoned => {
                self.view.page_mut(addr).entry = Entry::Empty;
                return;
            }
            Entry::Page(Some(id), index, young, dirty) => (id, index, young, dirty),
            _ => return,
        };
        let folio = self.folio(id);
        if folio.device {
            return;
        }
        if folio.nr > 1 {
            self.unspecified(addr, id);
            return;
        }
        if folio.swap_cache.get() || folio.dirty.get() {
            if folio.locked_elsewhere.get() || folio.mapcount.get() != 1 {
                return;
            }
            if folio.swap_cache.get() && folio.pinned.get() {
                return;
            }
            folio.swap_cache.set(false);
            folio.dirty.set(false);
        }
        if folio.anon && !folio.unevictable.get() {
            folio.lazyfree.set(true);
        }
        if young || dirty {
            self.view.page_mut(addr).entry = Entry::Page(Some(id), index, false, false);
        }
    }

    /// Leaves open what becomes of a page in a large folio; the tests of those say it.
    pub(super) fn unspecified(&mut self, addr: usize, id: u64) {
        self.view.folios.remove(&id).expect("a folio");
        let of_folio =
            |entry: &Entry| matches!(entry, Entry::Page(Some(other), ..) if *other == id);
        for page in &mut self.view.pages {
            if of_folio(&page.entry) {
                page.entry = Entry::Any;
            }
        }
        self.view.page_mut(addr).entry = Entry::Any;
    }

    /// C: `madvise_remove()`.
    pub(super) fn remove(&mut self, vma: &Vma, start: usize, end: usize) -> Outcome {
        let has = |flags: VmFlags| vma.flags.intersects(flags);
        if has(VmFlags::LOCKED) {
            return Err(EINVAL);
        }
        let Some(file) = vma.file.clone().filter(|file| file.kind().has_pages) else {
            return Err(EINVAL);
        };
        if !has(VmFlags::SHARED) || !has(VmFlags::MAYWRITE) {
            return Err(EACCES);
        }
        if vma.uffd.is_some() {
            self.events.push(Event::UffdRemove(start, end));
        }
        file.kind().punch_hole?;
        let hole = Self::offset(vma, start)..Self::offset(vma, end);
        self.events
            .push(Event::PunchHole(file.id(), hole.start as i64, end - start));
        // The pages go from wherever they are mapped.
        for page in 0..self.view.pages.len() {
            let addr = crate::world::at(page);
            let Some(other) = self.view.pages[page].vma.clone() else {
                continue;
            };
            let same = other
                .file
                .as_ref()
                .is_some_and(|other| other.id() == file.id());
            let Entry::Page(Some(id), ..) = self.view.pages[page].entry else {
                continue;
            };
            let anon = self.view.folios.get(&id).is_none_or(|folio| folio.anon);
            if same && !anon && hole.contains(&Self::offset(&other, addr)) {
                self.view.pages[page].entry = Entry::Empty;
            }
        }
        Ok(())
    }
}
