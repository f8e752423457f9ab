// SPDX-License-Identifier: GPL-2.0

//! Files that are mapped.

use super::{
    folio::Folio,
    space::{all, next_id},
};
use crate::{
    error::Result,
    locks::{self, Lock},
    model,
    page::PAGE_SHIFT,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// What a file is like.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FileKind {
    pub shmem: bool,
    /// Shared memory that has no name: of `mmap()` without a file.
    pub anon_shmem: bool,
    pub dax: bool,
    pub has_pages: bool,
    pub owned_or_writable: bool,
    pub punch_hole: Result,
}

impl Default for FileKind {
    fn default() -> Self {
        Self {
            shmem: false,
            anon_shmem: false,
            dax: false,
            has_pages: true,
            owned_or_writable: true,
            punch_hole: Ok(()),
        }
    }
}

/// An open file.
#[derive(Clone)]
pub struct VmaFile(Rc<Inner>);

struct Inner {
    id: u64,
    kind: FileKind,
    pages: RefCell<BTreeMap<usize, Folio>>,
    swapped: RefCell<BTreeSet<usize>>,
}

impl core::fmt::Debug for VmaFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "file {} {:?}", self.id(), self.kind())
    }
}

impl VmaFile {
    /// Makes a file.
    pub fn new(kind: FileKind) -> Self {
        Self(Rc::new(Inner {
            id: next_id(),
            kind,
            pages: RefCell::default(),
            swapped: RefCell::default(),
        }))
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// What it is like.
    pub fn kind(&self) -> FileKind {
        self.0.kind
    }

    /// The page of a number, read or made now.
    pub fn page(&self, offset: usize) -> Folio {
        self.0.swapped.borrow_mut().remove(&offset);
        let mut pages = self.0.pages.borrow_mut();
        pages
            .entry(offset)
            .or_insert_with(|| Folio::new_file(1))
            .clone()
    }

    /// Whether it has a page of that number in memory.
    pub fn has_page(&self, offset: usize) -> bool {
        self.0.pages.borrow().contains_key(&offset)
    }

    /// Puts a page of shared memory into swap.
    pub fn swap_out(&self, offset: usize) {
        self.0.pages.borrow_mut().remove(&offset);
        self.0.swapped.borrow_mut().insert(offset);
    }

    #[cfg(CONFIG_SWAP)]
    pub(in crate::mm) fn swapped(&self, first: usize, n: usize) -> Vec<usize> {
        self.0
            .swapped
            .borrow()
            .range(first..first + n)
            .copied()
            .collect()
    }

    /// Whether it is shared memory.
    pub fn is_shmem(&self) -> bool {
        self.0.kind.shmem
    }

    /// Whether it has pages that are its content.
    pub fn has_pages(&self) -> bool {
        self.0.kind.has_pages
    }

    /// Whether it is mapped straight from its storage.
    pub fn is_dax(&self) -> bool {
        self.0.kind.dax
    }

    /// Whether the thread owns the file or could open it for writing; may sleep.
    #[track_caller]
    pub fn is_owned_or_writable(&self) -> bool {
        locks::might_sleep("to look at permissions");
        self.0.kind.owned_or_writable
    }

    /// Tells the file system that a part will be needed soon; may sleep.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[track_caller]
    pub fn will_need(&self, offset: i64, len: usize) -> Result {
        require_no_mmap_lock("to read a file");
        model::log(model::Event::WillNeed(self.id(), offset, len));
        self.0.kind.punch_hole
    }

    /// Frees what is stored; may sleep.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    #[track_caller]
    pub fn punch_hole(&self, offset: i64, len: usize) -> Result {
        require_no_mmap_lock("to make a hole");
        self.0.kind.punch_hole?;
        model::log(model::Event::PunchHole(self.id(), offset, len));
        let first = usize::try_from(offset).expect("an offset") >> PAGE_SHIFT;
        let n = len >> PAGE_SHIFT;
        self.0
            .pages
            .borrow_mut()
            .retain(|page, _| !(first..first + n).contains(page));
        self.0
            .swapped
            .borrow_mut()
            .retain(|page| !(first..first + n).contains(page));
        for mm in all() {
            mm.with(|space| space.unmap_file(self.id(), first, n));
        }
        Ok(())
    }
}

/// The locks of a file come before the mmap lock.
#[track_caller]
fn require_no_mmap_lock(what: &str) {
    locks::might_sleep(what);
    let held = |lock: &Lock| {
        matches!(
            lock,
            Lock::MmapRead(_) | Lock::MmapWrite(_) | Lock::VmaRead(..)
        )
    };
    locks::require(!locks::held().iter().any(held), || {
        format!("{what} takes locks that come before the mmap lock")
    });
}
