// SPDX-License-Identifier: GPL-2.0

//! Guard regions below the policy: the flag, the markers, and their removal.
//!
//! A guard is a marker in a page table entry that makes each access to the page fatal.
//! [`VmFlags::MAYBE_GUARD`] says that a VMA may hold some. [`VmaWrite::set_maybe_guard`] sets it;
//! the state that it returns, [`VmaMaybeGuard`], is what [`VacantRun::install`] and
//! [`MissingTable::allocate_guards`] want. [`GuardRemoval`] removes markers, and
//! [`VmaWrite::try_clear_maybe_guard`] clears the flag.
//!
//! C header: [`include/linux/rust_vma.h`](srctree/vma/include/linux/rust_vma.h)

use crate::mm::additions::bindings;
use crate::{
    error::{
        code::{EAGAIN, EINVAL},
        to_result, Result,
    },
    mm::{
        page_table::{private, table_span, Entries, MissingTable, Places, Step, Walkable},
        virt::VmaRef,
        PageRange, VmFlags, VmaWrite,
    },
};
use core::ops::Deref;

mod removal;

pub use removal::GuardRemoval;

impl VmaRef {
    /// Returns whether the VMA may hold guard regions. Without the flag there are none for certain.
    #[inline]
    pub fn has_maybe_guard(&self) -> bool {
        self.vm_flags().intersects(VmFlags::MAYBE_GUARD)
    }

    /// Returns the VMA as one to install guard markers in, if it is one already: if nothing in it
    /// must change before.
    #[inline]
    pub fn maybe_guard(&self) -> Option<VmaMaybeGuard<'_>> {
        let is_ready = self.has_maybe_guard()
            && self.is_ordinary()
            && (self.has_anon_vma() || !self.is_anonymous());
        // SAFETY:
        // - A lock of the VMA is held while it is borrowed.
        // - The VMA was just seen to be as it must be. Under a lock of it, it stays so: only a new
        //   VMA becomes special, and an anon_vma is kept.
        is_ready.then(|| unsafe { VmaMaybeGuard::new(self) })
    }
}

/// A VMA that may hold guard regions, under any of its locks.
///
/// [`VmFlags::MAYBE_GUARD`] is set and cleared under the mmap write lock and the VMA write lock
/// together. So the flag stays while this is borrowed, even from a read lock; and a thread that
/// waits to clear it will see every marker that was installed. Page table locks serialise
/// installation, page faults, and the freeing of tables: khugepaged, which frees tables without a
/// lock that would wait for this one, looks at the flag under them.
///
/// # Invariants
///
/// - A lock of the VMA is held during `'g`.
/// - The VMA is ordinary memory, and [`VmFlags::MAYBE_GUARD`] is set.
/// - It has an anon_vma if it is anonymous.
pub struct VmaMaybeGuard<'g> {
    vma: &'g VmaRef,
}

impl<'g> VmaMaybeGuard<'g> {
    /// Makes the state of a VMA that is in it.
    ///
    /// # Safety
    ///
    /// - A lock of the VMA must be held during `'g`.
    /// - The VMA must be ordinary memory that has the flag, with an anon_vma if it is anonymous.
    #[inline]
    unsafe fn new(vma: &'g VmaRef) -> Self {
        // INVARIANT: The caller promises it.
        Self { vma }
    }

    /// Unmaps `range`. Guard markers stay.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range does not lie in the VMA.
    #[doc(alias = "zap_vma_range")]
    #[inline]
    pub fn zap(&self, range: PageRange) -> Result {
        self.check_range(range)?;
        // SAFETY:
        // - By the type invariants the VMA is valid, and a lock of it is held.
        // - The range lies in it.
        unsafe { bindings::zap_vma_range(self.as_ptr(), range.start(), range.size()) };
        Ok(())
    }
}

impl Deref for VmaMaybeGuard<'_> {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        self.vma
    }
}

impl private::Sealed for VmaMaybeGuard<'_> {}

impl Walkable for VmaMaybeGuard<'_> {
    const ALLOCATE: bool = true;

    #[inline]
    fn vma(&self) -> &VmaRef {
        self
    }
}

impl<'g> VmaWrite<'g> {
    /// Sets [`VmFlags::MAYBE_GUARD`], so that guard markers can be installed.
    ///
    /// This comes before the first marker, so that a thread that sees a marker under the page table
    /// lock sees the flag, too.
    ///
    /// An anonymous VMA gets an anon_vma unless it has one (C: `anon_vma_prepare()`): everywhere in
    /// mm, page tables of anonymous memory that hold something go with an anon_vma. Those of a file
    /// need none: the flag alone makes `fork()` copy them and khugepaged keep them.
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
        // SAFETY:
        // - By the type invariants the VMA is valid and write-locked.
        // - The flag only says that page tables may hold guard markers, which ordinary memory may.
        unsafe { bindings::vma_flags_reset_once(self.as_ptr(), flags.bits()) };
        // SAFETY:
        // - By the type invariants the mmap lock is held during `'g`.
        // - The VMA was seen to be ordinary memory, was given the flag, and has an anon_vma if it
        //   is anonymous.
        Ok(unsafe { VmaMaybeGuard::new(self.into_mmap_locked()) })
    }

    /// Clears [`VmFlags::MAYBE_GUARD`], unless there are guards. Returns whether it is clear.
    ///
    /// All page tables of the VMA are looked at where `removal` cannot tell that no guard is left:
    /// it did not go through all of the VMA, or guards were installed meanwhile, in whichever VMA.
    /// In a large VMA the flag stays when others wait for the locks before all tables were seen.
    #[inline]
    pub fn try_clear_maybe_guard(self, removal: &GuardRemoval<'_>) -> bool {
        let is_clear = removal.is_complete_for(&self) || removal::has_no_guards(&self);
        if is_clear {
            // SAFETY:
            // - By the type invariants the VMA is valid and write-locked.
            // - No marker is left, and none comes in, as installation needs a lock of the VMA.
            unsafe { bindings::vm_flags_clear(self.as_ptr(), VmFlags::MAYBE_GUARD.bits()) };
        }
        is_clear
    }
}

