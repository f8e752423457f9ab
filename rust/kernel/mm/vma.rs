// SPDX-License-Identifier: GPL-2.0

//! VMAs by the locks that are held for them.
//!
//! The mmap lock protects the tree of VMAs; a VMA lock protects one VMA. What may be done with a
//! VMA depends on which of them are held, and how, so that each case is a type:
//!
//! | type | locks | allows |
//! |---|---|---|
//! | [`VmaRef`] | mmap or VMA lock, read or write | to read bounds and flags, to walk page tables |
//! | [`VmaMmapLocked`] | mmap lock, read or write | to remove guard markers, too |
//! | [`VmaMmapRead`] | mmap lock, read | to release the lock for a while, too |
//! | [`VmaMmapWrite`] | mmap lock, write | to take the VMA write lock, to split and merge, too |
//! | [`VmaWrite`] | mmap lock, write; VMA lock, write | to change the VMA, too |
//! | [`VmaMaybeGuard`] | the same; the flag is set | to install guard markers, too |
//!
//! The first is in `kernel::mm::virt`. Each type dereferences to one above it. Lock order: mmap
//! lock, VMA lock, then the locks of page tables.
//!
//! C headers: [`include/linux/mmap_lock.h`](srctree/include/linux/mmap_lock.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::{
    bindings,
    error::{code::EINVAL, from_err_ptr, to_result, Result},
    mm::{file::VmaFile, virt::VmaRef, MmapReadGuard, PageRange, VmFlags},
    page::PAGE_SHIFT,
};
use core::{marker::PhantomData, mem::MaybeUninit, ops::Deref, ptr::NonNull};

#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::mm::AnonVmaName;

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

    /// Returns the file that is mapped, if there is one.
    #[inline]
    pub fn file(&self) -> Option<&VmaFile> {
        // SAFETY: By the type invariants the VMA is valid, and its file does not change.
        let file = unsafe { (*self.as_ptr()).vm_file };
        // SAFETY: The VMA keeps its file open.
        (!file.is_null()).then(|| unsafe { VmaFile::from_raw(file) })
    }

    /// Returns the number, in its file, of the page that is mapped at `addr`.
    ///
    /// C: `linear_page_index()`.
    #[inline]
    pub fn page_offset(&self, addr: usize) -> usize {
        // SAFETY: By the type invariants the VMA is valid, and a lock of it is held.
        let first = unsafe { (*self.as_ptr()).vm_pgoff };
        first.wrapping_add(addr.wrapping_sub(self.start()) >> PAGE_SHIFT)
    }

    /// Returns the offset in its file of the page that is mapped at `addr`, in bytes.
    #[inline]
    pub fn byte_offset(&self, addr: usize) -> i64 {
        // CAST: The offset of a page in a file fits, in bytes, or was refused when it was mapped.
        (self.page_offset(addr) as i64) << PAGE_SHIFT
    }

    /// Returns whether it is anonymous memory that is shared.
    ///
    /// C: `vma_is_anon_shmem()`.
    #[inline]
    pub fn is_anon_shmem(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid.
        unsafe { bindings::vma_is_anon_shmem(self.as_ptr()) }
    }

    /// Returns the name of the VMA, or null. Warns when neither the mmap lock nor the VMA lock is held.
    ///
    /// C: `anon_vma_name()` of `mm/madvise.c`.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[inline]
    pub fn anon_vma_name(&self) -> *mut bindings::anon_vma_name {
        let vma = self.as_ptr();
        // SAFETY: By the type invariants the VMA is valid, and so is its address space.
        let mmap_lock = unsafe { &raw mut (*(*vma).vm_mm).__bindgen_anon_1.mmap_lock };
        // SAFETY: As above.
        if unsafe { bindings::rwsem_is_locked(mmap_lock) } == 0 {
            // SAFETY: As above.
            unsafe { bindings::vma_assert_locked(vma) };
        }
        // SAFETY: As above.
        unsafe { (*vma).anon_name }
    }

    /// Returns the size of its huge pages, in bytes, when it is a VMA of hugetlb.
    ///
    /// C: `is_vm_hugetlb_page()`, `huge_page_size()`.
    #[inline]
    pub fn hugetlb_page_size(&self) -> Option<usize> {
        self.vm_flags().intersects(VmFlags::HUGETLB).then(|| {
            // SAFETY: By the type invariants the VMA is valid, and it is one of hugetlb.
            unsafe { bindings::vma_huge_page_size(self.as_ptr()) }
        })
    }

    /// Returns whether userfaultfd watches the VMA.
    ///
    /// C: `userfaultfd_armed()`.
    #[inline]
    pub fn userfaultfd_armed(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid.
        unsafe { bindings::userfaultfd_armed(self.as_ptr()) }
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

#[cfg(CONFIG_ANON_VMA_NAME)]
impl VmaMmapLocked {
    /// Returns whether the name of the VMA is `name`.
    ///
    /// C: `anon_vma_name_eq()`.
    #[inline]
    pub fn has_name(&self, name: Option<&AnonVmaName>) -> bool {
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held, under which its
        // name does not go away.
        unsafe { bindings::anon_vma_name_eq((*self.as_ptr()).anon_name, AnonVmaName::as_raw(name)) }
    }
}

impl Deref for VmaMmapLocked {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        &self.vma
    }
}

