// SPDX-License-Identifier: GPL-2.0

//! Names that userspace gives to anonymous VMAs.
//!
//! C headers: [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h),
//! [`include/linux/mm_inline.h`](srctree/include/linux/mm_inline.h)

use crate::mm::additions::bindings;
use crate::{
    alloc::{allocator::Kmalloc, flags::GFP_KERNEL, AllocError, Allocator, NumaNode},
    error::{code::EINVAL, Result},
    str::CStr,
    sync::aref::{ARef, AlwaysRefCounted},
    types::Opaque,
};
use core::{
    alloc::Layout,
    ptr::{null_mut, NonNull},
};

/// A name, shared by the VMAs that have it.
///
/// # Invariants
///
/// The reference count is not zero while a reference to this type lives. It has no more than
/// [`AnonVmaName::MAX_LEN`] bytes, each a printable character of ASCII that has no meaning in the
/// places where names are shown.
#[repr(transparent)]
pub struct AnonVmaName(Opaque<bindings::anon_vma_name>);

// SAFETY: `anon_vma_name_get()` and `anon_vma_name_put()` count references.
unsafe impl AlwaysRefCounted for AnonVmaName {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the name is valid.
        unsafe { bindings::anon_vma_name_get(self.0.get()) };
    }

    #[inline]
    unsafe fn dec_ref(name: NonNull<Self>) {
        // SAFETY: The caller gives its reference up.
        unsafe { bindings::anon_vma_name_put(name.cast().as_ptr()) };
    }
}

impl AnonVmaName {
    /// The size of the longest name, in bytes, with the zero at its end.
    ///
    /// C: `ANON_VMA_NAME_MAX_LEN`.
    pub const MAX_LEN: usize = 80;

    /// Makes a name.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is too long or has other characters than it may; `ENOMEM` when there is no
    /// memory.
    #[inline]
    pub fn new(name: &CStr) -> Result<ARef<Self>> {
        let is_valid = |byte: &u8| {
            matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'`' | b'$' | b'[' | b']')
        };
        if name.to_bytes_with_nul().len() > Self::MAX_LEN || !name.to_bytes().iter().all(is_valid) {
            return Err(EINVAL);
        }
        let raw = Self::alloc(name)?;
        // SAFETY: The reference with which it was made goes to the caller.
        Ok(unsafe { ARef::from_raw(raw.cast()) })
    }

    /// Makes a name with one reference, which the caller gets.
    ///
    /// C: `anon_vma_name_alloc()`.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    #[inline]
    pub fn alloc(name: &CStr) -> Result<NonNull<bindings::anon_vma_name>, AllocError> {
        let bytes = name.to_bytes_with_nul();
        let raw: NonNull<bindings::anon_vma_name> =
            Kmalloc::alloc(Self::layout(bytes.len())?, GFP_KERNEL, NumaNode::NO_NODE)?.cast();
        let ptr = raw.as_ptr();
        // SAFETY: `ptr` is valid for writes.
        unsafe { bindings::kref_init(&raw mut (*ptr).kref) };
        // SAFETY: There is room for `bytes` behind the reference count.
        unsafe {
            (&raw mut (*ptr).name)
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        Ok(raw)
    }

    /// The memory of a name with `len` bytes, of which the last is zero.
    #[inline]
    fn layout(len: usize) -> Result<Layout, AllocError> {
        let header = Layout::new::<bindings::anon_vma_name>();
        let text = Layout::array::<u8>(len).map_err(|_| AllocError)?;
        Ok(header.extend(text).map_err(|_| AllocError)?.0)
    }

    /// Frees a name that no one refers to.
    ///
    /// C: `anon_vma_name_free()`.
    ///
    /// # Safety
    ///
    /// `kref` must be that of a name made by [`AnonVmaName::alloc`], and zero.
    #[inline]
    pub unsafe fn free(kref: NonNull<bindings::kref>) {
        // The reference count is the first field.
        const _: () = assert!(core::mem::offset_of!(bindings::anon_vma_name, kref) == 0);
        // SAFETY: The caller promises that no one uses the name; the layout is of no matter to
        // this allocator.
        unsafe { Kmalloc::free(kref.cast(), Layout::new::<bindings::anon_vma_name>()) };
    }

    /// Returns a pointer with a reference of its own, for a VMA to keep: to this name or, when that
    /// has nearly too many references, to a copy; null when there is no memory for the copy.
    ///
    /// C: `anon_vma_name_reuse()`.
    #[inline]
    pub(super) fn reuse(&self) -> *mut bindings::anon_vma_name {
        // SAFETY: By the type invariants the name is valid.
        unsafe { bindings::anon_vma_name_reuse(self.0.get()) }
    }

    #[inline]
    pub(super) fn as_raw(name: Option<&Self>) -> *mut bindings::anon_vma_name {
        name.map_or(null_mut(), |name| name.0.get())
    }
}