impl MissingTable<'_, VmaMaybeGuard<'_>> {
    /// As [`MissingTable::allocate`], but when all of the table lies in the range of the walk, it
    /// is full of guard markers from the first moment on.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory.
    #[inline]
    pub fn allocate_guards(&self) -> Result<Step> {
        if self.range().size() != table_span() {
            return self.allocate();
        }
        let (mm, addr) = (self.vma().mm().as_raw(), self.range().start());
        // SAFETY:
        // - By the type invariants `pmd` is an entry of the VMA, of which a lock is held.
        // - All of the table is for the range of the walk, and so for the VMA.
        // - The VMA has the flag that announces the markers.
        match to_result(unsafe { bindings::pte_alloc_guards(mm, self.pmd(), addr) }) {
            Ok(()) => Ok(Step::Next),
            Err(e) if e == EAGAIN => Ok(Step::Again),
            Err(e) => Err(e),
        }
    }
}

/// Entries in a row that are alike, as far as an installation goes.
pub enum Run<'e, V> {
    /// Entries that hold no memory.
    Vacant(VacantRun<'e, V>),
    /// Entries with guard markers.
    Guards,
    /// An entry that holds memory, or what is left of it, at this address.
    Other(usize),
}

/// Entries in a row that hold no memory: empty ones, and markers of userfaultfd's write protection.
///
/// # Invariants
///
/// No entry is present or refers to memory, in swap or elsewhere; none is a guard.
pub struct VacantRun<'e, V>(Places<'e, V>);

/// Guard markers in a row.
///
/// # Invariants
///
/// The entries hold guard markers.
pub struct GuardRun<'e, V>(Places<'e, V>);

impl<V: Walkable> Entries<'_, V> {
    /// The next entries that are alike, as far as an installation goes; `None` at the end.
    #[inline]
    pub fn next_run(&mut self) -> Option<Run<'_, V>> {
        let ptep = self.advance()?;
        let max = self.left();
        // SAFETY: The table has `max` entries from `ptep` on, which are locked.
        let n = unsafe { bindings::ptes_vacant(ptep, max) };
        if n > 0 {
            // SAFETY: The function returns no more than `max`.
            let places = unsafe { self.take(n) };
            // INVARIANT: The function returns the number of entries that hold no memory.
            return Some(Run::Vacant(VacantRun(places)));
        }
        // SAFETY: As above.
        let n = unsafe { bindings::ptes_guard(ptep, max) };
        if n > 0 {
            // SAFETY: As above.
            unsafe { self.take(n) };
            return Some(Run::Guards);
        }
        // SAFETY: There is an entry.
        Some(Run::Other(unsafe { self.take(1) }.addr()))
    }

    /// The next guards in a row; `None` when there are none up to the end.
    #[inline]
    pub fn next_guards(&mut self) -> Option<GuardRun<'_, V>> {
        loop {
            let ptep = self.advance()?;
            let max = self.left();
            // SAFETY: The table has `max` entries from `ptep` on, which are locked.
            let n = unsafe { bindings::ptes_guard(ptep, max) };
            if n > 0 {
                // SAFETY: The function returns no more than `max`.
                let places = unsafe { self.take(n) };
                // INVARIANT: The function returns the number of entries that are guards.
                return Some(GuardRun(places));
            }
            // SAFETY: As above.
            let n = unsafe { bindings::ptes_not_guard(ptep, max) };
            // SAFETY: As above.
            unsafe { self.take(n) };
        }
    }
}

impl VacantRun<'_, VmaMaybeGuard<'_>> {
    /// Installs guard markers, so that every access to the pages is fatal.
    #[inline]
    pub fn install(self) {
        let (addr, ptep, n) = (self.0.addr(), self.0.ptep(), self.0.len());
        // SAFETY:
        // - By the type invariants the entries are those of the VMA and locked.
        // - They hold no memory, so that nothing is lost.
        // - The VMA has the flag that announces the markers.
        unsafe { bindings::ptes_install_guard(self.0.vma().as_ptr(), addr, ptep, n) };
    }
}

impl<V: Walkable> GuardRun<'_, V> {
    /// Removes the markers, so that the pages can be faulted in again.
    #[inline]
    pub fn remove(self) {
        let (addr, ptep, n) = (self.0.addr(), self.0.ptep(), self.0.len());
        // SAFETY:
        // - By the type invariants the entries are those of the VMA and locked.
        // - They hold guard markers, which stand for no memory.
        unsafe { bindings::ptes_clear_guard(self.0.vma().vma().as_ptr(), addr, ptep, n) };
    }
}
