// SPDX-License-Identifier: GPL-2.0

//! VMAs under the mmap write lock.

use super::{bindings, VmaMaybeGuard, VmaMmapLocked};
use crate::{
    error::{code::EINVAL, from_err_ptr, to_result, Result},
    mm::{
        page_table::{walk, FindGuard, GuardRemoval},
        virt::VmaRef,
        PageRange, VmFlags,
    },
};
use core::{mem::MaybeUninit, ops::Deref};

#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::mm::AnonVmaName;

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
    ///
    /// C: `vma_start_write()`.
    #[inline]
    pub fn start_write(self) -> VmaWrite<'g> {
        // SAFETY: By the type invariants the mmap write lock is held, and `self` is the only one.
        unsafe { VmaWrite::lock(self.vma.as_ptr()) }
    }

    /// Lets pages of the same content be shared in `range`, or makes copies of those that are.
    /// Returns the flags that the range shall have then.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA; `ENOMEM` when there is no memory for the
    /// copies.
    ///
    /// C: `ksm_madvise()`.
    #[cfg(CONFIG_KSM)]
    #[inline]
    pub fn ksm_madvise(&self, range: PageRange, mergeable: bool) -> Result<VmFlags> {
        self.check_range(range)?;
        let advice = match mergeable {
            true => bindings::MADV_MERGEABLE,
            false => bindings::MADV_UNMERGEABLE,
        };
        let mut flags = self.vm_flags().bits();
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held for writing.
        // CAST: The advice is a small number.
        to_result(unsafe {
            bindings::ksm_madvise(
                self.as_ptr(),
                range.start(),
                range.end(),
                advice as crate::ffi::c_int,
                &mut flags,
            )
        })?;
        Ok(VmFlags::from_bits(flags))
    }

    /// Asks for huge pages, or for none. Returns the flags that the VMA, or a part of it, shall have
    /// then.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA cannot have huge pages.
    ///
    /// C: `hugepage_madvise()`.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn hugepage_madvise(&self, wanted: bool) -> Result<VmFlags> {
        let advice = match wanted {
            true => bindings::MADV_HUGEPAGE,
            false => bindings::MADV_NOHUGEPAGE,
        };
        let mut flags = self.vm_flags().bits();
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held for writing.
        // CAST: The advice is a small number.
        to_result(unsafe {
            bindings::hugepage_madvise(self.as_ptr(), &mut flags, advice as crate::ffi::c_int)
        })?;
        Ok(VmFlags::from_bits(flags))
    }

    /// Gives `range`, which must lie in the VMA, other flags: splits the VMA where it must, and
    /// merges what can be one. Returns the end of the VMA that has the range then, in bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` when `flags` differs from the flags of the VMA in more than
    /// [`VmFlags::ADVISABLE`]; `ENOMEM`, or those of the driver of the VMA, when it cannot be
    /// split.
    ///
    /// C: `vma_modify_flags()`, `vm_flags_reset()`.
    #[inline]
    pub fn modify_flags(self, range: PageRange, flags: VmFlags) -> Result<usize> {
        if !VmFlags::ADVISABLE.contains(flags ^ self.vm_flags()) {
            return Err(EINVAL);
        }
        let (start, end) = (range.start(), range.end());
        let vma = self.modify(range, |vmi, prev, vma| {
            // SAFETY: `modify` passes what the function needs. Only flags that say how the memory
            // is to be handled differ.
            unsafe { bindings::vma_modify_flags(vmi, prev, vma, start, end, flags.bits()) }
        })?;
        vma.reset_flags(flags);
        Ok(vma.end())
    }

    /// Gives `range`, which must lie in the VMA, another name, or none. As
    /// [`VmaMmapWrite::modify_flags`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or those of the driver of the VMA, when it cannot be split.
    ///
    /// C: `vma_modify_name()`.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[inline]
    pub fn modify_name(self, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
        let flags = self.vm_flags();
        let raw = AnonVmaName::as_raw(name);
        let (start, end) = (range.start(), range.end());
        let mut vma = self.modify(range, |vmi, prev, vma| {
            // SAFETY: `modify` passes what the function needs, and the name is valid.
            unsafe { bindings::vma_modify_name(vmi, prev, vma, start, end, raw) }
        })?;
        vma.reset_flags(flags);
        vma.set_name(name);
        Ok(vma.end())
    }

    /// Calls a function that splits and merges VMAs with what all of them take: an iterator at this
    /// VMA, the VMA before the range, and this VMA, which has the range. Locks the VMA that
    /// comes out.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, and those of the function.
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
        let prev = match range.start() == vma.start() {
            false => vma.as_ptr(),
            // SAFETY: By the type invariants the iterator, and so its copy, is at the VMA, and the
            // lock is held.
            true => unsafe { bindings::vma_prev(&mut iter.clone()) },
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

/// A VMA under the mmap write lock and the VMA write lock: no page fault and no other holder of a
/// lock of the VMA. Those who come from the file or the pages, such as khugepaged, look at it under
/// other locks.
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
        // SAFETY: The caller promises what is needed; the function asserts it.
        unsafe { bindings::vma_start_write(vma) };
        // INVARIANT: The VMA write lock was just taken; the caller promises the rest.
        Self {
            // SAFETY: As above. The layouts are compatible as both types are `repr(transparent)`.
            vma: unsafe { &*vma.cast() },
        }
    }

    /// Gives the VMA the flags that it was merged or split for. Those of `VM_STICKY` stay.
    ///
    /// C: `vm_flags_reset()`.
    #[inline]
    fn reset_flags(&self, flags: VmFlags) {
        // SAFETY: By the type invariants the VMA is valid and write-locked.
        unsafe { bindings::vm_flags_reset(self.as_ptr(), flags.bits()) };
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

    /// Makes the VMA one that may hold guard regions: sets [`VmFlags::MAYBE_GUARD`].
    ///
    /// This comes before the first marker, so that whoever sees a marker under the page table lock
    /// sees the flag, too.
    ///
    /// An anonymous VMA gets an anon_vma unless it has one (C: `anon_vma_prepare()`), as in all of
    /// mm the page tables of anonymous memory that hold something go with an anon_vma. Those of a
    /// file need none: the flag alone makes `fork()` copy them and khugepaged keep them.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA is not ordinary memory; `ENOMEM` when there is no memory for the
    /// anon_vma. The flag is not set then.
    #[inline]
    pub fn set_maybe_guard(self) -> Result<VmaMaybeGuard<'g>> {
        if !self.is_ordinary() {
            return Err(EINVAL);
        }
        if self.is_anonymous() {
            // SAFETY: By the type invariants the VMA is valid and the mmap lock is held.
            to_result(unsafe { bindings::anon_vma_prepare(self.as_ptr()) })?;
        }
        let flags = self.vm_flags() | VmFlags::MAYBE_GUARD;
        // SAFETY: By the type invariants the VMA is valid and write-locked. The flag only says that
        // page tables may hold guard markers, which is legal for ordinary memory.
        unsafe { bindings::vm_flags_reset_once(self.as_ptr(), flags.bits()) };
        // SAFETY: The flag was just set, the VMA is ordinary memory, and has an anon_vma if it is
        // anonymous.
        Ok(unsafe { VmaMaybeGuard::new(self.vma) })
    }

    /// Clears [`VmFlags::MAYBE_GUARD`], unless there are guards. Returns whether it is clear.
    ///
    /// All page tables of the VMA are looked at where `removal` cannot tell that no guard is left:
    /// because it did not go through all of the VMA, or because guards were installed meanwhile, in
    /// whichever VMA. In a large VMA the flag stays when others wait for the locks before all tables
    /// were seen.
    #[inline]
    pub fn try_clear_maybe_guard(self, removal: &GuardRemoval<'_>) -> bool {
        let is_clear = removal.is_complete_for(&self) || self.has_no_guards();
        if is_clear {
            // SAFETY: By the type invariants the VMA is valid and write-locked. No marker is left, and
            // whoever installs holds a lock of the VMA, which nobody else has.
            unsafe { bindings::vm_flags_clear(self.as_ptr(), VmFlags::MAYBE_GUARD.bits()) };
        }
        is_clear
    }

    /// Looks for guards in all page tables of the VMA.
    #[inline]
    fn has_no_guards(&self) -> bool {
        // INVARIANT: A VMA has whole pages, and at least one.
        let range = PageRange::new(self.start(), self.end());
        walk::<VmaRef, _>(self, range, &mut FindGuard::new())
            .is_ok_and(|walked| walked.is_continue())
    }
}

impl Deref for VmaWrite<'_> {
    type Target = VmaMmapLocked;

    #[inline]
    fn deref(&self) -> &VmaMmapLocked {
        self.vma
    }
}
