// SPDX-License-Identifier: GPL-2.0

//! Guard regions below the policy.

use super::{
    page_table::{Entries, MissingTable, Places, Step, Walkable},
    space::{Pte, Space},
    virt::VmaRef,
    MmWithUser, PageRange, VmFlags, VmaWrite,
};
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    model,
    page::TABLE_SIZE,
};
use core::{marker::PhantomData, ops::Deref};

#[path = "../../../../../../rust/kernel/mm/guard/removal.rs"]
mod removal;

pub use removal::GuardRemoval;

impl MmWithUser {
    /// A number that changes whenever guard markers have come into the page tables.
    fn guard_seq(&self) -> usize {
        self.with(|space| space.guard_seq)
    }
}

impl VmaRef {
    /// Whether the VMA may hold guard regions.
    #[track_caller]
    pub fn has_maybe_guard(&self) -> bool {
        self.vm_flags().intersects(VmFlags::MAYBE_GUARD)
    }

    /// The VMA as one to install guards in, if it is one already.
    #[track_caller]
    pub fn maybe_guard(&self) -> Option<VmaMaybeGuard<'_>> {
        let is_ready = self.has_maybe_guard()
            && self.is_ordinary()
            && (self.has_anon_vma() || !self.is_anonymous());
        is_ready.then(|| VmaMaybeGuard::new(self))
    }
}

/// A VMA that may hold guard regions, under any of its locks.
pub struct VmaMaybeGuard<'g> {
    vma: VmaRef,
    _lock: PhantomData<&'g ()>,
}

impl VmaMaybeGuard<'_> {
    fn new(vma: &VmaRef) -> Self {
        Self {
            vma: vma.another(),
            _lock: PhantomData,
        }
    }

    /// Unmaps `range`. Markers of guards stay.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA.
    #[track_caller]
    pub fn zap(&self, range: PageRange) -> Result {
        if range.start() < self.start() || self.end() < range.end() {
            return Err(EINVAL);
        }
        self.require_lock_to_zap();
        let write_locked = locks::holds(Lock::MmapWrite(self.mm().id()));
        locks::require(!write_locked, || "a zap under the mmap write lock".into());
        super::tlb::assert_no_gather();
        self.space(|space| space.zap(range.start(), range.end(), false));
        let reappears = model::with_env(|env| env.faults.reappear.pop_front());
        if reappears == Some(true) {
            self.mm().touch(range.start(), true);
        }
        Ok(())
    }
}

impl Deref for VmaMaybeGuard<'_> {
    type Target = VmaRef;

    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}

impl<'g> VmaWrite<'g> {
    /// Sets the flag, so that guard markers can be installed.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA is not ordinary memory; `ENOMEM` when there is no memory for the
    /// anon_vma. The flag is not set then.
    #[track_caller]
    pub fn set_maybe_guard(self) -> Result<VmaMaybeGuard<'g>> {
        if !self.is_ordinary() {
            return Err(EINVAL);
        }
        let (id, flags) = (self.id(), self.vm_flags());
        if self.is_anonymous() {
            self.space(|space| space.prepare_anon_vma(id))?;
        }
        self.space(|space| space.set_flags(id, flags | VmFlags::MAYBE_GUARD));
        Ok(VmaMaybeGuard::new(&self))
    }

    /// Clears the flag, unless there are guards. Returns whether it is clear.
    #[track_caller]
    pub fn try_clear_maybe_guard(self, removal: &GuardRemoval<'_>) -> bool {
        let is_clear = removal.is_complete_for(&self) || removal::has_no_guards(&self);
        if is_clear {
            self.space(|space| space.clear_flags(self.id(), VmFlags::MAYBE_GUARD));
        }
        is_clear
    }
}

impl MissingTable<'_, VmaMaybeGuard<'_>> {
    /// As [`MissingTable::allocate`], but full of guards when all of the table lies in the range.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[track_caller]
    pub fn allocate_guards(&self) -> Result<Step> {
        let range = self.range();
        if range.size() != TABLE_SIZE {
            return self.allocate();
        }
        locks::might_sleep("to allocate a page table");
        model::alloc()?;
        self.vma().space(|space| {
            space.make_table(range.start());
            for addr in Space::pages(range.start(), range.end()) {
                space.require_flag(addr);
                space.put_entry(addr, Some(Pte::Guard));
            }
        });
        Ok(Step::Next)
    }
}

/// Entries in a row that are alike, as far as an installation goes.
pub enum Run<'e, V> {
    /// Entries that hold no memory.
    Vacant(VacantRun<'e, V>),
    /// Entries with guard markers.
    Guards,
    /// An entry that holds memory, or what is left of it, at this address.
    Other(usize),
}

/// Entries in a row that hold no memory.
pub struct VacantRun<'e, V>(Places<'e, V>);

/// Guard markers in a row.
pub struct GuardRun<'e, V>(Places<'e, V>);

fn is_guard(entry: &Option<Pte>) -> bool {
    matches!(entry, Some(Pte::Guard))
}

impl<V: Walkable> Entries<'_, V> {
    /// The next entries that are alike, as far as an installation goes; `None` at the end.
    pub fn next_run(&mut self) -> Option<Run<'_, V>> {
        let addr = self.next_addr();
        Some(match self.first()? {
            None | Some(Pte::UffdWp) => {
                let n = self.run(|entry| matches!(entry, None | Some(Pte::UffdWp)));
                Run::Vacant(VacantRun(self.take(n)))
            }
            Some(Pte::Guard) => {
                let n = self.run(is_guard);
                self.take(n);
                Run::Guards
            }
            Some(_) => {
                self.take(1);
                Run::Other(addr)
            }
        })
    }

    /// The next guards in a row; `None` when there are none up to the end.
    pub fn next_guards(&mut self) -> Option<GuardRun<'_, V>> {
        let n = self.run(|entry| !is_guard(entry));
        self.take(n);
        match self.run(is_guard) {
            0 => None,
            n => Some(GuardRun(self.take(n))),
        }
    }
}

impl VacantRun<'_, VmaMaybeGuard<'_>> {
    /// Installs guard markers.
    #[track_caller]
    pub fn install(self) {
        (0..self.0.len()).for_each(|index| self.0.write(index, Some(Pte::Guard)));
    }
}

impl<V: Walkable> GuardRun<'_, V> {
    /// Removes the markers.
    #[track_caller]
    pub fn remove(self) {
        (0..self.0.len()).for_each(|index| self.0.write(index, None));
    }
}
