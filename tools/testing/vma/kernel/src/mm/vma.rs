// SPDX-License-Identifier: GPL-2.0

//! VMAs by the locks that are held for them.

use super::{
    mmap_lock::{MmapReadGuard, MmapWriteGuard},
    space::{merge::Attributes, Vma},
    virt::VmaRef,
    MmWithUser, PageRange, VmFlags,
};
#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::{error::code::EBADF, mm::AnonVmaName};
use crate::{
    error::{
        code::{EACCES, EINVAL},
        Result,
    },
    locks::{self, Lock},
    model::{self, Event},
};
use core::{marker::PhantomData, ops::Deref};

#[allow(unsafe_code)]
#[path = "../../../../../../rust/kernel/mm/vma/flag_change.rs"]
mod flag_change;

pub use flag_change::FlagChange;

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

    /// Whether the VMA can have a name.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[track_caller]
    pub fn can_have_name(&self) -> bool {
        self.file().is_none() || self.is_anon_shmem()
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

    /// Tells the file system that a range will be needed soon. Releases the lock meanwhile.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, or there is no file; and errors of the file
    /// system.
    #[track_caller]
    pub fn will_need(self, range: PageRange) -> Result {
        self.check_range(range)?;
        let file = self.file().cloned().ok_or(EINVAL)?;
        let offset = self.byte_offset(range.start());
        self.mm().unlocked(|| file.will_need(offset, range.size()))
    }

    /// Frees the storage of a range, and tells userfaultfd before. Releases the lock meanwhile.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, or it maps no file that has pages; `EACCES` when
    /// the mapping is private or cannot be written; and errors of the file system.
    #[track_caller]
    pub fn punch_hole(self, range: PageRange) -> Result {
        self.check_range(range)?;
        let file = self.file().filter(|file| file.has_pages()).cloned();
        let file = file.ok_or(EINVAL)?;
        let flags = self.vm_flags();
        if !flags.intersects(VmFlags::SHARED) || !flags.intersects(VmFlags::MAYWRITE) {
            return Err(EACCES);
        }
        let offset = self.byte_offset(range.start());
        self.tell_userfaultfd(range);
        self.mm().unlocked(|| file.punch_hole(offset, range.size()))
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
        self.mm().unlocked(|| ());
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

    /// Prepares a range for KSM, or gives it pages of its own. Returns the flags.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA; `ENOMEM`.
    #[cfg(CONFIG_KSM)]
    #[track_caller]
    fn ksm_madvise(&self, range: PageRange, flags: VmFlags, mergeable: bool) -> Result<VmFlags> {
        const UNFIT: VmFlags = VmFlags::SHARED
            .union(VmFlags::MAYSHARE)
            .union(VmFlags::SPECIAL)
            .union(VmFlags::HUGETLB)
            .union(VmFlags::DROPPABLE);
        self.check_range(range)?;
        if flags.intersects(VmFlags::MERGEABLE) == mergeable
            || (mergeable && flags.intersects(UNFIT))
        {
            return Ok(flags);
        }
        model::alloc()?;
        Ok(if mergeable {
            flags | VmFlags::MERGEABLE
        } else {
            flags - VmFlags::MERGEABLE
        })
    }

    /// Asks for huge pages, or for none. Returns the flags.
    ///
    /// # Errors
    ///
    /// None here.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[track_caller]
    fn hugepage_madvise(&self, flags: VmFlags, wanted: bool) -> Result<VmFlags> {
        let flags = flags - VmFlags::HUGEPAGE - VmFlags::NOHUGEPAGE;
        let set = if wanted {
            VmFlags::HUGEPAGE
        } else {
            VmFlags::NOHUGEPAGE
        };
        Ok(flags | set)
    }

    /// Gives `range` other flags. Returns the end of the VMA that has the range then.
    ///
    /// # Safety
    ///
    /// None here.
    ///
    /// # Errors
    ///
    /// Those of a split.
    #[allow(unsafe_code)]
    #[track_caller]
    unsafe fn modify_flags(self, range: PageRange, flags: VmFlags) -> Result<usize> {
        let name = self.space(|space| space.vmas[space.index_of(self.id())].name.clone());
        self.modify(range, Attributes { flags, name })
    }

    /// Gives `range` another name, or none. Returns the end of the VMA that has the range then.
    ///
    /// # Errors
    ///
    /// `EBADF` when the memory is not anonymous; those of a split.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[track_caller]
    pub fn modify_name(self, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
        if !self.can_have_name() {
            return Err(EBADF);
        }
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

impl Deref for VmaWrite<'_> {
    type Target = VmaMmapLocked;

    fn deref(&self) -> &VmaMmapLocked {
        &self.vma
    }
}
