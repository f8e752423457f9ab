// SPDX-License-Identifier: GPL-2.0

//! VMAs by the locks that are held for them.
//!
//! The mmap lock protects the tree of VMAs; a VMA lock protects one VMA. What may be done with a
//! VMA depends on which of them are held, and how, so that each case is a type:
//!
//! | type | locks | allows |
//! |---|---|---|
//! | [`VmaRef`] | mmap or VMA lock, read or write | to read bounds and flags, to walk page tables, to remove guard markers |
//! | [`VmaMmapLocked`] | mmap lock, read or write | to look at the name |
//! | [`VmaMmapRead`] | mmap lock, read | to release the lock for a while, too |
//! | [`VmaMmapWrite`] | mmap lock, write | to take the VMA write lock, to split and merge, too |
//! | [`VmaWrite`] | mmap lock, write; VMA lock, write | to change the VMA, too |
//! | [`FlagChange`] | mmap lock, write | to change flags after the checks of each, too |
//! | [`VmaGather`](super::tlb::VmaGather) | as `VmaRef` | to change entries so that the TLBs must be flushed, too |
//! | [`AnonGather`](super::tlb::AnonGather) | as `VmaRef`; secondary MMUs know of the range | to discard anonymous memory, too |
//! | [`VmaMaybeGuard`](super::guard::VmaMaybeGuard) | as `VmaRef`; the flag is set | to install guard markers, too |
//!
//! The first is in `kernel::mm::virt`. Each type dereferences to one above it. Lock order: mmap
//! lock, VMA lock, then the locks of page tables.
//!
//! C headers: [`include/linux/mmap_lock.h`](srctree/include/linux/mmap_lock.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::mm::additions::bindings;
use crate::{
    current,
    error::{
        code::{EACCES, EINTR, EINVAL},
        Result,
    },
    mm::{file::VmaFile, virt::VmaRef, MmWithUser, MmapReadGuard, PageRange, VmFlags},
    page::PAGE_SHIFT,
    sync::aref::ARef,
};
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};

#[cfg(CONFIG_ANON_VMA_NAME)]
use crate::mm::AnonVmaName;

mod flag_change;
mod write;

