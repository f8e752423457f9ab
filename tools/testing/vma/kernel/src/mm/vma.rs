// SPDX-License-Identifier: GPL-2.0

//! VMAs by the locks that are held for them.

use super::{
    mmap_lock::{MmapReadGuard, MmapWriteGuard},
    page_table::{walk, FindGuard, GuardRemoval},
    space::{merge::Attributes, Vma},
    virt::VmaRef,
    MmWithUser, PageRange, VmFlags,
};
#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::mm::AnonVmaName;
use crate::{
    error::{code::EINVAL, Result},
    locks::{self, Lock},
    model::{self, Event},
};
use core::{marker::PhantomData, ops::Deref};

/// A VMA under the mmap lock, held for reading or writing.
pub struct VmaMmapLocked {
    vma: VmaRef,
}

impl VmaMmapLocked {
    #[track_caller]
    fn new(mm: &MmWithUser, vma: &Vma, lock: Lock) -> Self {
        locks::require(locks::holds(lock), || format!("{lock:?} is not held"));
        Self {
            vma: VmaRef::new(mm, vma),
        }
    }

    /// Whether the name of the VMA is `name`.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[track_caller]
    pub fn has_name(&self, name: Option<&AnonVmaName>) -> bool {
        self.space(|space| space.vmas[space.index_of(self.id())].name == AnonVmaName::bytes(name))
    }
}

impl Deref for VmaMmapLocked {
    type Target = VmaRef;

    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}

/// A VMA under the mmap read lock, and the right to release that lock.
pub struct VmaMmapRead<'g> {
    vma: VmaMmapLocked,
    _guard: PhantomData<&'g mut MmapReadGuard<'g>>,
}

impl<'g> VmaMmapRead<'g> {
    #[track_caller]
    fn new(mm: &MmWithUser, vma: &Vma) -> Self {
        Self {
            vma: VmaMmapLocked::new(mm, vma, Lock::MmapRead(mm.id())),
            _guard: PhantomData,
        }
    }

    #[track_caller]
    pub(super) fn find(mm: &MmWithUser, addr: usize) -> Option<Self> {
        let vma = mm.with(|space| space.find(addr).cloned())?;
        Some(Self::new(mm, &vma))
    }

    /// Releases the lock while `work` runs.
    #[track_caller]
    pub fn unlocked<R>(self, work: impl FnOnce() -> R) -> R {
        self.require_lock();
        self.mm().unlocked(work)
    }

    /// Tells userfaultfd of a removal, and releases the lock while `work` runs.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, and those of `work`.
    #[track_caller]
    pub fn unlocked_for_removal<R>(
        self,
        range: PageRange,
        work: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        self.check_range(range)?;
        self.tell_userfaultfd(range);
        self.mm().unlocked(work)
    }

    /// Tells userfaultfd of a removal, which may release the lock.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA.
    #[track_caller]
    pub fn announce_removal(self, range: PageRange) -> Result<Announced<'g>> {
        self.check_range(range)?;
        if !self.tell_userfaultfd(range) {
            return Ok(Announced::Same(self));
        }
        let mm = self.mm().clone();
        mm.unlocked(|| ());
        let vma = mm.with(|space| space.lookup(range.start()).cloned());
        Ok(Announced::LockDropped(vma.map(|vma| Self::new(&mm, &vma))))
    }

    /// Whether there was someone to be told.
    fn tell_userfaultfd(&self, range: PageRange) -> bool {
        let watched = self.space(|space| space.vmas[space.index_of(self.id())].uffd.is_some());
        if watched {
            locks::might_sleep("to tell userfaultfd");
            model::log(Event::UffdRemove(range.start(), range.end()));
        }
        watched
    }

    /// Makes huge pages, which may release the lock. What comes of it is for the test to say.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, and what the test says.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[track_caller]
    pub fn collapse(self, range: PageRange) -> Result {
        self.check_range(range)?;
        model::log(Event::Collapse(range.start(), range.end()));
        let result = model::with_env(|env| env.faults.collapse.pop_front());
        self.unlocked(|| ());
        result.unwrap_or(Ok(()))
    }
}

impl Deref for VmaMmapRead<'_> {
    type Target = VmaMmapLocked;

    fn deref(&self) -> &VmaMmapLocked {
        &self.vma
    }
}

/// The VMA after userfaultfd was told of a removal.
pub enum Announced<'g> {
    /// The same one.
    Same(VmaMmapRead<'g>),
    /// The one that is there now, if any; the lock was released.
    LockDropped(Option<VmaMmapRead<'g>>),
}

/// A VMA under the mmap write lock.
pub struct VmaMmapWrite<'g> {
    vma: VmaMmapLocked,
    _guard: PhantomData<&'g mut MmapWriteGuard<'g>>,
}

