// SPDX-License-Identifier: GPL-2.0

//! The mmap lock of an address space, and the lock of one VMA.

use super::{virt::VmaRef, MmWithUser, PageRange, VmaMmapLocked, VmaMmapRead, VmaMmapWrite};
use crate::{
    error::{
        code::{EFAULT, EHWPOISON, EINTR, EINVAL, ENOMEM},
        Result,
    },
    locks::{self, Lock},
    mm::space::Touch,
    model,
    page::PAGE_SIZE,
};
use core::ops::Deref;

impl MmWithUser {
    /// Takes the mmap lock for reading.
    #[track_caller]
    pub fn mmap_read_lock(&self) -> MmapReadGuard<'_> {
        locks::acquire(Lock::MmapRead(self.id()));
        MmapReadGuard { mm: self }
    }

    /// Takes the mmap lock for writing; a fatal signal ends the wait.
    ///
    /// # Errors
    ///
    /// `EINTR` when a fatal signal came first.
    #[track_caller]
    pub fn mmap_write_lock_killable(&self) -> Result<MmapWriteGuard<'_>> {
        locks::might_sleep("to wait for the mmap lock");
        if model::count_down(|faults| &mut faults.kill_waiting) {
            return Err(EINTR);
        }
        locks::acquire(Lock::MmapWrite(self.id()));
        Ok(MmapWriteGuard { mm: self })
    }

    /// Takes the read lock of the VMA at `addr`, unless there is none or it cannot be had at once.
    #[track_caller]
    pub fn lock_vma_under_rcu(&self, addr: usize) -> Option<VmaReadGuard<'_>> {
        let vma = self.with(|space| space.lookup(addr).cloned())?;
        if locks::holds(Lock::VmaWrite(self.id(), vma.id)) {
            return None;
        }
        let lock = Lock::VmaRead(self.id(), vma.id);
        locks::acquire(lock);
        Some(VmaReadGuard {
            vma: VmaRef::new(self, &vma),
            lock,
            mm: self,
        })
    }

    /// Releases the mmap read lock for a while, in which others run.
    #[track_caller]
    pub(super) fn unlocked<R>(&self, work: impl FnOnce() -> R) -> R {
        let lock = Lock::MmapRead(self.id());
        locks::release(lock);
        model::interfere(self);
        let result = work();
        locks::acquire(lock);
        result
    }
}

impl MmWithUser {
    /// Lets others run who waited for a lock that was released.
    fn let_others(&self) {
        if model::with_env(|env| core::mem::take(&mut env.waited_for)) {
            model::interfere(self);
        }
    }
}

/// The mmap lock, held for reading.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MmapReadGuard<'a> {
    mm: &'a MmWithUser,
}

impl MmapReadGuard<'_> {
    /// Finds the VMA that has `addr`.
    #[track_caller]
    pub fn vma_lookup(&self, addr: usize) -> Option<VmaRef> {
        let vma = self.mm.with(|space| space.lookup(addr).cloned())?;
        Some(VmaRef::new(self.mm, &vma))
    }

    /// Faults pages in, from the start of `range` on. Returns the number of pages.
    ///
    /// # Errors
    ///
    /// Those of C's `faultin_page_range()`, when not even the first page could be had.
    #[track_caller]
    pub fn faultin(&mut self, range: PageRange, write: bool) -> Result<usize> {
        locks::might_sleep("to fault pages in");
        let chunk = model::with_env(|env| env.faults.populate.pop_front());
        let limit = chunk.transpose()?;
        let mut pages = 0;
        for addr in (range.start()..range.end()).step_by(PAGE_SIZE) {
            if limit == Some(pages) {
                break;
            }
            match self.fault(addr, write) {
                Ok(()) => pages += 1,
                Err(e) if pages == 0 => return Err(e),
                Err(_) => break,
            }
        }
        if limit.is_some() {
            self.mm.unlocked(|| ());
        }
        Ok(pages)
    }

    fn fault(&self, addr: usize, write: bool) -> Result {
        model::alloc()?;
        match self.mm.touch(addr, write) {
            Touch::Done => Ok(()),
            Touch::Unmapped | Touch::NoMemory => Err(ENOMEM),
            Touch::Guard => Err(EFAULT),
            Touch::Poisoned => Err(EHWPOISON),
            // C: `FOLL_MADV_POPULATE`.
            Touch::Denied => Err(EINVAL),
        }
    }
}