/// A VMA under the mmap read lock, and the right to release that lock.
///
/// What releases the lock consumes this, as the VMA may be gone afterwards. The lock is taken again
/// before anyone else sees the guard.
///
/// # Invariants
///
/// `vma` is in the tree of its address space, whose mmap lock is held for reading by the guard that
/// is borrowed during `'g`.
pub struct VmaMmapRead<'g> {
    vma: NonNull<bindings::vm_area_struct>,
    _guard: PhantomData<&'g mut MmapReadGuard<'g>>,
}

impl<'g> VmaMmapRead<'g> {
    /// Makes the state from a raw pointer.
    ///
    /// # Safety
    ///
    /// `vma` must be a VMA in the tree of an address space whose mmap read lock is held during
    /// `'g`, and the caller must hold the guard of that lock exclusively for `'g`.
    #[inline]
    pub(super) unsafe fn from_raw(vma: NonNull<bindings::vm_area_struct>) -> Self {
        // INVARIANT: The caller promises it.
        Self {
            vma,
            _guard: PhantomData,
        }
    }

    /// Releases the lock while `work` runs.
    #[inline]
    pub fn unlocked<R>(self, work: impl FnOnce() -> R) -> R {
        let mm = self.mm().as_raw();
        // SAFETY: By the type invariants the lock is held.
        unsafe { bindings::mmap_read_unlock(mm) };
        let result = work();
        // SAFETY: The caller keeps the address space, which the guard borrows.
        unsafe { bindings::mmap_read_lock(mm) };
        result
    }

    /// Tells userfaultfd that the content of `range` is about to be removed from the file, and
    /// releases the lock while `work` runs.
    ///
    /// C: `userfaultfd_remove()`.
    #[inline]
    pub fn unlocked_for_removal<R>(self, range: PageRange, work: impl FnOnce() -> R) -> R {
        let mm = self.mm().as_raw();
        // SAFETY: The VMA is valid, and the mmap lock is held for reading.
        let is_locked =
            unsafe { bindings::userfaultfd_remove(self.as_ptr(), range.start(), range.end()) };
        if is_locked {
            // SAFETY: The function says that it did not release the lock.
            unsafe { bindings::mmap_read_unlock(mm) };
        }
        let result = work();
        // SAFETY: The caller keeps the address space, which the guard borrows.
        unsafe { bindings::mmap_read_lock(mm) };
        result
    }

