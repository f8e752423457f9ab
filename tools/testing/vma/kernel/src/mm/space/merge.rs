// SPDX-License-Identifier: GPL-2.0

//! `mmap()`, `munmap()`, and how VMAs are split and merged, as in `mm/vma.c` with our patches.

use super::{next_id, Space, Vma};
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    mm::{MmWithUser, VmFlags},
    model::alloc,
    page::{PAGE_SHIFT, PAGE_SIZE, TABLE_SIZE},
};

/// What VMAs must have in common to be one.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) flags: VmFlags,
    pub(crate) name: Option<Vec<u8>>,
}

/// C: `is_mergeable_vma()`.
fn same_attributes(a: &Vma, b: &Vma) -> bool {
    const IGNORED: VmFlags = VmFlags::SOFTDIRTY.union(VmFlags::STICKY);
    let file = |vma: &Vma| vma.file.as_ref().map(|file| file.id());
    ((a.flags | b.flags) - (a.flags & b.flags))
        .difference(IGNORED)
        .is_empty()
        && file(a) == file(b)
        && a.uffd == b.uffd
        && a.name == b.name
        && a.has_ops == b.has_ops
        && a.pkey_denies_write == b.pkey_denies_write
}

/// C: `is_mergeable_anon_vma()`.
fn anon_vmas_fit(a: &Vma, b: &Vma) -> bool {
    match (a.anon_vma, b.anon_vma) {
        (Some(_), None) => !a.of_fork,
        (None, Some(_)) => !b.of_fork,
        (a, b) => a == b,
    }
}

/// Whether two VMAs, of which `a` ends where `b` begins, are to be one.
pub fn are_mergeable(a: &Vma, b: &Vma) -> bool {
    a.end == b.start
        && !a.flags.intersects(VmFlags::SPECIAL)
        && same_attributes(a, b)
        && anon_vmas_fit(a, b)
        && a.linear_page_index(b.start) == b.pgoff
}

impl Space {
    /// Maps a range, and merges it with its neighbours; what was there is unmapped. Returns the number
    /// of the VMA.
    ///
    /// C: `mmap_region()`.
    pub fn mmap(&mut self, mut vma: Vma) -> u64 {
        self.munmap(vma.start, vma.end);
        vma.id = next_id();
        if vma.is_anonymous() {
            vma.pgoff = vma.start >> PAGE_SHIFT;
        }
        let index = self.vmas.partition_point(|other| other.start < vma.start);
        let id = vma.id;
        self.vmas.insert(index, vma);
        self.merge_at(index).unwrap_or(id)
    }

    /// Merges the VMA at `index` with what fits beside it, without asking for locks.
    fn merge_at(&mut self, mut index: usize) -> Option<u64> {
        let mut id = None;
        if index + 1 < self.vmas.len() && are_mergeable(&self.vmas[index], &self.vmas[index + 1]) {
            id = Some(self.join(index));
        }
        if index > 0 && are_mergeable(&self.vmas[index - 1], &self.vmas[index]) {
            index -= 1;
            id = Some(self.join(index));
        }
        id
    }

    /// Makes one VMA, the one at `index`, of two.
    fn join(&mut self, index: usize) -> u64 {
        let next = self.vmas.remove(index + 1);
        let vma = &mut self.vmas[index];
        self.scars.remove(&next.start);
        vma.end = next.end;
        vma.flags = vma.flags | (next.flags & VmFlags::STICKY);
        if vma.anon_vma.is_none() {
            (vma.anon_vma, vma.of_fork) = (next.anon_vma, next.of_fork);
        }
        vma.id
    }

    /// Splits the VMA that has `addr` inside. No memory is asked for. Returns whether there was one.
    pub(super) fn cut(&mut self, addr: usize) -> bool {
        let Some(index) = self
            .vmas
            .iter()
            .position(|vma| vma.start < addr && addr < vma.end)
        else {
            return false;
        };
        let mut upper = self.vmas[index].clone();
        upper.pgoff = upper.linear_page_index(addr);
        upper.start = addr;
        upper.id = next_id();
        self.vmas[index].end = addr;
        self.vmas.insert(index + 1, upper);
        self.split_huge_at(addr);
        true
    }

