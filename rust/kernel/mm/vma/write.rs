// SPDX-License-Identifier: GPL-2.0

//! VMAs under the mmap write lock.

use super::VmaMmapLocked;
use crate::mm::additions::bindings;
#[cfg(any(CONFIG_KSM, CONFIG_TRANSPARENT_HUGEPAGE))]
use crate::{error::to_result, ffi::c_int};
use crate::{
    error::{from_err_ptr, Result},
    mm::{PageRange, VmFlags},
};
use core::{mem::MaybeUninit, ops::Deref};

#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::{error::code::EBADF, mm::AnonVmaName};

/// A VMA under the mmap write lock. Page faults under the VMA read lock may still run.
///
/// # Invariants
///
/// The mmap lock of the address space is held for writing during `'g`, and there is no other
/// [`VmaMmapWrite`] or [`VmaWrite`] of the same guard. `iter` is at the VMA.
pub struct VmaMmapWrite<'g> {
    vma: &'g VmaMmapLocked,
    iter: bindings::vma_iterator,
}

impl<'g> VmaMmapWrite<'g> {
    /// Finds the first VMA that ends above `addr`, an address in bytes.
    ///
    /// C: `find_vma()`.
    ///
    /// # Safety
    ///
    /// The mmap write lock of `mm` must be held during `'g`, and the caller must hold its guard
    /// exclusively for `'g`.
    #[inline]
    pub(in crate::mm) unsafe fn find(mm: *mut bindings::mm_struct, addr: usize) -> Option<Self> {
        // SAFETY: The caller keeps the address space.
        unsafe { bindings::mmap_assert_write_locked(mm) };
        let mut iter = MaybeUninit::uninit();
        // SAFETY: `iter` is valid for writes, and the caller keeps the address space.
        unsafe { bindings::vma_iter_init(iter.as_mut_ptr(), mm, addr) };
        // SAFETY: The iterator was just initialized, and the caller holds the lock.
        let vma = unsafe { bindings::vma_find(iter.as_mut_ptr(), usize::MAX) };
        if vma.is_null() {
            return None;
        }
        // INVARIANT: The VMA is in the tree, the iterator is at it, and the caller holds the lock.
        Some(Self {
            // SAFETY: As above. The layouts are compatible as both types are `repr(transparent)`.
            vma: unsafe { &*vma.cast() },
            // SAFETY: It was initialized above.
            iter: unsafe { iter.assume_init() },
        })
    }

    /// Takes the VMA write lock: waits until no page fault or other reader holds the VMA, and keeps
    /// new ones out.
    ///
    /// The lock has no unlock of its own. It ends with the mmap write lock.
    #[doc(alias = "vma_start_write")]
    #[inline]
    pub fn start_write(self) -> VmaWrite<'g> {
        // SAFETY: By the type invariants the mmap write lock is held, and `self` is the only one.
        unsafe { VmaWrite::lock(self.vma.as_ptr()) }
    }

    /// Prepares `range`, which must lie in the VMA, for KSM, or gives it pages of its own. Returns
    /// `flags` as they must be then.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA; `ENOMEM`.
    #[cfg(CONFIG_KSM)]
    #[inline]
    pub(super) fn ksm_madvise(
        &self,
        range: PageRange,
        flags: VmFlags,
        mergeable: bool,
    ) -> Result<VmFlags> {
        self.check_range(range)?;
        let advice = if mergeable {
            bindings::MADV_MERGEABLE
        } else {
            bindings::MADV_UNMERGEABLE
        };
        let (start, end) = (range.start(), range.end());
        let mut flags = flags.bits();
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held for writing.
        // CAST: The advice is a small number.
        to_result(unsafe {
            bindings::ksm_madvise(self.as_ptr(), start, end, advice as c_int, &mut flags)
        })?;
        Ok(VmFlags::from_bits(flags))
    }

    /// Notes that the VMA wants huge pages, or none. Returns `flags` as they must be then.
    ///
    /// # Errors
    ///
    /// None on most architectures.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub(super) fn hugepage_madvise(&self, flags: VmFlags, wanted: bool) -> Result<VmFlags> {
        let advice = if wanted {
            bindings::MADV_HUGEPAGE
        } else {
            bindings::MADV_NOHUGEPAGE
        };
        let mut flags = flags.bits();
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held for writing.
        // CAST: The advice is a small number.
        to_result(unsafe {
            bindings::hugepage_madvise(self.as_ptr(), &mut flags, advice as c_int)
        })?;
        Ok(VmFlags::from_bits(flags))
    }

    /// Gives `range`, which must lie in the VMA, other flags. As [`VmaMmapWrite::modify_name`].
    ///
    /// # Safety
    ///
    /// `flags` must be right for the memory of the range.
    #[doc(alias = "vma_modify_flags")]
    #[inline]
    pub(super) unsafe fn modify_flags(self, range: PageRange, flags: VmFlags) -> Result<usize> {
        let (start, end) = (range.start(), range.end());
        let vma = self.modify(range, |vmi, prev, vma| {
            // SAFETY: `modify` passes what the function needs. The caller promises that the flags
            // are right.
            unsafe { bindings::vma_modify_flags(vmi, prev, vma, start, end, flags.bits()) }
        })?;
        // SAFETY: The caller promises that the flags are right.
        unsafe { vma.reset_flags(flags) };
        // SAFETY: By the type invariants the VMA is valid, and the mmap lock is held for writing.
        unsafe { bindings::vma_flags_changed(vma.as_ptr(), flags.bits()) };
        Ok(vma.end())
    }

    /// Gives `range`, which must lie in the VMA, another name, or none: splits the VMA where it
    /// must, and merges what can be one. Returns the end of the VMA that has the range then, in
    /// bytes.
    ///
    /// # Errors
    ///
    /// - `EBADF` when the memory is not anonymous.
    /// - `EINVAL` when the range does not lie in the VMA.
    /// - `ENOMEM`, or errors of the driver of the VMA, when it cannot be split.
    #[doc(alias = "vma_modify_name")]
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[inline]
    pub fn modify_name(self, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
        if !self.can_have_name() {
            return Err(EBADF);
        }
        let flags = self.vm_flags();
        let raw = AnonVmaName::as_raw(name);
        let (start, end) = (range.start(), range.end());
        let mut vma = self.modify(range, |vmi, prev, vma| {
            // SAFETY: `modify` passes what the function needs, and the name is valid.
            unsafe { bindings::vma_modify_name(vmi, prev, vma, start, end, raw) }
        })?;
        // SAFETY: The memory of the range has these flags, as has what it was merged with.
        unsafe { vma.reset_flags(flags) };
        vma.set_name(name);
        Ok(vma.end())
    }

    /// Calls a function that splits and merges VMAs with what all of them take: an iterator at this
    /// VMA, the VMA before the range, and this VMA, which has the range. Locks the VMA that
    /// comes out.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, and errors of the function.
    #[inline]
    fn modify(
        self,
        range: PageRange,
        call: impl FnOnce(
            *mut bindings::vma_iterator,
            *mut bindings::vm_area_struct,
            *mut bindings::vm_area_struct,
        ) -> *mut bindings::vm_area_struct,
    ) -> Result<VmaWrite<'g>> {
        self.check_range(range)?;
        let Self { vma, mut iter } = self;
        let prev = if range.start() == vma.start() {
            // SAFETY: By the type invariants the iterator, and so its copy, is at the VMA, and the
            // lock is held.
            unsafe { bindings::vma_prev(&mut iter.clone()) }
        } else {
            vma.as_ptr()
        };
        let vma = from_err_ptr(call(&mut iter, prev, vma.as_ptr()))?;
        // SAFETY: The function returned a VMA in the tree, and the mmap lock is still held for
        // writing by the guard that `self` borrowed.
        Ok(unsafe { VmaWrite::lock(vma) })
    }
}