impl Drop for MmapReadGuard<'_> {
    fn drop(&mut self) {
        locks::release(Lock::MmapRead(self.mm.id()));
        self.mm.let_others();
    }
}

/// The mmap lock, held for writing. It holds all VMA write locks taken under it, too.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MmapWriteGuard<'a> {
    mm: &'a MmWithUser,
}

impl<'a> MmapWriteGuard<'a> {
    /// Keeps the lock for reading only.
    #[track_caller]
    pub fn downgrade(self) -> MmapReadGuard<'a> {
        let mm = self.mm;
        drop(self);
        mm.mmap_read_lock()
    }
}

impl Drop for MmapWriteGuard<'_> {
    fn drop(&mut self) {
        locks::release(Lock::MmapWrite(self.mm.id()));
    }
}

/// The lock of one VMA, held for reading.
pub struct VmaReadGuard<'a> {
    vma: VmaRef,
    lock: Lock,
    mm: &'a MmWithUser,
}

impl Deref for VmaReadGuard<'_> {
    type Target = VmaRef;

    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}

impl Drop for VmaReadGuard<'_> {
    fn drop(&mut self) {
        locks::release(self.lock);
        self.mm.let_others();
    }
}

/// A mode of the mmap lock.
pub trait LockMode: private::Sealed {
    /// The lock, held.
    type Guard<'mm>;

    /// A VMA under the lock.
    type Vma<'g>: Deref<Target = VmaMmapLocked>;

    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// `EINTR` when the wait can be ended by a fatal signal, and was.
    fn lock(mm: &MmWithUser) -> Result<Self::Guard<'_>>;

    /// Finds the first VMA that ends above `addr`.
    fn find_vma<'g>(guard: &'g mut Self::Guard<'_>, addr: usize) -> Option<Self::Vma<'g>>;

    /// Removes the tag from a user address.
    fn untag(guard: &Self::Guard<'_>, addr: usize) -> usize;
}

/// The mmap lock for reading.
pub enum MmapRead {}

impl LockMode for MmapRead {
    type Guard<'mm> = MmapReadGuard<'mm>;
    type Vma<'g> = VmaMmapRead<'g>;

    #[track_caller]
    fn lock(mm: &MmWithUser) -> Result<MmapReadGuard<'_>> {
        Ok(mm.mmap_read_lock())
    }

    fn find_vma<'g>(guard: &'g mut MmapReadGuard<'_>, addr: usize) -> Option<VmaMmapRead<'g>> {
        VmaMmapRead::find(guard.mm, addr)
    }

    fn untag(_: &MmapReadGuard<'_>, addr: usize) -> usize {
        untag_current(addr)
    }
}

/// The mmap lock for writing.
pub enum MmapWrite {}

impl LockMode for MmapWrite {
    type Guard<'mm> = MmapWriteGuard<'mm>;
    type Vma<'g> = VmaMmapWrite<'g>;

    #[track_caller]
    fn lock(mm: &MmWithUser) -> Result<MmapWriteGuard<'_>> {
        mm.mmap_write_lock_killable()
    }

    fn find_vma<'g>(guard: &'g mut MmapWriteGuard<'_>, addr: usize) -> Option<VmaMmapWrite<'g>> {
        VmaMmapWrite::find(guard.mm, addr)
    }

    fn untag(_: &MmapWriteGuard<'_>, addr: usize) -> usize {
        untag_current(addr)
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::MmapRead {}
    impl Sealed for super::MmapWrite {}
}

/// Removes the tag from an address of the current process.
pub fn untag_current(addr: usize) -> usize {
    addr & !model::with_env(|env| env.tag_mask)
}
