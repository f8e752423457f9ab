// SPDX-License-Identifier: GPL-2.0

//! What each call is to do, page by page: written from `mm/madvise.c` of 6.18.15 and the manual, not
//! from the policy.

use crate::world::{at, Entry, View, FILES};
use kernel::{
    error::{code::*, Error},
    mm::{
        space::{FolioId, Vma},
        VmFlags,
    },
    model::Event,
    page::{PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, TABLE_SIZE},
};

mod discard;
mod flags;
mod reclaim;

/// How an advice ends.
pub type Outcome = Result<(), Error>;

/// An address space as it is to be after a call, and what else the call is to do.
pub struct Oracle {
    pub view: View,
    /// File systems, swap, userfaultfd and others who are told, in order.
    pub events: Vec<Event>,
    pub current: bool,
    pub admin: bool,
    pub nice: bool,
    pub tag_mask: usize,
    /// Whether a signal ends each wait for the write lock.
    pub killed: bool,
}

pub mod number {
    //! The numbers of `include/uapi/asm-generic/mman-common.h`.
    pub const NORMAL: i32 = 0;
    pub const RANDOM: i32 = 1;
    pub const SEQUENTIAL: i32 = 2;
    pub const WILLNEED: i32 = 3;
    pub const DONTNEED: i32 = 4;
    pub const FREE: i32 = 8;
    pub const REMOVE: i32 = 9;
    pub const DONTFORK: i32 = 10;
    pub const DOFORK: i32 = 11;
    pub const MERGEABLE: i32 = 12;
    pub const UNMERGEABLE: i32 = 13;
    pub const HUGEPAGE: i32 = 14;
    pub const NOHUGEPAGE: i32 = 15;
    pub const DONTDUMP: i32 = 16;
    pub const DODUMP: i32 = 17;
    pub const WIPEONFORK: i32 = 18;
    pub const KEEPONFORK: i32 = 19;
    pub const COLD: i32 = 20;
    pub const PAGEOUT: i32 = 21;
    pub const POPULATE_READ: i32 = 22;
    pub const POPULATE_WRITE: i32 = 23;
    pub const DONTNEED_LOCKED: i32 = 24;
    pub const COLLAPSE: i32 = 25;
    pub const HWPOISON: i32 = 100;
    pub const SOFT_OFFLINE: i32 = 101;
    pub const GUARD_INSTALL: i32 = 102;
    pub const GUARD_REMOVE: i32 = 103;
}
use number::*;

/// All advice of any configuration.
pub const ALL: [i32; 27] = [
    NORMAL,
    RANDOM,
    SEQUENTIAL,
    WILLNEED,
    DONTNEED,
    FREE,
    REMOVE,
    DONTFORK,
    DOFORK,
    MERGEABLE,
    UNMERGEABLE,
    HUGEPAGE,
    NOHUGEPAGE,
    DONTDUMP,
    DODUMP,
    WIPEONFORK,
    KEEPONFORK,
    COLD,
    PAGEOUT,
    POPULATE_READ,
    POPULATE_WRITE,
    DONTNEED_LOCKED,
    COLLAPSE,
    HWPOISON,
    SOFT_OFFLINE,
    GUARD_INSTALL,
    GUARD_REMOVE,
];

/// Whether the kernel was built with an advice.
pub fn is_known(advice: i32) -> bool {
    match advice {
        MERGEABLE | UNMERGEABLE => cfg!(CONFIG_KSM),
        HUGEPAGE | NOHUGEPAGE | COLLAPSE => cfg!(CONFIG_TRANSPARENT_HUGEPAGE),
        HWPOISON | SOFT_OFFLINE => cfg!(CONFIG_MEMORY_FAILURE),
        _ => ALL.contains(&advice),
    }
}

/// Whether advice takes the mmap lock for writing: C's default. That for guards takes it only where it
/// must.
pub fn writes(advice: i32) -> bool {
    const READERS: [i32; 14] = [
        REMOVE,
        WILLNEED,
        COLD,
        PAGEOUT,
        POPULATE_READ,
        POPULATE_WRITE,
        COLLAPSE,
        GUARD_INSTALL,
        GUARD_REMOVE,
        DONTNEED,
        DONTNEED_LOCKED,
        FREE,
        HWPOISON,
        SOFT_OFFLINE,
    ];
    !READERS.contains(&advice)
}

/// C: `is_valid_madvise()` and `madvise_should_skip()`, but for the number. `None` for nothing to do.
fn length(start: usize, len: usize) -> Result<Option<usize>, Error> {
    let rounded = (len.wrapping_add(PAGE_SIZE - 1)) & PAGE_MASK;
    if start % PAGE_SIZE != 0 || (len != 0 && rounded == 0) || start.wrapping_add(rounded) < start {
        return Err(EINVAL);
    }
    Ok((rounded != 0).then_some(rounded))
}

