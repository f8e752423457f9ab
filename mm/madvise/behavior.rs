// SPDX-License-Identifier: GPL-2.0

//! The table of advice: what is done for each, and under which lock.

#[cfg(CONFIG_MEMORY_FAILURE)]
use super::poison;
use super::{
    backing_store, discard, guard, populate, reclaim,
    work::{Rule, Work},
};
use kernel::{mm::madv, prelude::*};

/// The properties of an advice in the table.
struct Properties {
    discards: bool,
    remote: bool,
}

const NONE: Properties = Properties {
    discards: false,
    remote: false,
};

/// Makes [`Behavior`] of the table: one row per advice, with its number, its work, and whether it
/// `discards` memory and may be given to a `remote` process.
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
                // CAST: Negative values wrap to numbers without advice.
                match raw as u32 {
                    $($(#[cfg($cfg)])? madv::$raw => Ok(Self::$name),)*
                    _ => Err(EINVAL),
                }
            }
        }

        impl Behavior {
            /// The rule for the advice.
            pub(super) fn rule(self) -> &'static Rule {
                match self {
                    $($(#[cfg($cfg)])? Self::$name => {
                        const RULE: Rule = Rule {
                            work: Work::$work($handler),
                            discards: Properties { $($property: true,)* ..NONE }.discards,
                        };
                        &RULE
                    })*
                }
            }

            /// Returns whether the advice of this number may be given to another process. The
            /// answer is the same in kernels without the advice.
            ///
            /// C: `process_madvise_remote_valid()` of `mm/madvise.c`.
            pub(super) fn is_remote(raw: c_int) -> bool {
                // CAST: Negative values wrap to numbers without advice.
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
    Normal = MADV_NORMAL: Flags(|change| {
        change.normal_read();
        Ok(())
    });
    /// Read little ahead.
    Random = MADV_RANDOM: Flags(|change| {
        change.random_read();
        Ok(())
    });
    /// Read much ahead.
    Sequential = MADV_SEQUENTIAL: Flags(|change| {
        change.sequential_read();
        Ok(())
    });
    /// Read now what will be needed.
    WillNeed = MADV_WILLNEED: MmapRead(backing_store::will_need) remote;
    /// Drop the memory.
    DontNeed = MADV_DONTNEED: VmaRead(discard::dont_need) discards;
    /// Drop the memory when memory is short, unless it is written to before.
    Free = MADV_FREE: VmaRead(discard::free) discards;
    /// Make a hole in the file.
    Remove = MADV_REMOVE: MmapRead(backing_store::remove) discards;
    /// Children do not get the mapping.
    DontFork = MADV_DONTFORK: Flags(|change| {
        change.dont_fork();
        Ok(())
    }) discards;
    /// Undo that.
    DoFork = MADV_DOFORK: Flags(|change| change.do_fork());
    /// Let the memory fail.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    HwPoison = MADV_HWPOISON: Unlocked(poison::fail);
    /// Take the memory out of use.
    #[cfg(CONFIG_MEMORY_FAILURE)]
    SoftOffline = MADV_SOFT_OFFLINE: Unlocked(poison::soft_offline);
    /// Share pages of the same content.
    #[cfg(CONFIG_KSM)]
    Mergeable = MADV_MERGEABLE: Flags(|change| change.mergeable());
    /// Undo that.
    #[cfg(CONFIG_KSM)]
    Unmergeable = MADV_UNMERGEABLE: Flags(|change| change.unmergeable());
    /// Use huge pages.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    HugePage = MADV_HUGEPAGE: Flags(|change| change.huge_page());
    /// Use no huge pages.
    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    NoHugePage = MADV_NOHUGEPAGE: Flags(|change| change.no_huge_page());
    /// Leave the memory out of core dumps.
    DontDump = MADV_DONTDUMP: Flags(|change| {
        change.dont_dump();
        Ok(())
    });
    /// Undo that.
    DoDump = MADV_DODUMP: Flags(|change| change.do_dump());
    /// Children find zeros.
    WipeOnFork = MADV_WIPEONFORK: Flags(|change| change.wipe_on_fork()) discards;
    /// Undo that.
    KeepOnFork = MADV_KEEPONFORK: Flags(|change| change.keep_on_fork());
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
    Collapse = MADV_COLLAPSE: MmapRead(populate::collapse) remote;
    /// Make each access fatal.
    GuardInstall = MADV_GUARD_INSTALL: Guards(guard::install) discards;
    /// Undo that.
    GuardRemove = MADV_GUARD_REMOVE: Guards(guard::remove);
}