pub use flag_change::FlagChange;
pub use write::{VmaMmapWrite, VmaWrite};

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

    /// Returns whether a thread that works for long under a lock of the VMA should release it soon:
    /// a writer waits for the VMA lock, anybody for the mmap lock, or a fatal signal is pending.
    ///
    /// It does not know which of the two locks is held. So a thread that has only the VMA lock may
    /// release it where the mmap lock is busy, and take it again.
    ///
    /// C: `vm_area_struct::vm_refcnt`, `mmap_lock_is_contended()`, `fatal_signal_pending()`.
    #[inline]
    pub fn should_unlock(&self) -> bool {
        self.is_waited_for::<()>()
    }

    /// See [`VmaRef::should_unlock`]. Out of line, and generic in nothing, so that only the object
    /// of the caller has it, once.
    #[inline(never)]
    #[expect(clippy::extra_unused_type_parameters)]
    fn is_waited_for<Nothing>(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid, and so is its address space.
        let is_contended = unsafe { bindings::vma_lock_is_contended(self.as_ptr()) };
        is_contended || current!().fatal_signal_pending()
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
    pub fn linear_page_index(&self, addr: usize) -> usize {
        // SAFETY: By the type invariants the VMA is valid, and a lock of it is held.
        let first = unsafe { (*self.as_ptr()).vm_pgoff };
        first.wrapping_add(addr.wrapping_sub(self.start()) >> PAGE_SHIFT)
    }

    /// Returns the offset in its file of the page that is mapped at `addr`, in bytes.
    #[inline]
    pub(super) fn byte_offset(&self, addr: usize) -> i64 {
        // CAST: The offset of a page in a file fits, in bytes, or was refused when it was mapped.
        (self.linear_page_index(addr) as i64) << PAGE_SHIFT
    }

    /// Returns whether it is anonymous memory that is shared.
    ///
    /// C: `vma_is_anon_shmem()`.
    #[inline]
    pub fn is_anon_shmem(&self) -> bool {
        // SAFETY: By the type invariants the VMA is valid.
        unsafe { bindings::vma_is_anon_shmem(self.as_ptr()) }
    }

    /// Returns the name of the VMA, or null.
    ///
    /// C: `anon_vma_name()` of `mm/madvise.c`.
    #[cfg(CONFIG_ANON_VMA_NAME)]
    #[inline]
    pub fn anon_vma_name(&self) -> *mut bindings::anon_vma_name {
        self.assert_locked();
        // SAFETY: By the type invariants the VMA is valid and a lock of it is held, under which its
        // name stays.
        unsafe { (*self.as_ptr()).anon_name }
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

    /// Returns whether the VMA is one of `mm`.
    #[inline]
    pub(super) fn is_of(&self, mm: &MmWithUser) -> bool {
        self.mm().as_raw() == mm.as_raw()
    }

    /// Checks that a range lies in the VMA.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it does not.
    #[inline]
    pub(super) fn check_range(&self, range: PageRange) -> Result {
        if range.start() < self.start() || self.end() < range.end() {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// All addresses of the VMA.
    #[inline]
    pub(super) fn range(&self) -> PageRange {
        // SAFETY:
        // - The bounds of a VMA are multiples of the page size.
        // - No VMA is empty.
        unsafe { PageRange::new_unchecked(self.start(), self.end()) }
    }

    /// Warns when neither the mmap lock nor the lock of the VMA is held.
    ///
    /// C: `mmap_assert_locked()`, `vma_assert_locked()`.
    #[inline]
    pub(super) fn assert_locked(&self) {
        // SAFETY: By the type invariants the VMA is valid, and so is its address space.
        unsafe { bindings::vma_assert_any_locked(self.as_ptr()) };
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
    /// Returns whether the VMA can have a name: its memory is anonymous, shared or not.
    #[inline]
    pub fn can_have_name(&self) -> bool {
        self.file().is_none() || self.is_anon_shmem()
    }

    /// Returns whether the name of the VMA is `name`.
    ///
    /// C: `anon_vma_name_eq()`.
    #[inline]
    pub fn has_name(&self, name: Option<&AnonVmaName>) -> bool {
        // SAFETY: By the type invariants the VMA is valid and the mmap lock is held, under which
        // its name does not go away.
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
/// Methods that release the lock consume this, as the VMA may be gone afterwards. They take the
/// lock again before anyone else sees the guard.
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

    /// Tells the file system that `range` will be needed soon. Releases the lock meanwhile.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, or there is no file; and errors of the file
    /// system.
    ///
    /// C: `vfs_fadvise()` with `POSIX_FADV_WILLNEED`.
    #[inline]
    pub fn will_need(self, range: PageRange) -> Result {
        self.check_range(range)?;
        let file = ARef::from(self.file().ok_or(EINVAL)?);
        let offset = self.byte_offset(range.start());
        let mm = self.mm().as_raw();
        // SAFETY: By the type invariants the lock is held.
        unsafe { bindings::mmap_read_unlock(mm) };
        let result = file.will_need(offset, range.size());
        // SAFETY: The caller keeps the address space, which the guard borrows.
        unsafe { bindings::mmap_read_lock(mm) };
        result
    }

    /// Frees the storage of `range` in the file, which reads as zero afterwards, and tells
    /// userfaultfd before. Releases the lock meanwhile.
    ///
    /// # Errors
    ///
    /// - `EINVAL` when the range does not lie in the VMA, or it maps no file that has pages.
    /// - `EACCES` when the mapping is private, or the file was not opened for writing.
    /// - `EINTR` when the current thread exits.
    /// - Errors of the file system, such as `EOPNOTSUPP`.
    ///
    /// C: `userfaultfd_remove()`, `vfs_fallocate()`.
    #[inline]
    pub fn punch_hole(self, range: PageRange) -> Result {
        const WRITABLE: VmFlags = VmFlags::SHARED.union(VmFlags::MAYWRITE);

        self.check_range(range)?;
        let file = self.file().filter(|file| file.has_pages()).ok_or(EINVAL)?;
        if !self.vm_flags().contains(WRITABLE) {
            return Err(EACCES);
        }
        let file = ARef::from(file);
        let offset = self.byte_offset(range.start());
        let mm = self.mm().as_raw();
        if self.userfaultfd_remove(range)? {
            // SAFETY: The function says that it did not release the lock.
            unsafe { bindings::mmap_read_unlock(mm) };
        }
        let result = file.punch_hole(offset, range.size());
        // SAFETY: The caller keeps the address space, which the guard borrows.
        unsafe { bindings::mmap_read_lock(mm) };
        result
    }

    /// Tells userfaultfd that the content of `range` is about to be removed. Returns whether the
    /// lock is still held; if not, the VMA may be gone.
    ///
    /// # Errors
    ///
    /// `EINTR` when the current thread exits, which cannot wait for an answer. The lock is held
    /// then.
    #[inline]
    fn userfaultfd_remove(&self, range: PageRange) -> Result<bool> {
        if current!().is_exiting() {
            return Err(EINTR);
        }
        // SAFETY: The VMA is valid, and the mmap lock is held for reading.
        Ok(unsafe { bindings::userfaultfd_remove(self.as_ptr(), range.start(), range.end()) })
    }

    /// Tells userfaultfd that the content of `range` is about to be dropped, which may release the
    /// lock: [`Announced`] has the VMA that is there afterwards.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA; `EINTR` when the current thread exits.
    ///
    /// C: `userfaultfd_remove()`, `vma_lookup()`.
    #[inline]
    pub fn announce_removal(self, range: PageRange) -> Result<Announced<'g>> {
        self.check_range(range)?;
        let mm = self.mm().as_raw();
        if self.userfaultfd_remove(range)? {
            return Ok(Announced::Same(self));
        }
        // SAFETY: The address space has users; the function released the lock.
        unsafe { bindings::mmap_read_lock(mm) };
        // SAFETY: The lock was just taken.
        let vma = unsafe { bindings::vma_lookup(mm, range.start()) };
        // SAFETY: The VMA is in the tree, and the guard, which is still borrowed exclusively, owns
        // the lock that was taken in place of the old one.
        let vma = NonNull::new(vma).map(|vma| unsafe { Self::from_raw(vma) });
        Ok(Announced::LockDropped(vma))
    }

    /// Makes huge pages of the memory of `range`, which may release the lock.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA, or the VMA cannot have huge pages;
    /// `ENOMEM`, `EBUSY`, `EAGAIN` when one could not be made.
    ///
    /// C: `madvise_collapse()`.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    #[inline]
    pub fn collapse(self, range: PageRange) -> Result {
        self.check_range(range)?;
        let mut lock_dropped = false;
        // SAFETY: The VMA is valid, and the mmap lock is held for reading. The function takes it
        // again if it releases it; the VMA, which may be gone then, is not used any more.
        crate::error::to_result(unsafe {
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
