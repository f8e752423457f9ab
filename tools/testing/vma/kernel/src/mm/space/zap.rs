// SPDX-License-Identifier: GPL-2.0

//! How page tables are emptied, and huge pages split.

use super::{table_base, Mapped, Pte, Slot, Space};
use crate::{
    mm::VmFlags,
    page::{PAGE_SIZE, PUD_SIZE, TABLE_PAGES, TABLE_SIZE},
};

impl Space {
    /// Unmaps what a range maps, as C does without `ZAP_FLAG_DROP_MARKER`. Returns the number of pages
    /// whose translations must be flushed.
    ///
    /// C: `zap_page_range_single_batched()`.
    pub(in crate::mm) fn zap(&mut self, start: usize, end: usize, free_tables: bool) -> usize {
        let mut flushed = self.zap_puds(start, end) + self.zap_huge(start, end);
        let Some(vma) = self.lookup(start) else {
            return flushed;
        };
        let anonymous = vma.is_anonymous();
        let keeps_wp = !anonymous && vma.flags.intersects(VmFlags::UFFD_WP);
        let addrs: Vec<usize> = self
            .entries
            .range(start..end)
            .map(|(addr, _)| *addr)
            .collect();
        for addr in addrs {
            let left = match self.entries[&addr] {
                Pte::Guard => Some(Pte::Guard),
                Pte::UffdWp if !anonymous => Some(Pte::UffdWp),
                Pte::Swap(_) => {
                    self.swapped -= 1;
                    None
                }
                Pte::Page(_) => {
                    flushed += 1;
                    keeps_wp.then_some(Pte::UffdWp)
                }
                _ => None,
            };
            self.put_entry(addr, left);
        }
        if free_tables {
            self.free_empty_tables(start, end);
        }
        flushed
    }

    fn free_empty_tables(&mut self, start: usize, end: usize) {
        let empty: Vec<usize> = self
            .slots
            .range(table_base(start)..end)
            .map(|(base, _)| *base)
            .filter(|base| start <= *base && *base + TABLE_SIZE <= end)
            .filter(|base| {
                self.entries
                    .range(*base..*base + TABLE_SIZE)
                    .next()
                    .is_none()
            })
            .collect();
        for base in empty {
            self.slots.remove(&base);
        }
    }

    /// Zaps the largest huge pages, which are split if only a part of them goes. They are of a file,
    /// which has them still.
    fn zap_puds(&mut self, start: usize, end: usize) -> usize {
        let before = self.puds.len();
        self.puds
            .retain(|pud| end <= *pud || pud + PUD_SIZE <= start);
        before - self.puds.len()
    }

    fn zap_huge(&mut self, start: usize, end: usize) -> usize {
        self.split_huge_at(start);
        self.split_huge_at(end);
        let huge: Vec<usize> = self
            .slots
            .range(start..end)
            .filter(|(_, slot)| !matches!(slot, Slot::Table))
            .map(|(base, _)| *base)
            .collect();
        for base in &huge {
            if let Some(Slot::Huge(Mapped {
                folio: Some(folio), ..
            })) = self.slots.remove(base)
            {
                folio.unmap(TABLE_PAGES);
            }
        }
        huge.len()
    }

    /// Splits the huge page that has `addr` inside.
    ///
    /// C: `split_huge_pmd()`.
    pub(in crate::mm) fn split_huge_at(&mut self, addr: usize) {
        self.puds
            .retain(|pud| !(*pud < addr && addr < pud + PUD_SIZE));
        let base = table_base(addr);
        if addr != base {
            self.split_huge(base);
        }
    }

    /// Makes a table of a huge page: of anonymous memory one that maps its pages, of a file an empty one.
    pub(in crate::mm) fn split_huge(&mut self, base: usize) {
        match self.slots.get(&base) {
            None | Some(Slot::Table) => return,
            Some(Slot::Huge(_) | Slot::Moving) => (),
        }
        let anonymous = self.lookup(base).is_some_and(|vma| vma.is_anonymous());
        let slot = self.slots.insert(base, Slot::Table);
        let Some(Slot::Huge(mapped)) = slot else {
            return;
        };
        if anonymous {
            for index in 0..TABLE_PAGES {
                let mapped = Mapped {
                    index,
                    ..mapped.clone()
                };
                self.put_entry(base + index * PAGE_SIZE, Some(Pte::Page(mapped)));
            }
        }
        if let Some(folio) = mapped.folio {
            folio.unmap(TABLE_PAGES);
        }
    }

    /// Drops all of a range: what `munmap()` does.
    pub(super) fn drop_range(&mut self, start: usize, end: usize) {
        self.zap_puds(start, end);
        self.zap_huge(start, end);
        let addrs: Vec<usize> = self
            .entries
            .range(start..end)
            .map(|(addr, _)| *addr)
            .collect();
        for addr in addrs {
            if let Pte::Swap(_) = self.entries[&addr] {
                self.swapped -= 1;
            }
            self.put_entry(addr, None);
        }
        self.free_empty_tables(start, end);
    }

    /// Unmaps pages of a file in all of a VMA, as when a hole is made in it. Private copies stay.
    pub(in crate::mm) fn unmap_file(&mut self, file: u64, first: usize, n: usize) {
        let mut found = Vec::new();
        for vma in self
            .vmas
            .iter()
            .filter(|vma| vma.file.as_ref().is_some_and(|f| f.id() == file))
        {
            for addr in Self::pages(vma.start, vma.end) {
                let offset = vma.linear_page_index(addr);
                if (first..first + n).contains(&offset) {
                    found.push(addr);
                }
            }
        }
        for addr in found {
            self.split_huge_at(addr);
            self.split_huge_at(addr + PAGE_SIZE);
            let gone = match self.entries.get(&addr) {
                Some(Pte::Page(Mapped {
                    folio: Some(folio), ..
                })) => !folio.is_anon(),
                _ => false,
            };
            if gone {
                self.put_entry(addr, None);
            }
        }
    }
}
