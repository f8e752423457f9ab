// SPDX-License-Identifier: GPL-2.0

//! Memory in swap.

/// The place of a page in swap.
#[derive(Copy, Clone, Debug)]
pub struct SwapEntry(pub(super) usize);

#[cfg(CONFIG_SWAP)]
pub use reader::SwapReader;

#[cfg(CONFIG_SWAP)]
mod reader {
    use super::SwapEntry;
    use crate::{
        locks,
        mm::{file::VmaFile, virt::VmaRef, PageRange},
        model::{log, Event},
        page::PAGE_SHIFT,
    };

    /// Reads pages from swap ahead of their use.
    pub struct SwapReader(());

    impl SwapReader {
        /// Hands a reader to `work`, and submits the reads afterwards.
        #[track_caller]
        pub fn scope<R>(work: impl FnOnce(&mut Self) -> R) -> R {
            work(&mut Self(()))
        }

        /// Begins to read the page at `entry`; may sleep.
        #[track_caller]
        pub fn read(&mut self, vma: &VmaRef, addr: usize, entry: SwapEntry) {
            locks::might_sleep("to read from swap");
            vma.require_lock();
            log(Event::SwapRead(addr, entry.0));
        }

        /// Begins to read the pages of shared memory that are in swap; may sleep.
        #[track_caller]
        pub fn read_shmem(&mut self, vma: &VmaRef, range: PageRange, file: &VmaFile) {
            locks::might_sleep("to read from swap");
            let first = vma.linear_page_index(range.start());
            for offset in file.swapped(first, range.size() >> PAGE_SHIFT) {
                log(Event::SwapReadShared(file.id(), offset));
            }
        }
    }

    impl Drop for SwapReader {
        fn drop(&mut self) {
            locks::might_sleep("to submit reads from swap");
        }
    }
}
