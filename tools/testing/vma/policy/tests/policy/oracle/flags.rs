// SPDX-License-Identifier: GPL-2.0

//! Advice that changes flags, and guards.

use super::{huge_base, number::*, Oracle, Outcome};
use crate::world::Entry;
use kernel::{
    error::{code::*, Error},
    mm::{space::Vma, VmFlags},
};

/// The flags that a mapping gets.
fn new_flags(vma: &Vma, advice: i32) -> Result<VmFlags, Error> {
    let old = vma.flags;
    let has = |flags: VmFlags| old.intersects(flags);
    let special = has(VmFlags::IO | VmFlags::DONTEXPAND | VmFlags::PFNMAP | VmFlags::MIXEDMAP);
    let refuse_if = |refused: bool, new: VmFlags| if refused { Err(EINVAL) } else { Ok(new) };
    let shared = has(VmFlags::SHARED | VmFlags::MAYSHARE);
    match advice {
        NORMAL => Ok(old - VmFlags::RAND_READ - VmFlags::SEQ_READ),
        SEQUENTIAL => Ok((old - VmFlags::RAND_READ) | VmFlags::SEQ_READ),
        RANDOM => Ok((old - VmFlags::SEQ_READ) | VmFlags::RAND_READ),
        DONTFORK => Ok(old | VmFlags::DONTCOPY),
        DOFORK => refuse_if(
            if cfg!(CONFIG_BASE_6_18) {
                has(VmFlags::IO)
            } else {
                special
            },
            old - VmFlags::DONTCOPY,
        ),
        WIPEONFORK => refuse_if(
            vma.file.is_some() || has(VmFlags::SHARED),
            old | VmFlags::WIPEONFORK,
        ),
        KEEPONFORK => refuse_if(has(VmFlags::DROPPABLE), old - VmFlags::WIPEONFORK),
        DONTDUMP => Ok(old | VmFlags::DONTDUMP),
        DODUMP => {
            let refused = (special && !has(VmFlags::HUGETLB)) || has(VmFlags::DROPPABLE);
            refuse_if(refused, old - VmFlags::DONTDUMP)
        }
        MERGEABLE if shared || special || has(VmFlags::HUGETLB | VmFlags::DROPPABLE) => Ok(old),
        MERGEABLE => Ok(old | VmFlags::MERGEABLE),
        UNMERGEABLE => Ok(old - VmFlags::MERGEABLE),
        HUGEPAGE => Ok((old - VmFlags::NOHUGEPAGE) | VmFlags::HUGEPAGE),
        NOHUGEPAGE => Ok((old - VmFlags::HUGEPAGE) | VmFlags::NOHUGEPAGE),
        _ => panic!("{advice} is none that changes flags"),
    }
}

impl Oracle {
    pub(super) fn change_flags(
        &mut self,
        vma: &Vma,
        start: usize,
        end: usize,
        advice: i32,
    ) -> Outcome {
        let flags = new_flags(vma, advice)?;
        // Huge pages are not cut in two.
        let is_cut = |addr: usize| addr != vma.start && addr != vma.end && addr != huge_base(addr);
        let refused = vma.flags.intersects(VmFlags::HUGETLB) && (is_cut(start) || is_cut(end));
        if flags != vma.flags && refused {
            return Err(EINVAL);
        }
        self.each_page(start, end, |page| {
            page.vma.as_mut().expect("a mapping").flags = flags
        });
        Ok(())
    }

    pub(super) fn is_guardable(vma: &Vma) -> bool {
        const UNFIT: VmFlags = VmFlags::IO
            .union(VmFlags::DONTEXPAND)
            .union(VmFlags::PFNMAP)
            .union(VmFlags::MIXEDMAP)
            .union(VmFlags::HUGETLB);
        !vma.flags.intersects(UNFIT)
    }

    /// C: `madvise_guard_install()`; the flag is that of all of the mapping, and set under the write lock.
    pub(super) fn install(&mut self, vma: &Vma, start: usize, end: usize) -> Outcome {
        if !Self::is_guardable(vma) || vma.flags.intersects(VmFlags::LOCKED) {
            return Err(EINVAL);
        }
        let ready =
            vma.flags.intersects(VmFlags::MAYBE_GUARD) && (vma.has_ops || vma.anon_vma.is_some());
        if self.killed && !ready {
            return Err(EINTR);
        }
        for page in &mut self.view.pages {
            if let Some(other) = page.vma.as_mut().filter(|other| other.id == vma.id) {
                other.flags = other.flags | VmFlags::MAYBE_GUARD;
            }
        }
        self.each_page(start, end, |page| page.entry = Entry::Guard);
        Ok(())
    }

    /// C: `madvise_guard_remove()`.
    pub(super) fn uninstall(&mut self, vma: &Vma, start: usize, end: usize) -> Outcome {
        if !Self::is_guardable(vma) {
            return Err(EINVAL);
        }
        self.each_page(start, end, |page| {
            if page.entry == Entry::Guard {
                page.entry = Entry::Empty;
            }
        });
        Ok(())
    }

    /// Takes the flag of the mappings that lie as a whole in a range without guards, under the write lock.
    pub(super) fn forget_guards(&mut self, start: usize, end: usize) -> Outcome {
        let of = |vma: &Vma| {
            start <= vma.start && vma.end <= end && vma.flags.intersects(VmFlags::MAYBE_GUARD)
        };
        let vmas = self.view.pages.iter_mut().flat_map(|page| &mut page.vma);
        let vmas: Vec<_> = vmas.filter(|vma| of(vma)).collect();
        if self.killed && !vmas.is_empty() {
            return Err(EINTR);
        }
        for vma in vmas {
            vma.flags = vma.flags - VmFlags::MAYBE_GUARD;
        }
        Ok(())
    }
}
