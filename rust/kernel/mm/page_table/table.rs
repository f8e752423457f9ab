// SPDX-License-Identifier: GPL-2.0

//! Page tables of the lowest level, and the states of a VMA in which they are reached.

use crate::mm::additions::bindings;
use crate::{
    error::{code::ENOMEM, Result},
    mm::{
        tlb::{AnonGather, VmaGather},
        virt::VmaRef,
        PageRange,
    },
};

/// A state of a VMA in which its page tables can be walked over.
///
/// The trait is for the types of this crate only.
pub trait Walkable: private::Sealed {
    /// Whether missing tables are allocated on the way down; otherwise the walk passes over the
    /// hole.
    const ALLOCATE: bool = false;

    /// The VMA under any of its locks.
    fn vma(&self) -> &VmaRef;

    /// The addresses that may be walked over.
    #[inline]
    fn bounds(&self) -> PageRange {
        self.vma().range()
    }
}

impl Walkable for VmaRef {
    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for VmaGather<'_> {
    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl Walkable for AnonGather<'_> {
    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }

    #[inline]
    fn bounds(&self) -> PageRange {
        self.range()
    }
}

pub(in crate::mm) mod private {
    use super::{AnonGather, VmaGather, VmaRef};

    pub trait Sealed {
        /// Notes the size of the pages that change from here on, in bytes.
        #[inline]
        fn change_page_size(&self, _: usize) {}
    }

    impl Sealed for VmaRef {}

    impl Sealed for VmaGather<'_> {
        #[inline]
        fn change_page_size(&self, size: usize) {
            VmaGather::change_page_size(self, size);
        }
    }

    impl Sealed for AnonGather<'_> {
        #[inline]
        fn change_page_size(&self, size: usize) {
            VmaGather::change_page_size(self, size);
        }
    }
}

/// What a [`walk`](super::walk) does next.
pub enum Step {
    /// Go on behind what was visited.
    Next,
    /// Look at the same place again, as it has changed.
    Again,
    /// End the walk.
    Stop,
}

/// The address space that a page table of the lowest level is for, in bytes: a power of two.
///
/// C: `PMD_SIZE`.
#[inline]
pub fn table_span() -> usize {
    // SAFETY: There are no requirements.
    unsafe { bindings::pmd_size() }
}

/// A page table of the lowest level, as far as it lies in the range of the walk.
///
/// # Invariants
///
/// `pmd` is the entry for `range` in the page tables of `vma`. Whether it still refers to a table
/// is known under the lock only.
pub struct Table<'a, V> {
    pub(super) vma: &'a V,
    pub(super) pmd: *mut bindings::pmd_t,
    pub(super) range: PageRange,
}

impl<V: Walkable> Table<'_, V> {
    /// The addresses that the entries are for.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.range
    }

    /// The VMA, in the state in which it is walked over.
    #[inline]
    pub fn vma(&self) -> &V {
        self.vma
    }
}

/// The place of a missing table.
///
/// # Invariants
///
/// The invariants of [`Table`]. When it was looked at, without a lock, the entry `pmd` was empty.
pub struct MissingTable<'a, V>(pub(super) Table<'a, V>);

impl<V: Walkable> MissingTable<'_, V> {
    /// The addresses that the entries would be for.
    #[inline]
    pub fn range(&self) -> PageRange {
        self.0.range
    }

    /// The VMA, in the state in which it is walked over.
    #[inline]
    pub fn vma(&self) -> &V {
        self.0.vma
    }

    #[inline]
    pub(in crate::mm) fn pmd(&self) -> *mut bindings::pmd_t {
        self.0.pmd
    }

    /// Allocates the table. It is looked at next, or what a page fault has put there by then.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory.
    #[doc(alias = "pte_alloc")]
    #[inline]
    pub fn allocate(&self) -> Result<Step> {
        // SAFETY: By the type invariants `pmd` is an entry of the VMA, of which a lock is held.
        match unsafe { bindings::pte_alloc(self.0.vma.vma().mm().as_raw(), self.0.pmd) } {
            0 => Ok(Step::Again),
            _ => Err(ENOMEM),
        }
    }
}