    /// Tells userfaultfd that the content of `range` is about to be dropped, which may release the
    /// lock: [`Announced`] has the VMA that is there afterwards.
    ///
    /// C: `userfaultfd_remove()`, `vma_lookup()`.
    #[inline]
    pub fn announce_removal(self, range: PageRange) -> Announced<'g> {
        let mm = self.mm().as_raw();
        // SAFETY: The VMA is valid, and the mmap lock is held for reading.
        if unsafe { bindings::userfaultfd_remove(self.as_ptr(), range.start(), range.end()) } {
            return Announced::Same(self);
        }
        // SAFETY: The address space has users; the function released the lock.
        unsafe { bindings::mmap_read_lock(mm) };
        // SAFETY: The lock was just taken.
        let vma = unsafe { bindings::vma_lookup(mm, range.start()) };
        // SAFETY: The VMA is in the tree, and the guard, which is still borrowed exclusively, owns
        // the lock that was taken in place of the old one.
        Announced::LockDropped(NonNull::new(vma).map(|vma| unsafe { Self::from_raw(vma) }))
    }

    /// Makes huge pages of what is mapped in `range`, which may release the lock.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the VMA cannot have huge pages; `ENOMEM`, `EBUSY`, `EAGAIN` when one could not
    /// be made.
    ///
    /// C: `madvise_collapse()`.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn collapse(self, range: PageRange) -> Result {
        let mut lock_dropped = false;
        // SAFETY: The VMA is valid, and the mmap lock is held for reading. The function takes it
        // again if it releases it; the VMA, which may be gone then, is not used any more.
        to_result(unsafe {
            bindings::madvise_collapse(self.as_ptr(), range.start(), range.end(), &mut lock_dropped)
        })
    }
}

impl Deref for VmaMmapRead<'_> {
    type Target = VmaMmapLocked;

    #[inline]
    fn deref(&self) -> &VmaMmapLocked {
        // SAFETY: By the type invariants the VMA is in the tree, and the lock is held.
        unsafe { self.vma.cast().as_ref() }
    }
}

/// The VMA after userfaultfd was told of a removal.
pub enum Announced<'g> {
    /// The same one; the lock was held all the time.
    Same(VmaMmapRead<'g>),
    /// The one that is there now, if any; the lock was released.
    LockDropped(Option<VmaMmapRead<'g>>),
}

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
    pub(super) unsafe fn find(mm: *mut bindings::mm_struct, addr: usize) -> Option<Self> {
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

    /// Lets pages of the same content be shared in `range`, a part of the VMA, or makes copies of
    /// those that are. Returns the flags that the range shall have then.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for the copies.
    ///
    /// C: `ksm_madvise()`.
    #[cfg(CONFIG_KSM)]
    #[inline]
    pub fn ksm_madvise(&self, range: PageRange, mergeable: bool) -> Result<VmFlags> {
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

    /// Calls a function that splits and merges VMAs with what all of them take: an iterator at
    /// `range`, the VMA before the range, and this VMA, which has the range. Locks the VMA that
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
        if range.start() < self.start() || self.end() < range.end() {
            return Err(EINVAL);
        }
        let vma = self.as_ptr();
        let mut prev = vma;
        let mut iter = self.iter;
        if range.start() == self.start() {
            // SAFETY: By the type invariants the iterator is at the VMA and the lock is held.
            prev = unsafe { bindings::vma_prev(&mut iter) };
            // SAFETY: The address space is valid.
            unsafe { bindings::vma_iter_init(&mut iter, self.mm().as_raw(), range.start()) };
        }
        let vma = from_err_ptr(call(&mut iter, prev, vma))?;
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
        // INVARIANT: The flag was just set, and the VMA is ordinary memory.
        Ok(VmaMaybeGuard { vma: self })
    }
}

impl Deref for VmaWrite<'_> {
    type Target = VmaMmapLocked;

    #[inline]
    fn deref(&self) -> &VmaMmapLocked {
        self.vma
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
