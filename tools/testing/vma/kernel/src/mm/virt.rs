// SPDX-License-Identifier: GPL-2.0

//! A VMA under any lock.

use super::{
    file::VmaFile,
    space::{Space, Vma},
    MmWithUser, PageRange, VmFlags,
};
pub use crate::bindings::vm_flags_t;
use crate::{
    current,
    error::{code::EINVAL, Result},
    locks::{self, Lock, Token},
    model::with_env,
    page::{PAGE_SHIFT, TABLE_SIZE},
};

/// A VMA under the mmap lock or its own, for reading or writing.
pub struct VmaRef {
    mm: MmWithUser,
    id: u64,
    file: Option<VmaFile>,
    token: Token,
}

impl VmaRef {
    /// Makes a reference of a raw pointer.
    ///
    /// # Safety
    ///
    /// It must be valid during `'a`.
    #[allow(unsafe_code)]
    pub unsafe fn from_raw<'a>(ptr: *const Self) -> &'a Self {
        // SAFETY: The caller promises it.
        unsafe { &*ptr }
    }

    /// Makes the state of a VMA in `space`, of which a lock is held.
    #[track_caller]
    pub(super) fn new(mm: &MmWithUser, vma: &Vma) -> Self {
        let token = locks::token_for(mm.id(), vma.id);
        locks::require(token.is_some(), || {
            format!("no lock of VMA {} is held", vma.id)
        });
        Self {
            mm: mm.clone(),
            id: vma.id,
            file: vma.file.clone(),
            token: token.expect("it was checked"),
        }
    }

    /// Another reference under the same lock.
    pub(super) fn another(&self) -> Self {
        Self {
            mm: self.mm.clone(),
            file: self.file.clone(),
            ..*self
        }
    }

    /// Whether the locks should be released soon.
    #[track_caller]
    pub fn should_unlock(&self) -> bool {
        self.require_lock();
        let contended = with_env(|env| {
            let contended = env.faults.contended.pop_front() == Some(true);
            env.waited_for |= contended;
            contended
        });
        contended || current!().fatal_signal_pending()
    }

    /// Whether the VMA is one of `mm`.
    pub(super) fn is_of(&self, mm: &MmWithUser) -> bool {
        self.mm.id() == mm.id()
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Panics unless the lock under which the VMA was found is held.
    #[track_caller]
    pub(super) fn require_lock(&self) {
        locks::require(locks::is_held(self.token), || {
            format!("VMA {} is used after its lock was released", self.id)
        });
    }

    #[track_caller]
    fn read<R>(&self, work: impl FnOnce(&Vma) -> R) -> R {
        self.require_lock();
        self.mm
            .with(|space| work(&space.vmas[space.index_of(self.id)]))
    }

    /// Lends all of the address space.
    #[track_caller]
    pub(super) fn space<R>(&self, work: impl FnOnce(&mut Space) -> R) -> R {
        self.require_lock();
        self.mm.with(work)
    }

    /// The address space.
    pub fn mm(&self) -> &MmWithUser {
        &self.mm
    }

    /// The flags, raw.
    #[track_caller]
    pub fn flags(&self) -> vm_flags_t {
        self.vm_flags().bits()
    }

    /// The flags.
    #[track_caller]
    pub fn vm_flags(&self) -> VmFlags {
        self.read(|vma| vma.flags)
    }

    /// The first address.
    #[track_caller]
    pub fn start(&self) -> usize {
        self.read(|vma| vma.start)
    }

    /// The address behind the last.
    #[track_caller]
    pub fn end(&self) -> usize {
        self.read(|vma| vma.end)
    }

    /// Panics unless the VMA can be zapped. A huge page of DAX may have to be split, for which C wants the
    /// mmap lock.
    #[track_caller]
    pub(super) fn require_lock_to_zap(&self) {
        locks::might_sleep("to zap");
        if self.file().is_some_and(VmaFile::is_dax) {
            let mm = self.mm.id();
            let locked = [Lock::MmapRead(mm), Lock::MmapWrite(mm)].map(locks::holds);
            locks::require(locked.contains(&true), || {
                "a huge page of DAX may be split under a VMA lock".into()
            });
        }
    }

    /// Whether the memory is anonymous.
    #[track_caller]
    pub fn is_anonymous(&self) -> bool {
        self.read(Vma::is_anonymous)
    }

    /// Whether the VMA has an anon_vma.
    #[track_caller]
    pub fn has_anon_vma(&self) -> bool {
        self.read(|vma| vma.anon_vma.is_some())
    }

    /// Whether this is ordinary memory.
    #[track_caller]
    pub fn is_ordinary(&self) -> bool {
        const OTHER: VmFlags = VmFlags::SPECIAL.union(VmFlags::HUGETLB);
        !self.vm_flags().intersects(OTHER)
    }

    /// The file that is mapped.
    #[track_caller]
    pub fn file(&self) -> Option<&VmaFile> {
        self.require_lock();
        self.file.as_ref()
    }

    /// The number, in its file, of the page that is mapped at `addr`.
    #[track_caller]
    pub fn linear_page_index(&self, addr: usize) -> usize {
        self.read(|vma| vma.linear_page_index(addr))
    }

    /// The offset in its file, in bytes.
    #[track_caller]
    pub fn byte_offset(&self, addr: usize) -> i64 {
        i64::try_from(self.linear_page_index(addr) << PAGE_SHIFT).expect("an offset")
    }

    /// Whether it is anonymous memory that is shared.
    #[track_caller]
    pub fn is_anon_shmem(&self) -> bool {
        self.file().is_some_and(|file| file.kind().anon_shmem)
    }

    /// The size of its huge pages, when it is a VMA of hugetlb.
    #[track_caller]
    pub fn hugetlb_page_size(&self) -> Option<usize> {
        self.vm_flags()
            .intersects(VmFlags::HUGETLB)
            .then_some(TABLE_SIZE)
    }

    #[track_caller]
    pub(super) fn check_range(&self, range: PageRange) -> Result {
        if range.start() < self.start() || self.end() < range.end() {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// All addresses of the VMA.
    #[allow(unsafe_code)]
    #[track_caller]
    pub(super) fn range(&self) -> PageRange {
        // SAFETY: The bounds of a VMA are those of pages, and no VMA is empty.
        unsafe { PageRange::new_unchecked(self.start(), self.end()) }
    }

    /// Whether userfaultfd watches the VMA.
    #[track_caller]
    pub fn userfaultfd_armed(&self) -> bool {
        const WATCHED: VmFlags = VmFlags::UFFD_MISSING
            .union(VmFlags::UFFD_WP)
            .union(VmFlags::UFFD_MINOR);
        self.vm_flags().intersects(WATCHED)
    }

    /// Whether the protection key of the VMA lets the thread write.
    #[track_caller]
    pub fn arch_write_permitted(&self) -> bool {
        self.read(|vma| !vma.pkey_denies_write)
    }
}