    /// Unmaps a range with all that its page tables hold.
    pub fn munmap(&mut self, start: usize, end: usize) {
        // A mapping of huge pages is not cut in two.
        let huge = |addr: usize| {
            let vma = self.lookup(addr);
            vma.is_some_and(|vma| vma.flags.intersects(VmFlags::HUGETLB))
        };
        let start = start - if huge(start) { start % TABLE_SIZE } else { 0 };
        let end = if huge(end) {
            end.next_multiple_of(TABLE_SIZE)
        } else {
            end
        };
        self.cut(start);
        self.cut(end);
        self.vmas.retain(|vma| vma.end <= start || end <= vma.start);
        self.drop_range(start, end);
        self.scars.retain(|scar| *scar <= start || end <= *scar);
    }

    /// Changes the VMAs of a range, as `mprotect()`, `mlock()`, `mseal()` and the registration with
    /// userfaultfd do.
    pub fn change(&mut self, start: usize, end: usize, work: impl Fn(&mut Vma)) {
        let is_cut = |space: &mut Self, addr: usize| match space.lookup(addr) {
            Some(vma) if vma.flags.intersects(VmFlags::HUGETLB) => addr & (TABLE_SIZE - 1) == 0,
            _ => true,
        };
        if !is_cut(self, start) || !is_cut(self, end) {
            return;
        }
        self.cut(start);
        self.cut(end);
        let inside = |vma: &&mut Vma| start <= vma.start && vma.end <= end;
        self.vmas.iter_mut().filter(inside).for_each(work);
        let mut index = 0;
        while index + 1 < self.vmas.len() {
            if are_mergeable(&self.vmas[index], &self.vmas[index + 1]) {
                self.join(index);
            } else {
                index += 1;
            }
        }
    }

    /// Gives the whole VMA to the anon_vma of a neighbour that could be one with it, or to a new one.
    ///
    /// C: `__anon_vma_prepare()`.
    pub(in crate::mm) fn prepare_anon_vma(&mut self, id: u64) -> Result {
        const IGNORED: VmFlags = VmFlags::ACCESS_FLAGS
            .union(VmFlags::SOFTDIRTY)
            .union(VmFlags::STICKY);
        let index = self.index_of(id);
        if self.vmas[index].anon_vma.is_some() {
            return Ok(());
        }
        alloc()?;
        let fits = |a: &Vma, b: &Vma| {
            a.end == b.start
                && ((a.flags | b.flags) - (a.flags & b.flags))
                    .difference(IGNORED)
                    .is_empty()
                && a.file.as_ref().map(|f| f.id()) == b.file.as_ref().map(|f| f.id())
                && a.linear_page_index(b.start) == b.pgoff
        };
        let vma = &self.vmas[index];
        let next = self.vmas.get(index + 1).filter(|next| fits(vma, next));
        let prev = index
            .checked_sub(1)
            .map(|i| &self.vmas[i])
            .filter(|prev| fits(prev, vma));
        let found = [next, prev]
            .into_iter()
            .flatten()
            .filter(|other| !other.of_fork)
            .find_map(|other| other.anon_vma);
        self.vmas[index].anon_vma = Some(found.unwrap_or_else(next_id));
        Ok(())
    }
}

impl MmWithUser {
    /// Gives `start..end` of a VMA other attributes: merges what fits, or else splits. Returns the number
    /// of the VMA that has the range then.
    ///
    /// C: `vma_modify()`.
    #[track_caller]
    pub(in crate::mm) fn modify(
        &self,
        id: u64,
        (start, end): (usize, usize),
        new: &Attributes,
    ) -> Result<u64> {
        let held = locks::holds(Lock::MmapWrite(self.id()));
        locks::require(held, || {
            "VMAs are changed without the mmap write lock".into()
        });
        if let Some(merged) = self.merge_existing(id, (start, end), new)? {
            return Ok(merged);
        }
        let (vma_start, vma_end, huge) = self.with(|space| {
            let vma = &space.vmas[space.index_of(id)];
            (vma.start, vma.end, vma.flags.intersects(VmFlags::HUGETLB))
        });
        let mut id = id;
        for (at, needed) in [(start, vma_start < start), (end, end < vma_end)] {
            if !needed {
                continue;
            }
            if huge && at & (TABLE_SIZE - 1) != 0 {
                return Err(EINVAL);
            }
            alloc()?;
            self.start_write(id);
            self.with(|space| {
                space.cut(at);
                // What is left when there is no memory for the second split.
                space.scars.insert(at);
                if at == start {
                    id = space.lookup(at).expect("the upper part").id;
                }
            });
        }
        self.with(|space| {
            space.scars.remove(&start);
            space.scars.remove(&end);
        });
        self.start_write(id);
        Ok(id)
    }