impl Oracle {
    /// `madvise()`.
    pub fn madvise(&mut self, start: usize, len: usize, advice: i32) -> Outcome {
        if !is_known(advice) {
            return Err(EINVAL);
        }
        if length(start, len)?.is_none() {
            return Ok(());
        }
        if self.killed && writes(advice) {
            return Err(EINTR);
        }
        self.one_range(start, len, advice)
    }

    /// `process_madvise()` with a vector and a process that can be had.
    pub fn process_madvise(
        &mut self,
        vector: &[(usize, usize)],
        advice: i32,
    ) -> Result<usize, Error> {
        const REMOTE: [i32; 4] = [COLD, PAGEOUT, WILLNEED, COLLAPSE];
        if !cfg!(CONFIG_BASE_6_18) && !is_known(advice) {
            return Err(EINVAL);
        }
        if !self.current {
            // C asks for the number alone, whether the kernel has the advice or not.
            if !REMOTE.contains(&advice) {
                return Err(EINVAL);
            }
            if !self.nice {
                return Err(EPERM);
            }
        }
        // The lock is waited for even if there is nothing to do.
        if is_known(advice) && self.killed && writes(advice) {
            return Err(EINTR);
        }
        let total: usize = vector.iter().map(|(_, len)| len).sum();
        if total == 0 {
            return Ok(0);
        }
        if !is_known(advice) {
            return Err(EINVAL);
        }
        let mut done = 0;
        for (i, (start, len)) in vector.iter().enumerate() {
            // Those without length are passed over by the iterator, unless one is the first.
            if *len == 0 && i > 0 || done == total {
                continue;
            }
            let result = match length(*start, *len) {
                Ok(None) => Ok(()),
                Ok(Some(_)) => self.one_range(*start, *len, advice),
                Err(e) => Err(e),
            };
            match result {
                Ok(()) => done += len,
                Err(_) if done > 0 => return Ok(done),
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    /// `prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)`.
    pub fn set_name(&mut self, start: usize, len: usize, name: Option<&[u8]>) -> Outcome {
        if let Some(name) = name {
            let is_bad = |c: &u8| !(0x20..0x7f).contains(c) || b"\\`$[]".contains(c);
            if name.len() >= 80 || name.iter().any(is_bad) {
                return Err(EINVAL);
            }
        }
        let Some(len) = length(start, len)? else {
            return Ok(());
        };
        if self.killed {
            return Err(EINTR);
        }
        self.each_vma(start, start + len, |oracle, vma, start, end| {
            let file = vma.file.as_ref().map(|file| file.kind());
            if file.is_some_and(|kind| !kind.anon_shmem) {
                return Err(EBADF);
            }
            oracle.each_page(start, end, |page| {
                page.vma.as_mut().expect("a mapping").name = name.map(<[u8]>::to_vec);
            });
            Ok(())
        })
    }

    /// C: `madvise_do_behavior()`.
    fn one_range(&mut self, start: usize, len: usize, advice: i32) -> Outcome {
        if matches!(advice, HWPOISON | SOFT_OFFLINE) {
            return self.inject(start, start.saturating_add(len), advice);
        }
        let start = start & !self.tag_mask;
        let end = start + ((len + PAGE_SIZE - 1) & PAGE_MASK);
        let result = match advice {
            POPULATE_READ | POPULATE_WRITE => self.populate(start, end, advice == POPULATE_WRITE),
            GUARD_REMOVE => self.remove_guards(start, end),
            _ => self.each_vma(start, end, |oracle, vma, start, end| {
                oracle.one_vma(vma, start, end, advice)
            }),
        };
        self.events.push(Event::Unplug);
        result
    }

    /// The flag goes with the guards of all of a mapping, also when others behind it cannot have guards.
    fn remove_guards(&mut self, start: usize, end: usize) -> Outcome {
        let mut done = start;
        let result = self.each_vma(start, end, |oracle, vma, start, end| {
            oracle.uninstall(vma, start, end)?;
            done = end;
            Ok(())
        });
        self.forget_guards(start, done)?;
        result
    }

    /// Does something to each mapping in a range. A hole is an error at the end only.
    fn each_vma(
        &mut self,
        start: usize,
        end: usize,
        mut work: impl FnMut(&mut Self, &Vma, usize, usize) -> Outcome,
    ) -> Outcome {
        let mut addr = start.max(at(0));
        let mut hole = start < at(0);
        while addr < end {
            let Some(page) = self.view.page(addr) else {
                // Nothing is mapped from here on.
                return Err(ENOMEM);
            };
            let Some(vma) = page.vma.clone() else {
                hole = true;
                addr += PAGE_SIZE;
                continue;
            };
            let part = vma.end.min(end);
            work(self, &vma, addr, part)?;
            addr = part;
        }
        if hole {
            return Err(ENOMEM);
        }
        Ok(())
    }

    fn each_page(
        &mut self,
        start: usize,
        end: usize,
        mut work: impl FnMut(&mut crate::world::Page),
    ) {
        for addr in (start..end).step_by(PAGE_SIZE) {
            work(self.view.page_mut(addr));
        }
    }

    /// C: `madvise_vma_behavior()`.
    fn one_vma(&mut self, vma: &Vma, start: usize, end: usize, advice: i32) -> Outcome {
        const DISCARD: [i32; 7] = [
            FREE,
            DONTNEED,
            DONTNEED_LOCKED,
            REMOVE,
            DONTFORK,
            WIPEONFORK,
            GUARD_INSTALL,
        ];
        let has = |flags: VmFlags| vma.flags.intersects(flags);
        let writable = has(VmFlags::WRITE) && !vma.pkey_denies_write;
        if has(VmFlags::SEALED) && DISCARD.contains(&advice) && !vma.has_ops && !writable {
            return Err(EPERM);
        }
        match advice {
            REMOVE => self.remove(vma, start, end),
            WILLNEED => self.will_need(vma, start, end),
            COLD | PAGEOUT => self.reclaim(vma, start, end, advice == PAGEOUT),
            FREE | DONTNEED | DONTNEED_LOCKED => self.discard(vma, start, end, advice),
            COLLAPSE => {
                self.events.push(Event::Collapse(start, end));
                Ok(())
            }
            GUARD_INSTALL => self.install(vma, start, end),
            _ => self.change_flags(vma, start, end, advice),
        }
    }

    /// C: `madvise_inject_error()`.
    fn inject(&mut self, start: usize, end: usize, advice: i32) -> Outcome {
        if !self.admin {
            return Err(EPERM);
        }
        let mut addr = start;
        while addr < end {
            if self.touch(addr, false).is_err() {
                let poisoned = self
                    .view
                    .page(addr)
                    .is_some_and(|p| p.entry == Entry::Poisoned);
                return Err(if poisoned { EHWPOISON } else { EFAULT });
            }
            let page = self.view.page_mut(addr);
            let mut size = PAGE_SIZE;
            if let Entry::Page(Some(id), ..) = page.entry {
                size = self.view.folios.get(&id).map_or(1, |folio| folio.nr) * PAGE_SIZE;
            }
            let page = self.view.page_mut(addr);
            page.entry = match advice {
                HWPOISON => Entry::Poisoned,
                _ => Entry::Any,
            };
            addr += size;
        }
        Ok(())
    }

    /// C: `madvise_populate()`.
    fn populate(&mut self, start: usize, end: usize, write: bool) -> Outcome {
        (start..end)
            .step_by(PAGE_SIZE)
            .try_for_each(|addr| self.touch(addr, write))
    }

    /// What an access does, or would be punished with.
    fn touch(&mut self, addr: usize, write: bool) -> Outcome {
        let Some(page) = self.view.page(addr) else {
            return Err(ENOMEM);
        };
        let Some(vma) = page.vma.clone() else {
            return Err(ENOMEM);
        };
        let needed = if write { VmFlags::WRITE } else { VmFlags::READ };
        let driver = vma.flags.intersects(VmFlags::IO | VmFlags::PFNMAP);
        if !vma.flags.intersects(needed) || driver || (write && vma.pkey_denies_write) {
            return Err(EINVAL);
        }
        match page.entry {
            Entry::Guard => Err(EFAULT),
            Entry::Poisoned => Err(EHWPOISON),
            Entry::Migration => Ok(()),
            Entry::Page(..) | Entry::Empty | Entry::Swap | Entry::UffdWp | Entry::Any => {
                // What a page fault makes has a new number.
                let kept = match page.entry.clone() {
                    Entry::Page(id, n, _, dirty) if !write => Entry::Page(id, n, true, dirty),
                    _ => Entry::Any,
                };
                self.view.page_mut(addr).entry = kept;
                Ok(())
            }
        }
    }

    fn folio(&mut self, id: FolioId) -> &mut kernel::mm::folio::State {
        self.view
            .folios
            .get_mut(&id)
            .expect("a folio that is mapped")
    }

    /// The offset in its file of an address.
    fn offset(vma: &Vma, addr: usize) -> usize {
        (vma.pgoff << PAGE_SHIFT) + (addr - vma.start)
    }

    /// C: `madvise_willneed()`.
    fn will_need(&mut self, vma: &Vma, start: usize, end: usize) -> Outcome {
        let swap = cfg!(CONFIG_SWAP);
        let Some(file) = &vma.file else {
            if !swap {
                return Err(EBADF);
            }
            for addr in (start..end).step_by(PAGE_SIZE) {
                if self.view.page_mut(addr).entry == Entry::Swap {
                    self.events.push(Event::SwapRead(addr, addr));
                }
            }
            return Ok(());
        };
        let kind = file.kind();
        assert!(kind == Default::default() || FILES.contains(&kind));
        if kind.shmem && swap {
            // Which pages are in swap is not in the view; the tests of shared memory look at that.
            return Ok(());
        }
        if !kind.dax {
            let offset = Self::offset(vma, start) as i64;
            self.events
                .push(Event::WillNeed(file.id(), offset, end - start));
        }
        Ok(())
    }
}

/// The start of the huge page that has an address.
fn huge_base(addr: usize) -> usize {
    addr & !(TABLE_SIZE - 1)
}
