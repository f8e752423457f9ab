// SPDX-License-Identifier: GPL-2.0

//! The mmap lock of an address space.
//!
//! C header: [`include/linux/mmap_lock.h`](srctree/include/linux/mmap_lock.h)

use crate::mm::additions::bindings;
use crate::{
    error::{code::EINTR, Error, Result},
    mm::{Mm, MmWithUser, MmapReadGuard, PageRange, VmaMmapLocked, VmaMmapRead, VmaMmapWrite},
    task::Task,
    types::NotThreadSafe,
};
use core::{mem::ManuallyDrop, ops::Deref, ptr::NonNull};

// These methods are safe to call even if `mm_users` is zero.
impl Mm {
    /// Returns whether this is the address space of the current thread.
    #[inline]
    pub fn is_current(&self) -> bool {
        // SAFETY: The current task is valid, and no one else changes its `mm`.
        self.as_raw() == unsafe { (*Task::current_raw()).mm }
    }
}

// These methods require `mm_users` to be non-zero.
impl MmWithUser {
    /// Takes the mmap lock for writing; a fatal signal ends the wait.
    ///
    /// C: `mmap_write_lock_killable()`.
    ///
    /// # Errors
    ///
    /// `EINTR` when a fatal signal came first. The lock is not held then.
    #[inline]
    pub fn mmap_write_lock_killable(&self) -> Result<MmapWriteGuard<'_>> {
        // SAFETY: The pointer is valid since self is a reference.
        if unsafe { bindings::mmap_write_lock_killable(self.as_raw()) } != 0 {
            return Err(EINTR);
        }
        // INVARIANT: We just acquired the write lock.
        Ok(MmapWriteGuard {
            mm: self,
            _nts: NotThreadSafe,
        })
    }
}

impl MmapReadGuard<'_> {
    /// Faults pages of `range` in, from its start on, for writing if `write` and else for reading.
    /// Releases the lock and takes it again where it must wait. Returns the number of pages.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when a part is not mapped, or there is no memory; `EINVAL` when the mapping does
    /// not allow it; `EFAULT` when a page cannot be had; `EHWPOISON` when it has failed; `EINTR`.
    ///
    /// C: `faultin_page_range()`.
    #[inline]
    pub fn faultin(&mut self, range: PageRange, write: bool) -> Result<usize> {
        let mm = self.mm.as_raw();
        let mut locked: crate::ffi::c_int = 1;
        // SAFETY: By the type invariants the mmap lock is held.
        let pages = unsafe {
            bindings::faultin_page_range(mm, range.start(), range.end(), write, &mut locked)
        };
        if locked == 0 {
            // SAFETY: The address space has users; the function released the lock.
            // INVARIANT: The guard owns the lock again.
            unsafe { bindings::mmap_read_lock(mm) };
        }
        // CAST: It is an errno, or else a number of pages.
        usize::try_from(pages).map_err(|_| Error::from_errno(pages as crate::ffi::c_int))
    }
}

/// A guard for the mmap write lock. It holds all VMA write locks taken under it, too.
///
/// # Invariants
///
/// This guard owns the mmap write lock.
///
/// # Examples
///
/// ```
/// use kernel::mm::{LockMode, MmWithUser, MmapWrite};
/// use kernel::prelude::*;
///
/// /// Makes the first mapping that ends above `addr` one that may hold guard regions.
/// fn announce_guards(mm: &MmWithUser, addr: usize) -> Result {
///     let mut guard = mm.mmap_write_lock_killable()?;
///     let vma = MmapWrite::find_vma(&mut guard, addr).ok_or(ENOMEM)?;
///     vma.start_write().set_maybe_guard().map(drop)
/// }
/// ```
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MmapWriteGuard<'a> {
    mm: &'a MmWithUser,
    // `mmap_write_lock_killable` and `mmap_write_unlock` must be called on the same thread.
    _nts: NotThreadSafe,
}

impl<'a> MmapWriteGuard<'a> {
    /// Keeps the lock for reading only, and releases the VMA write locks. No writer comes in
    /// between.
    ///
    /// C: `mmap_write_downgrade()`.
    #[inline]
    pub fn downgrade(self) -> MmapReadGuard<'a> {
        let mm = ManuallyDrop::new(self).mm;
        // SAFETY: By the type invariants this thread holds the write lock, which is not released
        // elsewhere, as the guard is not dropped.
        unsafe { bindings::mmap_write_downgrade(mm.as_raw()) };
        // INVARIANT: The write lock has become the read lock.
        MmapReadGuard {
            mm,
            _nts: NotThreadSafe,
        }
    }
}