    /// Takes the write lock of a VMA, unless it is held already.
    #[track_caller]
    pub(in crate::mm) fn start_write(&self, id: u64) {
        let held = locks::holds(Lock::MmapWrite(self.id()));
        locks::require(held, || {
            "a VMA write lock without the mmap write lock".into()
        });
        let lock = Lock::VmaWrite(self.id(), id);
        if !locks::holds(lock) {
            locks::acquire(lock);
        }
    }

    /// C: `vma_merge_existing_range()`.
    fn merge_existing(
        &self,
        id: u64,
        (start, end): (usize, usize),
        new: &Attributes,
    ) -> Result<Option<u64>> {
        let Some((left, right, ids)) = self.with(|space| space.merge_sides(id, (start, end), new))
        else {
            return Ok(None);
        };
        alloc()?;
        for id in ids {
            self.start_write(id);
        }
        Ok(Some(self.with(|space| {
            // The range becomes a VMA of its own, and is joined with what is beside it.
            space.cut(start);
            space.cut(end);
            let sticky = space.vmas[space.index_of(id)].flags & VmFlags::STICKY;
            let mut index = space
                .vmas
                .iter()
                .position(|vma| vma.start == start)
                .expect("the range has a VMA");
            let vma = &mut space.vmas[index];
            vma.flags = new.flags | sticky;
            vma.name = new.name.clone();
            if right {
                let target = space.vmas[index + 1].id;
                space.join(index);
                space.vmas[index].id = target;
            }
            if left {
                index -= 1;
                space.join(index);
            }
            space.vmas[index].id
        })))
    }
}

impl Space {
    /// With which neighbours a range of a VMA is to be one, and the numbers of all three.
    fn merge_sides(
        &self,
        id: u64,
        (start, end): (usize, usize),
        new: &Attributes,
    ) -> Option<(bool, bool, Vec<u64>)> {
        let index = self.index_of(id);
        let middle = &self.vmas[index];
        let mut part = middle.clone();
        part.pgoff = middle.linear_page_index(start);
        (part.start, part.end) = (start, end);
        (part.flags, part.name) = (new.flags, new.name.clone());

        let prev = index.checked_sub(1).map(|i| &self.vmas[i]);
        let next = self.vmas.get(index + 1);
        let left = prev.filter(|prev| start == middle.start && are_mergeable(prev, &part));
        let right = next.filter(|next| end == middle.end && are_mergeable(&part, next));
        let right = right.filter(|next| match left.and_then(|prev| prev.anon_vma) {
            Some(anon_vma) => next.anon_vma.is_none_or(|other| other == anon_vma),
            None => true,
        });
        if left.is_none() && right.is_none() {
            return None;
        }
        let ids = [Some(middle), left, right]
            .into_iter()
            .flatten()
            .map(|vma| vma.id)
            .collect();
        Some((left.is_some(), right.is_some(), ids))
    }

    /// The address of two VMAs that are to be one, but for where a split was left.
    pub fn unmerged(&self) -> Option<usize> {
        self.vmas
            .windows(2)
            .filter(|pair| are_mergeable(&pair[0], &pair[1]))
            .map(|pair| pair[1].start)
            .find(|addr| !self.scars.contains(addr))
    }

    /// Checks that VMAs are in order, apart from each other, and of whole pages.
    pub fn assert_sound(&self) {
        for vma in &self.vmas {
            assert!(vma.start < vma.end, "empty: {vma:?}");
            assert!(
                (vma.start | vma.end) % PAGE_SIZE == 0,
                "not of pages: {vma:?}"
            );
        }
        for pair in self.vmas.windows(2) {
            assert!(pair[0].end <= pair[1].start, "overlap: {pair:?}");
        }
    }
}
