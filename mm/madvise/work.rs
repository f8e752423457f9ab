// SPDX-License-Identifier: GPL-2.0

//! The vocabulary of advice: what is done with memory, under which lock, and how it fails.

use core::ops::Deref;
use kernel::{
    mm::{
        tlb::MmuGather, virt::VmaRef, FlagChange, MmWithUser, MmapReadGuard, PageRange, VmFlags,
        VmaMmapRead, VmaReadGuard,
    },
    prelude::*,
};

/// The work of an advice, by the lock that it is done under: a handler gets what the lock allows.
pub(super) enum Work {
    /// No lock. Gets an address and a length, both in bytes.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    Unlocked(fn(usize, usize) -> Result),
    /// The mmap read lock, which may be released meanwhile. Not done VMA by VMA.
    Populate(fn(&mut MmapReadGuard<'_>, PageRange) -> Result),
    /// The mmap read lock, which may be released meanwhile.
    MmapRead(fn(VmaMmapRead<'_>, PageRange) -> Result),
    /// The VMA read lock, or else the mmap read lock, which may be released meanwhile. The TLBs are
    /// flushed once, at the end of the call. Returns the address from which to go on.
    VmaRead(fn(VmaRead<'_>, PageRange, &mut MmuGather<'_>) -> Result<usize>),
    /// The VMA read lock, or else the mmap read lock; and the mmap write lock where the flags of a
    /// VMA must change. The work takes them itself.
    Guards(fn(&MmWithUser, PageRange, &Rule) -> Result<(), Failure>),
    /// The mmap write lock, to change the flags of VMAs.
    Flags(fn(&mut FlagChange<'_>) -> Result),
}

/// A VMA under one of two locks.
pub(super) enum VmaRead<'g> {
    /// The VMA read lock.
    Vma(&'g VmaReadGuard<'g>),
    /// The mmap read lock.
    Mmap(VmaMmapRead<'g>),
}

impl Deref for VmaRead<'_> {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        match self {
            Self::Vma(vma) => vma,
            Self::Mmap(vma) => vma,
        }
    }
}

/// The rule for an advice.
pub(super) struct Rule {
    /// What is done, and under which lock.
    pub(super) work: Work,
    /// Whether memory is lost, which [mseal] forbids.
    ///
    /// [mseal]: https://docs.kernel.org/userspace-api/mseal.html
    pub(super) discards: bool,
}

impl Rule {
    /// Checks that the advice may be given to the memory of a VMA.
    ///
    /// # Errors
    ///
    /// `EPERM` when it discards memory that is sealed.
    pub(super) fn check_seal(&self, vma: &VmaRef) -> Result {
        if self.discards {
            return check_seal(vma);
        }
        Ok(())
    }
}

/// Checks that the memory of a VMA may be discarded: always, unless the VMA is sealed. Sealed
/// memory that the process could overwrite anyway may be discarded, and so may that of a file.
///
/// # Errors
///
/// `EPERM` when it may not.
///
/// C: `can_madvise_modify()` of `mm/madvise.c`.
pub(super) fn check_seal(vma: &VmaRef) -> Result {
    let flags = vma.vm_flags();
    let is_allowed = !flags.intersects(VmFlags::SEALED)
        || !vma.is_anonymous()
        || (flags.intersects(VmFlags::WRITE) && vma.arch_write_permitted());
    if !is_allowed {
        return Err(EPERM);
    }
    Ok(())
}

/// Why advice could not be applied to a VMA.
pub(super) enum Failure {
    /// For good.
    Error(Error),
    /// Something stayed in the way. It must be tried again after the locks were released.
    Blocked,
    /// The VMA must be announced as one that may have guards, under the mmap write lock, which
    /// [`install`](super::guard::install) does.
    Unannounced,
    /// Others wait for the locks. [`install`](super::guard::install) and
    /// [`remove`](super::guard::remove) release them and go on.
    Contended,
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

/// Returns `EAGAIN` for a lack of memory, as `ENOMEM` means that a part of the range is not mapped.
pub(super) fn try_again(e: Error) -> Error {
    if e == ENOMEM {
        EAGAIN
    } else {
        e
    }
}