impl Drop for MmapWriteGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: We hold the write lock by the type invariants.
        unsafe { bindings::mmap_write_unlock(self.mm.as_raw()) };
    }
}

/// A mode of the mmap lock: how it is taken, and what it allows to do with a VMA.
///
/// The trait is for [`MmapRead`] and [`MmapWrite`] only.
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

    /// Finds the first VMA that ends above `addr`, an address in bytes.
    ///
    /// C: `find_vma()`.
    fn find_vma<'g>(guard: &'g mut Self::Guard<'_>, addr: usize) -> Option<Self::Vma<'g>>;

    /// Removes the tag, which the hardware ignores, from a user address.
    ///
    /// C: `untagged_addr()` for the own address space, else `untagged_addr_remote()`.
    fn untag(guard: &Self::Guard<'_>, addr: usize) -> usize;
}

/// The mmap lock for reading.
pub enum MmapRead {}

impl LockMode for MmapRead {
    type Guard<'mm> = MmapReadGuard<'mm>;
    type Vma<'g> = VmaMmapRead<'g>;

    #[inline]
    fn lock(mm: &MmWithUser) -> Result<MmapReadGuard<'_>> {
        Ok(mm.mmap_read_lock())
    }

    #[inline]
    fn find_vma<'g>(guard: &'g mut MmapReadGuard<'_>, addr: usize) -> Option<VmaMmapRead<'g>> {
        // SAFETY: By the type invariants of the guard the mmap lock is held.
        let vma = unsafe { bindings::find_vma(guard.mm.as_raw(), addr) };
        // SAFETY: The VMA, if any, is in the tree, and the guard is borrowed exclusively while it
        // is used.
        NonNull::new(vma).map(|vma| unsafe { VmaMmapRead::from_raw(vma) })
    }

    #[inline]
    fn untag(guard: &MmapReadGuard<'_>, addr: usize) -> usize {
        // SAFETY: By the type invariants of the guard the mmap lock is held.
        unsafe { untag(guard.mm, addr) }
    }
}

/// The mmap lock for writing, taken so that a fatal signal ends the wait.
pub enum MmapWrite {}

impl LockMode for MmapWrite {
    type Guard<'mm> = MmapWriteGuard<'mm>;
    type Vma<'g> = VmaMmapWrite<'g>;

    #[inline]
    fn lock(mm: &MmWithUser) -> Result<MmapWriteGuard<'_>> {
        mm.mmap_write_lock_killable()
    }

    #[inline]
    fn find_vma<'g>(guard: &'g mut MmapWriteGuard<'_>, addr: usize) -> Option<VmaMmapWrite<'g>> {
        // SAFETY: By the type invariants of the guard the mmap lock is held, and the guard is
        // borrowed exclusively while the VMA is used.
        unsafe { VmaMmapWrite::find(guard.mm.as_raw(), addr) }
    }

    #[inline]
    fn untag(guard: &MmapWriteGuard<'_>, addr: usize) -> usize {
        // SAFETY: By the type invariants of the guard the mmap lock is held.
        unsafe { untag(guard.mm, addr) }
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::MmapRead {}
    impl Sealed for super::MmapWrite {}
}

/// Removes the tag, which the hardware ignores, from an address of the current process.
///
/// C: `untagged_addr()`.
#[inline]
pub fn untag_current(addr: usize) -> usize {
    // SAFETY: There are no requirements; the tag mask is that of the current thread.
    unsafe { bindings::untagged_addr(addr) }
}

/// Removes the tag from an address in `mm`.
///
/// # Safety
///
/// The mmap lock of `mm` must be held.
#[inline]
unsafe fn untag(mm: &MmWithUser, addr: usize) -> usize {
    if mm.is_current() {
        untag_current(addr)
    } else {
        // SAFETY: The address space is valid, and the caller holds its mmap lock.
        unsafe { bindings::untagged_addr_remote(mm.as_raw(), addr) }
    }
}
