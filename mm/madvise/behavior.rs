// SPDX-License-Identifier: GPL-2.0

//! The advice there is, and one table of what each needs.

#[cfg(CONFIG_MEMORY_FAILURE)]
use super::poison;
use super::{discard, files, flags, install_guards, populate, reclaim, remove_guards, Failure};
use core::ops::Deref;
use kernel::{
    mm::{
        madv, tlb::MmuGather, virt::VmaRef, MmWithUser, MmapReadGuard, PageRange, VmFlags,
        VmaMmapLocked, VmaMmapRead, VmaMmapWrite, VmaReadGuard,
    },
    prelude::*,
};

/// What advice does, by the lock that it does it under: what a handler gets is what the lock
/// allows.
pub(super) enum Work {
    /// No lock. Gets an address and a length, both in bytes.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    Unlocked(fn(usize, usize) -> Result),
    /// The mmap read lock, which may be released meanwhile. Not done VMA by VMA.
    Populate(fn(&mut MmapReadGuard<'_>, PageRange) -> Result),
    /// The mmap read lock.
    MmapRead(fn(&VmaMmapLocked, PageRange) -> Result),
    /// The mmap read lock, which may be released meanwhile.
    MmapReadReleased(fn(VmaMmapRead<'_>, PageRange) -> Result),
    /// The VMA read lock, or else the mmap read lock, which may be released meanwhile. The TLBs are
    /// flushed once, at the end of the call. Returns the address from which to go on.
    VmaRead(fn(VmaRead<'_>, PageRange, &mut MmuGather<'_>) -> Result<usize>),
    /// Takes its locks itself: the VMA read lock, or else the mmap read lock; and the mmap write lock
    /// where the flags of a VMA must change.
    Guards(fn(&MmWithUser, PageRange, &Row) -> Result<(), Failure>),
    /// The mmap write lock, to change the flags of VMAs. Returns the new flags.
    Flags(fn(&VmaMmapWrite<'_>, PageRange) -> Result<VmFlags>),
}

/// A VMA under one of two locks.
pub(super) enum VmaRead<'g> {
    /// The VMA read lock.
    Vma(&'g VmaReadGuard<'g>),
    /// The mmap read lock.
    Mmap(VmaMmapRead<'g>),
}

impl Deref for VmaRead<'_> {
    type Target = VmaRef;

    #[inline]
    fn deref(&self) -> &VmaRef {
        match self {
            Self::Vma(vma) => vma,
            Self::Mmap(vma) => vma,
        }
    }
}

/// What one advice needs.
pub(super) struct Row {
    /// What is done, and under which lock.
    pub(super) work: Work,
    /// Whether memory is lost, which [mseal] forbids.
    ///
    /// [mseal]: https://docs.kernel.org/userspace-api/mseal.html
    pub(super) discards: bool,
}

/// What the table says of an advice beside what is done.
struct Properties {
    discards: bool,
    remote: bool,
}

const NONE: Properties = Properties {
    discards: false,
    remote: false,
};

/// Makes [`Behavior`] of the table: one row per advice, with its number, what it does, and whether
/// it `discards` memory and may be given to a `remote` process.
macro_rules! behaviors {
    ($(
        $(#[doc = $doc:literal])*
        $(#[cfg($cfg:meta)])?
        $name:ident = $raw:ident: $work:ident($handler:expr) $($property:ident)*;
    )*) => {
        /// Advice of userspace.
        #[derive(Copy, Clone)]
        pub(crate) enum Behavior {
            $(
                $(#[doc = $doc])*
                $(#[cfg($cfg)])?
                $name,
            )*
        }

        impl TryFrom<c_int> for Behavior {
            type Error = Error;

            /// Makes advice of the number that userspace passes.
            ///
            /// # Errors
            ///
            /// `EINVAL` when it is unknown, or the kernel was built without it.
            ///
            /// C: `madvise_behavior_valid()` of `mm/madvise.c`.
            fn try_from(raw: c_int) -> Result<Self> {
                // CAST: What is negative becomes a number that no advice has.
                match raw as u32 {
                    $($(#[cfg($cfg)])? madv::$raw => Ok(Self::$name),)*
                    _ => Err(EINVAL),
                }
            }
        }

        impl Behavior {
            /// What the advice needs.
            pub(super) fn row(self) -> &'static Row {
                match self {
                    $($(#[cfg($cfg)])? Self::$name => {
                        const ROW: Row = Row {
                            work: Work::$work($handler),
                            discards: Properties { $($property: true,)* ..NONE }.discards,
                        };
                        &ROW
                    })*
                }
            }

            /// Returns whether the advice of this number may be given to another process. The answer
            /// is the same in kernels without the advice.
            ///
            /// C: `process_madvise_remote_valid()` of `mm/madvise.c`.
            pub(super) fn is_remote(raw: c_int) -> bool {
                // CAST: What is negative becomes a number that no advice has.
                match raw as u32 {
                    $(madv::$raw => Properties { $($property: true,)* ..NONE }.remote,)*
                    _ => false,
                }
            }
        }
    };
}

behaviors! {
    /// Read ahead as usual.
    Normal = MADV_NORMAL: Flags(flags::normal);
    /// Read little ahead.
    Random = MADV_RANDOM: Flags(flags::random);
    /// Read much ahead.
    Sequential = MADV_SEQUENTIAL: Flags(flags::sequential);
    /// Read now what will be needed.
    WillNeed = MADV_WILLNEED: MmapReadReleased(files::will_need) remote;
    /// Drop the memory.
    DontNeed = MADV_DONTNEED: VmaRead(discard::dont_need) discards;
    /// Drop the memory when memory is short, unless it is written to before.
    Free = MADV_FREE: VmaRead(discard::free) discards;
    /// Make a hole in the file.
    Remove = MADV_REMOVE: MmapReadReleased(files::remove) discards;
    /// Children do not get the mapping.
    DontFork = MADV_DONTFORK: Flags(flags::dont_fork) discards;
    /// Undo that.
    DoFork = MADV_DOFORK: Flags(flags::do_fork);
    /// Let the memory fail.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    HwPoison = MADV_HWPOISON: Unlocked(poison::fail);
    /// Take the memory out of use.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    SoftOffline = MADV_SOFT_OFFLINE: Unlocked(poison::soft_offline);
    /// Share pages of the same content.
    #[cfg(CONFIG_KSM)]
    Mergeable = MADV_MERGEABLE: Flags(flags::mergeable);
    /// Undo that.
    #[cfg(CONFIG_KSM)]
    Unmergeable = MADV_UNMERGEABLE: Flags(flags::unmergeable);
    /// Use huge pages.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    HugePage = MADV_HUGEPAGE: Flags(flags::huge_page);
    /// Use no huge pages.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    NoHugePage = MADV_NOHUGEPAGE: Flags(flags::no_huge_page);
    /// Leave the memory out of core dumps.
    DontDump = MADV_DONTDUMP: Flags(flags::dont_dump);
    /// Undo that.
    DoDump = MADV_DODUMP: Flags(flags::do_dump);
    /// Children find zeros.
    WipeOnFork = MADV_WIPEONFORK: Flags(flags::wipe_on_fork) discards;
    /// Undo that.
    KeepOnFork = MADV_KEEPONFORK: Flags(flags::keep_on_fork);
    /// Reclaim the memory first when memory is short.
    Cold = MADV_COLD: MmapRead(reclaim::cold) remote;
    /// Reclaim the memory now.
    PageOut = MADV_PAGEOUT: MmapRead(reclaim::page_out) remote;
    /// Fault pages in for reading.
    PopulateRead = MADV_POPULATE_READ: Populate(populate::read);
    /// Fault pages in for writing.
    PopulateWrite = MADV_POPULATE_WRITE: Populate(populate::write);
    /// Drop the memory, even if it is locked.
    DontNeedLocked = MADV_DONTNEED_LOCKED: VmaRead(discard::dont_need_locked) discards;
    /// Make huge pages now.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    Collapse = MADV_COLLAPSE: MmapReadReleased(populate::collapse) remote;
    /// Make each access fatal.
    GuardInstall = MADV_GUARD_INSTALL: Guards(install_guards) discards;
    /// Undo that.
    GuardRemove = MADV_GUARD_REMOVE: Guards(remove_guards);
}