impl<'g> VmaMmapWrite<'g> {
    #[track_caller]
    pub(super) fn find(mm: &MmWithUser, addr: usize) -> Option<Self> {
        let vma = mm.with(|space| space.find(addr).cloned())?;
        Some(Self {
            vma: VmaMmapLocked::new(mm, &vma, Lock::MmapWrite(mm.id())),
            _guard: PhantomData,
        })
    }

    /// Takes the VMA write lock.
    #[track_caller]
    pub fn start_write(self) -> VmaWrite<'g> {
        self.mm().start_write(self.id());
        VmaWrite {
            vma: self.vma,
            _guard: PhantomData,
        }
    }

    /// Lets pages of the same content be shared, or not. Returns the flags for the range.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA; `ENOMEM`.
    #[cfg(CONFIG_KSM)]
    #[track_caller]
    pub fn ksm_madvise(&self, range: PageRange, mergeable: bool) -> Result<VmFlags> {
        const UNFIT: VmFlags = VmFlags::SHARED
            .union(VmFlags::MAYSHARE)
            .union(VmFlags::SPECIAL)
            .union(VmFlags::HUGETLB)
            .union(VmFlags::DROPPABLE);
        self.check_range(range)?;
        let flags = self.vm_flags();
        if flags.intersects(VmFlags::MERGEABLE) == mergeable
            || (mergeable && flags.intersects(UNFIT))
        {
            return Ok(flags);
        }
        model::alloc()?;
        Ok(flags ^ VmFlags::MERGEABLE)
    }

    /// Asks for huge pages, or for none. Returns the flags for the VMA.
    ///
    /// # Errors
    ///
    /// None here.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[track_caller]
    pub fn hugepage_madvise(&self, wanted: bool) -> Result<VmFlags> {
        let flags = self.vm_flags() - VmFlags::HUGEPAGE - VmFlags::NOHUGEPAGE;
        Ok(match wanted {
            true => flags | VmFlags::HUGEPAGE,
            false => flags | VmFlags::NOHUGEPAGE,
        })
    }

    /// Gives `range` other flags. Returns the end of the VMA that has the range then.
    ///
    /// # Errors
    ///
    /// `EINVAL` when more than [`VmFlags::ADVISABLE`] differs; those of a split.
    #[track_caller]
    pub fn modify_flags(self, range: PageRange, flags: VmFlags) -> Result<usize> {
        if !VmFlags::ADVISABLE.contains(flags ^ self.vm_flags()) {
            return Err(EINVAL);
        }
        let name = self.space(|space| space.vmas[space.index_of(self.id())].name.clone());
        self.modify(range, Attributes { flags, name })
    }

    /// Gives `range` another name, or none. Returns the end of the VMA that has the range then.
    ///
    /// # Errors
    ///
    /// Those of a split.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[track_caller]
    pub fn modify_name(self, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
        let flags = self.vm_flags();
        self.modify(
            range,
            Attributes {
                flags,
                name: AnonVmaName::bytes(name),
            },
        )
    }

    #[track_caller]
    fn modify(self, range: PageRange, new: Attributes) -> Result<usize> {
        self.check_range(range)?;
        let mm = self.mm();
        let id = mm.modify(self.id(), (range.start(), range.end()), &new)?;
        Ok(mm.with(|space| {
            space.set_flags(id, new.flags);
            let index = space.index_of(id);
            space.vmas[index].name = new.name;
            space.vmas[index].end
        }))
    }
}

impl Deref for VmaMmapWrite<'_> {
    type Target = VmaMmapLocked;

    fn deref(&self) -> &VmaMmapLocked {
        &self.vma
    }
}

/// A VMA under the mmap write lock and the VMA write lock.
pub struct VmaWrite<'g> {
    vma: VmaMmapLocked,
    _guard: PhantomData<&'g mut MmapWriteGuard<'g>>,
}

impl<'g> VmaWrite<'g> {
    /// Makes the VMA one that may hold guard regions.
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
        let range = PageRange::new(self.start(), self.end());
        let is_clear = removal.is_complete_for(&self)
            || walk::<VmaRef, _>(&self, range, &mut FindGuard::new())
                .is_ok_and(|walked| walked.is_continue());
        if is_clear {
            self.space(|space| space.clear_flags(self.id(), VmFlags::MAYBE_GUARD));
        }
        is_clear
    }
}

impl Deref for VmaWrite<'_> {
    type Target = VmaMmapLocked;

    fn deref(&self) -> &VmaMmapLocked {
        &self.vma
    }
}

/// A VMA that says that it may hold guard regions, under any of its locks.
pub struct VmaMaybeGuard<'g> {
    vma: VmaRef,
    _lock: PhantomData<&'g ()>,
}

impl VmaMaybeGuard<'_> {
    pub(super) fn new(vma: &VmaRef) -> Self {
        Self {
            vma: vma.another(),
            _lock: PhantomData,
        }
    }
}

impl Deref for VmaMaybeGuard<'_> {
    type Target = VmaRef;

    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}
