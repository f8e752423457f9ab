// SPDX-License-Identifier: GPL-2.0

//! `fork()`.

use super::{next_id, table_base, Pte, Slot, Space, Vma};
use crate::{
    mm::{MmWithUser, VmFlags},
    page::TABLE_PAGES,
};

impl MmWithUser {
    /// Makes the address space of a child. `needs_copy` decides which page tables are copied.
    ///
    /// C: `dup_mmap()`, `copy_page_range()`.
    pub fn fork(&self, needs_copy: impl Fn(VmFlags, bool) -> bool) -> Self {
        let child = Self::new();
        self.with(|parent| child.with(|child| parent.fork_into(child, needs_copy)));
        child
    }
}

impl Space {
    fn fork_into(&mut self, child: &mut Self, needs_copy: impl Fn(VmFlags, bool) -> bool) {
        let copied = self
            .vmas
            .iter()
            .filter(|vma| !vma.flags.intersects(VmFlags::DONTCOPY));
        for src in copied.cloned().collect::<Vec<_>>() {
            let dst = child_vma(&src);
            let wiped = src.flags.intersects(VmFlags::WIPEONFORK);
            let copies = !wiped && needs_copy(dst.flags, src.anon_vma.is_some());
            child.vmas.push(dst);
            if copies {
                self.copy_tables(child, &src);
            }
        }
    }

    fn copy_tables(&mut self, child: &mut Self, src: &Vma) {
        for (base, slot) in self.slots.range(table_base(src.start)..src.end) {
            match slot {
                Slot::Huge(mapped) => {
                    if let Some(folio) = &mapped.folio {
                        folio.map(TABLE_PAGES);
                    }
                    child.slots.insert(*base, slot.clone());
                }
                Slot::Table => child.make_table(*base),
                Slot::Moving => {
                    child.slots.insert(*base, Slot::Moving);
                }
            }
        }
        let watched = src.uffd.is_some();
        for (addr, entry) in self.entries.range(src.start..src.end) {
            match entry {
                // Without userfaultfd in the child, its markers are of no use.
                Pte::UffdWp if watched => (),
                _ => child.install(*addr, entry.clone()),
            }
        }
    }
}

/// C: the part of `dup_mmap()` that copies a VMA.
fn child_vma(src: &Vma) -> Vma {
    const WATCHED: VmFlags = VmFlags::UFFD_MISSING
        .union(VmFlags::UFFD_WP)
        .union(VmFlags::UFFD_MINOR);
    let mut dst = src.clone();
    dst.id = next_id();
    dst.flags = dst.flags - VmFlags::LOCKED_MASK - WATCHED;
    dst.uffd = None;
    if src.flags.intersects(VmFlags::WIPEONFORK) {
        dst.anon_vma = None;
        dst.flags = dst.flags - VmFlags::MAYBE_GUARD;
    } else if src.anon_vma.is_some() {
        dst.anon_vma = Some(next_id());
    }
    dst.of_fork = dst.anon_vma.is_some();
    dst
}
