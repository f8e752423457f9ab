// SPDX-License-Identifier: GPL-2.0

//! VMAs by the locks that are held for them.
//!
//! The mmap lock protects the tree of VMAs; a VMA lock protects one VMA. What may be done with a
//! VMA depends on which of them are held, and how, so that each case is a type:
//!
//! | type | locks | allows |
//! |---|---|---|
//! | [`VmaRef`] | mmap or VMA lock, read or write | to read bounds and flags |
//! | [`VmaMmapLocked`] | mmap lock, read or write | to walk page tables, too |
//! | [`VmaMmapWrite`] | mmap lock, write | to take the VMA write lock, too |
//! | [`VmaWrite`] | mmap lock, write; VMA lock, write | to change the VMA, too |
//! | [`VmaMaybeGuard`] | the same; the flag is set | to install guard markers, too |
//!
//! The first is in `kernel::mm::virt`. Each type dereferences to the one above it. Lock order: mmap lock, VMA lock, then the locks of
//! page tables.
//!
//! C headers: [`include/linux/mmap_lock.h`](srctree/include/linux/mmap_lock.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::{
    bindings,
    error::{code::EINVAL, to_result, Result},
    mm::{virt::VmaRef, VmFlags},
};
use core::ops::Deref;

// Methods you can call when holding the mmap or vma read lock (or stronger).
impl VmaRef {
    /// Returns the flags of the VMA, typed.
    #[inline]
    pub fn vm_flags(&self) -> VmFlags {
        VmFlags::from_bits(self.flags())
    }

    /// Returns whether the memory is anonymous: neither of a file nor of shared memory.
    ///
    /// C: `vma_is_anonymous()`.
    #[inline]
    pub fn is_anonymous(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid, and `vm_ops` is set only before the VMA
        // is in the tree, or under the mmap write lock and the VMA write lock.
        unsafe { (*self.as_ptr()).vm_ops }.is_null()
    }

    /// Returns whether the VMA has an anon_vma, which it may get at any moment from a page fault.
    #[inline]
    pub fn has_anon_vma(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid. A page fault under a read lock may set
        // the pointer in parallel, hence the volatile read.
        let anon_vma = unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).anon_vma) };
        !anon_vma.is_null()
    }

    /// Returns whether this is ordinary memory: its page tables are those that mm makes of pages,
    /// neither a driver's nor of hugetlb.
    #[inline]
    pub fn is_ordinary(&self) -> bool {
        !self
            .vm_flags()
            .intersects(VmFlags::SPECIAL.union(VmFlags::HUGETLB))
    }

    /// Returns whether the protection key of the VMA, if it has one, lets the current thread write.
    ///
    /// C: `arch_vma_access_permitted()`.
    #[inline]
    pub fn arch_write_permitted(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid.
        unsafe { bindings::arch_vma_access_permitted(self.as_ptr(), true, false, false) }
    }
}

/// A VMA under the mmap lock, held for reading or writing.
///
/// # Invariants
///
/// The VMA is in the tree of its address space, whose mmap lock is held, for reading or writing,
/// while a reference to this type lives.
#[repr(transparent)]
pub struct VmaMmapLocked {
    vma: VmaRef,
}

impl VmaMmapLocked {
    /// Makes a reference from a raw pointer.
    ///
    /// # Safety
    ///
    /// `vma` must be a VMA in the tree of its address space, whose mmap lock must be held for
    /// reading or writing during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(vma: *const bindings::vm_area_struct) -> &'a Self {
        // SAFETY: The caller promises that `vma` is a VMA and thus has an address space.
        unsafe { bindings::mmap_assert_locked((*vma).vm_mm) };
        // SAFETY: The caller keeps the VMA valid and the lock held for 'a. The layouts are
        // compatible as both types are `repr(transparent)`.
        // INVARIANT: The caller holds the mmap lock for 'a, and the VMA is in the tree.
        unsafe { &*vma.cast() }
    }
}

impl Deref for VmaMmapLocked {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}

/// A VMA under the mmap write lock. Page faults under the VMA read lock may still run.
///
/// # Invariants
///
/// The mmap lock of the address space is held for writing during `'g`, and there is no other
/// [`VmaMmapWrite`] or [`VmaWrite`] of the same guard.
pub struct VmaMmapWrite<'g> {
    vma: &'g VmaMmapLocked,
}

impl<'g> VmaMmapWrite<'g> {
    /// Makes the state from a raw pointer.
    ///
    /// # Safety
    ///
    /// `vma` must be a VMA in the tree of an address space whose mmap write lock is held during
    /// `'g`, and the caller must hold the guard of that lock exclusively for `'g`.
    #[inline]
    pub(super) unsafe fn from_raw(vma: *const bindings::vm_area_struct) -> Self {
        // SAFETY: The caller promises that `vma` is a VMA and thus has an address space.
        unsafe { bindings::mmap_assert_write_locked((*vma).vm_mm) };
        // INVARIANT: The caller holds the mmap write lock during 'g, and the guard exclusively.
        Self {
            // SAFETY: The caller promises more than is needed here.
            vma: unsafe { VmaMmapLocked::from_raw(vma) },
        }
    }

    /// Takes the VMA write lock: waits until no page fault or other reader holds the VMA, and keeps
    /// new ones out.
    ///
    /// The lock has no unlock of its own. It ends with the mmap write lock.
    ///
    /// C: `vma_start_write()`.
    #[inline]
    pub fn start_write(self) -> VmaWrite<'g> {
        // SAFETY: By the type invariants the VMA is valid and the mmap write lock is held.
        unsafe { bindings::vma_start_write(self.vma.as_ptr()) };
        // INVARIANT: The VMA write lock was just taken; `self` brings the rest.
        VmaWrite { vma: self }
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
/// Those of [`VmaMmapWrite`], and the VMA is write-locked during `'g`.
pub struct VmaWrite<'g> {
    vma: VmaMmapWrite<'g>,
}

impl<'g> VmaWrite<'g> {
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
        // INVARIANT: The flag was just set, and the VMA is ordinary memory.
        Ok(VmaMaybeGuard { vma: self })
    }
}

impl<'g> Deref for VmaWrite<'g> {
    type Target = VmaMmapWrite<'g>;

    #[inline]
    fn deref(&self) -> &VmaMmapWrite<'g> {
        &self.vma
    }
}

/// A VMA that says that it may hold guard regions, under the locks of [`VmaWrite`].
///
/// # Invariants
///
/// Those of [`VmaWrite`]; the VMA is ordinary memory, [`VmFlags::MAYBE_GUARD`] is set during `'g`,
/// and the VMA has an anon_vma if it is anonymous.
pub struct VmaMaybeGuard<'g> {
    vma: VmaWrite<'g>,
}

impl<'g> Deref for VmaMaybeGuard<'g> {
    type Target = VmaWrite<'g>;

    #[inline]
    fn deref(&self) -> &VmaWrite<'g> {
        &self.vma
    }
}
