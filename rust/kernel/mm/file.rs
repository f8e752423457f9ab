// SPDX-License-Identifier: GPL-2.0

//! Files that are mapped.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/shmem_fs.h`](srctree/include/linux/shmem_fs.h)

use crate::mm::additions::bindings;
use crate::{
    error::{to_result, Result},
    sync::aref::AlwaysRefCounted,
    types::Opaque,
};
use core::ptr::NonNull;

/// An open file that is or was mapped.
///
/// # Invariants
///
/// The file is open while a reference to this type lives.
#[repr(transparent)]
pub struct VmaFile(Opaque<bindings::file>);

// SAFETY: `get_file()` adds a reference and `fput()` takes one away; the file is closed when none
// is left.
unsafe impl AlwaysRefCounted for VmaFile {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the file is open.
        unsafe { bindings::get_file(self.0.get()) };
    }

    #[inline]
    unsafe fn dec_ref(file: NonNull<Self>) {
        // SAFETY: The caller gives its reference up.
        unsafe { bindings::fput(file.cast().as_ptr()) };
    }
}

impl VmaFile {
    /// Makes a reference of a raw pointer.
    ///
    /// # Safety
    ///
    /// The file must be open during `'a`.
    #[inline]
    pub(super) unsafe fn from_raw<'a>(file: *mut bindings::file) -> &'a Self {
        // SAFETY: The caller promises it; the type is `repr(transparent)`.
        unsafe { &*file.cast() }
    }

    #[inline]
    fn inode(&self) -> *mut bindings::inode {
        // SAFETY: By the type invariants the file is open; it keeps its inode.
        unsafe { (*self.0.get()).f_inode }
    }

    /// The pages of the file. An open file always has a mapping.
    #[inline]
    pub(super) fn mapping(&self) -> *mut bindings::address_space {
        // SAFETY: By the type invariants the file is open; it keeps its mapping.
        unsafe { (*self.0.get()).f_mapping }
    }

    /// Whether it is shared memory: its pages may be in swap.
    #[doc(alias = "shmem_mapping")]
    #[inline]
    pub fn is_shmem(&self) -> bool {
        // SAFETY: The mapping of an open file is valid.
        unsafe { bindings::shmem_mapping(self.mapping()) }
    }

    /// Whether the file has pages that are its content, so that a hole can be punched in it.
    #[inline]
    pub(super) fn has_pages(&self) -> bool {
        // SAFETY: The mapping of an open file is valid.
        !unsafe { (*self.mapping()).host }.is_null()
    }

    /// Whether it is mapped straight from its storage: there is nothing to be read ahead.
    #[doc(alias = "IS_DAX")]
    #[inline]
    pub fn is_dax(&self) -> bool {
        // SAFETY: The inode of an open file is valid.
        unsafe { bindings::IS_DAX(self.inode()) }
    }

    /// Whether the current thread owns the file or could open it for writing; may sleep.
    ///
    /// C: `file_owner_or_capable()`, `file_permission()`.
    #[inline]
    pub fn is_owned_or_writable(&self) -> bool {
        // SAFETY: By the type invariants the file is open.
        if unsafe { bindings::file_owner_or_capable(self.0.get()) } {
            return true;
        }
        // SAFETY: By the type invariants the file is open.
        // CAST: The mask is a small constant.
        unsafe { bindings::file_permission(self.0.get(), bindings::MAY_WRITE as i32) == 0 }
    }

    /// Tells the file system that `len` bytes from `offset` will be needed soon; may sleep.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    ///
    /// C: `vfs_fadvise()` with `POSIX_FADV_WILLNEED`.
    #[inline]
    pub(super) fn will_need(&self, offset: i64, len: usize) -> Result {
        // SAFETY: By the type invariants the file is open.
        // CAST: A length in an address space fits, and the advice is a small constant.
        to_result(unsafe {
            bindings::vfs_fadvise(
                self.0.get(),
                offset,
                len as i64,
                bindings::POSIX_FADV_WILLNEED as i32,
            )
        })
    }

    /// Frees what is stored in `len` bytes from `offset`, which read as zero afterwards; may sleep.
    ///
    /// # Errors
    ///
    /// Errors of the file system, such as `EOPNOTSUPP`.
    ///
    /// C: `vfs_fallocate()`.
    #[inline]
    pub(super) fn punch_hole(&self, offset: i64, len: usize) -> Result {
        let mode = bindings::FALLOC_FL_PUNCH_HOLE | bindings::FALLOC_FL_KEEP_SIZE;
        // SAFETY: By the type invariants the file is open.
        // CAST: The mode is a small constant, and a length in an address space fits.
        to_result(unsafe { bindings::vfs_fallocate(self.0.get(), mode as i32, offset, len as i64) })
    }
}
