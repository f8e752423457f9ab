// SPDX-License-Identifier: GPL-2.0

//! Pages in swap.
//!
//! C headers: [`include/linux/swapops.h`](srctree/include/linux/swapops.h), `mm/swap.h`

use crate::mm::additions::bindings;
#[cfg(CONFIG_SWAP)]
use crate::{
    mm::{file::VmaFile, virt::VmaRef, PageRange},
    page::PAGE_SHIFT,
    sync::rcu,
    types::NotThreadSafe,
};

/// The place of a page in swap. It may have been freed by the time it is looked at.
///
/// # Invariants
///
/// It is or was a place in swap, rather than what else is kept in its form.
#[derive(Copy, Clone)]
pub struct SwapEntry(pub(super) bindings::swp_entry_t);

/// Reads pages from swap ahead of their use, without waiting for them.
///
/// # Invariants
///
/// `ctx` holds reads of the swap layer that are still to be submitted, if any.
#[cfg(CONFIG_SWAP)]
pub struct SwapReader {
    ctx: bindings::swap_io_ctx,
    _nts: NotThreadSafe,
}

#[cfg(CONFIG_SWAP)]
impl SwapReader {
    /// Hands a reader to `work`, and submits the reads afterwards, which may sleep. So what is
    /// returned borrows nothing that is locked.
    #[inline]
    pub fn scope<R: 'static>(work: impl FnOnce(&mut Self) -> R) -> R {
        // INVARIANT: There are no reads.
        work(&mut Self {
            ctx: bindings::swap_io_ctx::default(),
            _nts: NotThreadSafe,
        })
    }

    /// Begins to read the page at `entry`, to be mapped at `addr` in `vma`; may sleep. It is no
    /// error when there is no such page any more, or no memory for it.
    ///
    /// C: `read_swap_cache_async()`.
    #[inline]
    pub fn read(&mut self, vma: &VmaRef, addr: usize, entry: SwapEntry) {
        self.read_for::<()>(vma, addr, entry, bindings::GFP_HIGHUSER_MOVABLE);
    }

    /// See [`SwapReader::read`]. Out of line, and generic in nothing, so that only the object of
    /// the caller has it, once.
    #[inline(never)]
    #[expect(clippy::extra_unused_type_parameters)]
    fn read_for<Nothing>(
        &mut self,
        vma: &VmaRef,
        addr: usize,
        entry: SwapEntry,
        gfp: bindings::gfp_t,
    ) {
        // SAFETY: The VMA is valid; the function checks that the entry is still in use. By the type
        // invariants the reads are those of the swap layer.
        let folio = unsafe {
            bindings::read_swap_cache_async(&mut self.ctx, entry.0, gfp, vma.as_ptr(), addr)
        };
        if !folio.is_null() {
            // SAFETY: The function returned a reference, which is given up here.
            unsafe { bindings::folio_put(folio) };
        }
    }

    /// Begins to read the pages of shared memory, which is mapped by `vma` in `range`, that are in
    /// swap; may sleep. Does nothing if the file is another one: its values mean something else.
    #[inline]
    pub fn read_shmem(&mut self, vma: &VmaRef, range: PageRange, file: &VmaFile) {
        if !file.is_shmem() {
            return;
        }
        let mapping = file.mapping();
        let first = vma.linear_page_index(range.start());
        let last = vma.linear_page_index(range.end()).wrapping_sub(1);
        // SAFETY: The mapping of an open file is valid.
        let gfp = unsafe { bindings::mapping_gfp_mask(mapping) };
        let mut xas = bindings::xa_state {
            // SAFETY: As above.
            xa: unsafe { &raw mut (*mapping).i_pages },
            xa_index: first,
            // CAST: The value with which C makes a state that begins at the root.
            xa_node: bindings::XAS_RESTART as *mut bindings::xa_node,
            ..Default::default()
        };

        let mut rcu = rcu::read_lock();
        // SAFETY: The state is one of the array of the mapping, and the RCU lock is held.
        let mut item = unsafe { bindings::xas_find(&mut xas, last) };
        while !item.is_null() {
            if let Some(entry) = shmem_swap_entry(item) {
                let page = xas.xa_index.wrapping_sub(first);
                let addr = range.start().wrapping_add(page << PAGE_SHIFT);
                // SAFETY: As above. The state does not refer to the array from here on.
                unsafe { bindings::xas_pause(&mut xas) };
                drop(rcu);
                self.read_for::<()>(vma, addr, entry, gfp);
                rcu = rcu::read_lock();
            }
            // SAFETY: As above.
            item = unsafe { bindings::xas_next_entry(&mut xas, last) };
        }
        drop(rcu);
    }
}

#[cfg(CONFIG_SWAP)]
impl Drop for SwapReader {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reads are those of the swap layer.
        unsafe { bindings::swap_read_submit(&mut self.ctx) };
    }
}

/// Returns the place in swap that an item of the pages of shared memory stands for, if it does.
#[cfg(CONFIG_SWAP)]
#[inline]
fn shmem_swap_entry(item: *mut crate::ffi::c_void) -> Option<SwapEntry> {
    // SAFETY: Looks at the pointer only.
    if !unsafe { bindings::xa_is_value(item) } {
        return None;
    }
    // SAFETY: The item is a value.
    let val = unsafe { bindings::radix_to_swp_entry(item) };
    // SAFETY: Looks at the value only. What is none of swap stands for a page that could not be
    // read.
    let is_swap = unsafe { bindings::softleaf_is_swap(val) };
    // INVARIANT: It was checked.
    is_swap.then_some(SwapEntry(bindings::swp_entry_t { val }))
}