impl Deref for VmaMmapWrite<'_> {
    type Target = VmaMmapLocked;

    #[inline]
    fn deref(&self) -> &VmaMmapLocked {
        self.vma
    }
}

/// A VMA under the mmap write lock and the VMA write lock: no page fault runs, and nobody else
/// holds a lock of the VMA. Code that comes from the file or the pages, such as khugepaged, looks
/// at it under other locks.
///
/// # Invariants
///
/// The mmap lock of the address space is held for writing during `'g`, the VMA is write-locked, and
/// there is no other [`VmaMmapWrite`] or [`VmaWrite`] of the same guard.
pub struct VmaWrite<'g> {
    vma: &'g VmaMmapLocked,
}

impl<'g> VmaWrite<'g> {
    /// Takes the VMA write lock.
    ///
    /// # Safety
    ///
    /// `vma` must be a VMA in the tree of an address space whose mmap write lock is held during
    /// `'g`, and the caller must hold the guard of that lock exclusively for `'g`.
    #[inline]
    unsafe fn lock(vma: *mut bindings::vm_area_struct) -> Self {
        // SAFETY: The caller promises it; the function asserts it.
        unsafe { bindings::vma_start_write(vma) };
        // INVARIANT: The VMA write lock was just taken; the caller promises the rest.
        Self {
            // SAFETY: As above. The layouts are compatible as both types are `repr(transparent)`.
            vma: unsafe { &*vma.cast() },
        }
    }

    /// Gives the VMA the flags that it was merged or split for. Those of `VM_STICKY` stay, as what
    /// it was merged with may have had some.
    ///
    /// # Safety
    ///
    /// `flags` must be right for the memory of the VMA.
    #[doc(alias = "vma_flags_reset_once")]
    #[inline]
    unsafe fn reset_flags(&self, flags: VmFlags) {
        let flags = flags | (self.vm_flags() & VmFlags::STICKY);
        // SAFETY:
        // - By the type invariants the VMA is valid and write-locked.
        // - The caller promises that the flags are right.
        unsafe { bindings::vma_flags_reset_once(self.as_ptr(), flags.bits()) };
    }

    /// Gives the VMA a name, or none. A name that is equal stays.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[inline]
    fn set_name(&mut self, name: Option<&AnonVmaName>) {
        if name.is_some() && self.has_name(name) {
            return;
        }
        let new = name.map_or(core::ptr::null_mut(), AnonVmaName::reuse);
        // SAFETY: By the type invariants the VMA is valid and write-locked.
        let old = unsafe { core::mem::replace(&mut (*self.as_ptr()).anon_name, new) };
        // SAFETY: The VMA had a reference to the name, if any, that no one uses any more.
        unsafe { bindings::anon_vma_name_put(old) };
    }

    /// The VMA, as one under the mmap lock.
    #[inline]
    pub(in crate::mm) fn into_mmap_locked(self) -> &'g VmaMmapLocked {
        self.vma
    }
}

impl Deref for VmaWrite<'_> {
    type Target = VmaMmapLocked;

    #[inline]
    fn deref(&self) -> &VmaMmapLocked {
        self.vma
    }
}
