// SPDX-License-Identifier: GPL-2.0

//! Changes of VMA flags on behalf of userspace.

use super::VmaMmapWrite;
use crate::{
    error::{code::EINVAL, Result},
    mm::{PageRange, VmFlags},
};

/// The flags that a part of a VMA shall have.
///
/// The methods change how memory is handled, never what it is or who may use it, and refuse what
/// drivers and the rest of mm do not support: the memory of a device keeps [`VmFlags::DONTCOPY`].
///
/// # Invariants
///
/// `range` lies in `vma`. `flags` are right for its memory.
///
/// # Examples
///
/// ```
/// use kernel::mm::{PageRange, VmaMmapWrite};
/// use kernel::prelude::*;
///
/// /// Keeps memory out of core dumps and children. Returns the end of the VMA that has it then.
/// fn keep_private(vma: VmaMmapWrite<'_>, range: PageRange) -> Result<usize> {
///     let mut flags = vma.change_flags(range)?;
///     flags.dont_dump();
///     flags.dont_fork();
///     flags.apply()
/// }
/// ```
#[must_use = "nothing changes before it is applied"]
pub struct FlagChange<'g> {
    vma: VmaMmapWrite<'g>,
    range: PageRange,
    flags: VmFlags,
}

impl<'g> VmaMmapWrite<'g> {
    /// Begins a change of the flags of `range`, a part of the VMA.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA.
    #[inline]
    pub fn change_flags(self, range: PageRange) -> Result<FlagChange<'g>> {
        self.check_range(range)?;
        // INVARIANT: The range was checked, and the memory has these flags.
        Ok(FlagChange {
            flags: self.vm_flags(),
            vma: self,
            range,
        })
    }
}

impl FlagChange<'_> {
    /// Gives the range the flags: splits the VMA where it must, and merges what can be one. Returns
    /// the end of the VMA that has the range then, in bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or errors of the driver of the VMA, when it cannot be split.
    ///
    /// C: `madvise_update_vma()` of `mm/madvise.c`.
    #[inline]
    pub fn apply(self) -> Result<usize> {
        let Self { vma, range, flags } = self;
        if flags == vma.vm_flags() {
            return Ok(vma.end());
        }
        // SAFETY: By the type invariants the flags are right.
        unsafe { vma.modify_flags(range, flags) }
    }

    /// Clears the flags `clear`, and sets the flags `set`.
    #[inline]
    fn replace(&mut self, clear: VmFlags, set: VmFlags) {
        self.flags = (self.flags - clear) | set;
    }

    /// Page faults read ahead as usual.
    #[inline]
    pub fn normal_read(&mut self) {
        // INVARIANT: The flags are hints.
        self.replace(VmFlags::SEQ_READ | VmFlags::RAND_READ, VmFlags::NONE);
    }

    /// Page faults do not read ahead.
    #[inline]
    pub fn random_read(&mut self) {
        // INVARIANT: The flags are hints.
        self.replace(VmFlags::SEQ_READ, VmFlags::RAND_READ);
    }

    /// Page faults read far ahead.
    #[inline]
    pub fn sequential_read(&mut self) {
        // INVARIANT: The flags are hints.
        self.replace(VmFlags::RAND_READ, VmFlags::SEQ_READ);
    }

    /// Children of `fork()` do not get the mapping.
    #[inline]
    pub fn dont_fork(&mut self) {
        // INVARIANT: No memory needs to be in a child.
        self.replace(VmFlags::NONE, VmFlags::DONTCOPY);
    }

    /// Children of `fork()` get the mapping.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the memory of a device, whose driver may not support that.
    #[inline]
    pub fn do_fork(&mut self) -> Result {
        if self.flags.intersects(VmFlags::DOFORK_REFUSES) {
            return Err(EINVAL);
        }
        // INVARIANT: It was checked.
        self.replace(VmFlags::DONTCOPY, VmFlags::NONE);
        Ok(())
    }

    /// Children of `fork()` find zeros.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless it is private anonymous memory.
    #[inline]
    pub fn wipe_on_fork(&mut self) -> Result {
        if self.vma.file().is_some() || self.flags.intersects(VmFlags::SHARED) {
            return Err(EINVAL);
        }
        // INVARIANT: It was checked.
        self.replace(VmFlags::NONE, VmFlags::WIPEONFORK);
        Ok(())
    }

    /// Children of `fork()` find the content.
    ///
    /// # Errors
    ///
    /// `EINVAL` for memory that may be dropped: a child must not see that it was.
    #[inline]
    pub fn keep_on_fork(&mut self) -> Result {
        if self.flags.intersects(VmFlags::DROPPABLE) {
            return Err(EINVAL);
        }
        // INVARIANT: It was checked.
        self.replace(VmFlags::WIPEONFORK, VmFlags::NONE);
        Ok(())
    }

    /// Core dumps leave the memory out.
    #[inline]
    pub fn dont_dump(&mut self) {
        // INVARIANT: No memory needs to be in a core dump.
        self.replace(VmFlags::NONE, VmFlags::DONTDUMP);
    }

    /// Core dumps have the memory.
    ///
    /// # Errors
    ///
    /// `EINVAL` for the mappings of drivers and for memory that may be dropped.
    #[inline]
    pub fn do_dump(&mut self) -> Result {
        let is_drivers =
            self.flags.intersects(VmFlags::SPECIAL) && !self.flags.intersects(VmFlags::HUGETLB);
        if is_drivers || self.flags.intersects(VmFlags::DROPPABLE) {
            return Err(EINVAL);
        }
        // INVARIANT: It was checked.
        self.replace(VmFlags::DONTDUMP, VmFlags::NONE);
        Ok(())
    }

    /// Lets KSM merge pages of the same content. Memory that it cannot merge, and a VMA that has
    /// the flag already, stay as they are.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for KSM's records.
    #[cfg(CONFIG_KSM)]
    #[inline]
    pub fn mergeable(&mut self) -> Result {
        self.ksm_madvise(true)
    }

    /// Gives the memory pages of its own where KSM has merged some, and keeps KSM from it.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for the copies; `ERESTARTSYS` when a signal ended the work.
    #[cfg(CONFIG_KSM)]
    #[inline]
    pub fn unmergeable(&mut self) -> Result {
        self.ksm_madvise(false)
    }

    #[cfg(CONFIG_KSM)]
    #[inline]
    fn ksm_madvise(&mut self, mergeable: bool) -> Result {
        // INVARIANT: The function makes the memory right for the flags.
        self.flags = self.vma.ksm_madvise(self.range, self.flags, mergeable)?;
        if mergeable {
            // INVARIANT: The VMA has the flag, if it does.
            self.flags = self.flags | (self.vma.vm_flags() & VmFlags::MERGEABLE);
        }
        Ok(())
    }

    /// Asks for huge pages. Where the VMA cannot have any, the request has no effect.
    ///
    /// # Errors
    ///
    /// None on most architectures.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn huge_page(&mut self) -> Result {
        self.hugepage_madvise(true)
    }

    /// Asks for no huge pages.
    ///
    /// # Errors
    ///
    /// None on most architectures.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn no_huge_page(&mut self) -> Result {
        self.hugepage_madvise(false)
    }

    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    fn hugepage_madvise(&mut self, wanted: bool) -> Result {
        // INVARIANT: The flags are hints.
        self.flags = self.vma.hugepage_madvise(self.flags, wanted)?;
        Ok(())
    }
}
