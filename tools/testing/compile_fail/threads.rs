// SPDX-License-Identifier: GPL-2.0

//! Which types threads may send to each other and share. This compiles.
//!
//! Locks are released by the thread that took them, and what they protect stays in that thread. Values that
//! refer to nothing may go anywhere, as may a removal of guards, which refers to an address space.

use kernel::{
    mm::{
        file::VmaFile,
        folio::{Folio, FolioRef, IsolatedFolios, LockedFolio},
        guard::{GuardRemoval, GuardRun, Run, VacantRun, VmaMaybeGuard},
        kunit::UserMemory,
        page_table::{
            Entries, Entry, FolioEntries, HugePage, LockedHugePage, MappedFolio, MissingTable,
            PoisonedEntry, PresentEntry, SwappedEntry, Table, WholeFolio,
        },
        poison::UserPage,
        tlb::{AnonGather, MmuGather, VmaGather},
        virt::VmaRef,
        AddressVector, Announced, AnonVmaName, FlagChange, MmapReadGuard, MmapWriteGuard,
        PageRange, SwapEntry, SwapReader, VmFlags, VmaMmapLocked, VmaMmapRead, VmaMmapWrite,
        VmaReadGuard, VmaWrite,
    },
    types::ARef,
};

/// Compiles when threads may do both.
const fn may_be_sent_and_shared<T: Send + Sync>() {}

const _: () = {
    may_be_sent_and_shared::<VmFlags>();
    may_be_sent_and_shared::<PageRange>();
    may_be_sent_and_shared::<SwapEntry>();
    may_be_sent_and_shared::<GuardRemoval<'static>>();
};

/// Has one candidate for each type, and another for one that is `Send` or `Sync`.
trait Ambiguous<T> {
    /// Is one of them.
    fn candidate() {}
}

/// Marks the candidate for what is `Send`.
pub struct IfSend;
/// Marks the candidate for what is `Sync`.
pub struct IfSync;

impl<T: ?Sized> Ambiguous<()> for T {}
impl<T: ?Sized + Send> Ambiguous<IfSend> for T {}
impl<T: ?Sized + Sync> Ambiguous<IfSync> for T {}

/// Compiles when threads may do neither.
macro_rules! stay_in_their_thread {
    ($($type:ty),+ $(,)?) => {
        /// Names a candidate of each, of which there must be one.
        pub fn stay_in_their_thread() {
            $(<$type as Ambiguous<_>>::candidate();)+
        }
    };
}

stay_in_their_thread! {
    MmapReadGuard<'_>,
    MmapWriteGuard<'_>,
    VmaReadGuard<'_>,
    VmaRef,
    VmaMmapLocked,
    VmaMmapRead<'_>,
    VmaMmapWrite<'_>,
    VmaWrite<'_>,
    Announced<'_>,
    FlagChange<'_>,
    VmaMaybeGuard<'_>,
    MmuGather<'_>,
    VmaGather<'_>,
    AnonGather<'_>,
    Table<'_, VmaRef>,
    MissingTable<'_, VmaRef>,
    HugePage<'_, VmaRef>,
    LockedHugePage<'_, VmaRef>,
    Entries<'_, VmaRef>,
    Entry<'_, VmaRef>,
    PresentEntry<'_, VmaRef>,
    SwappedEntry<'_, VmaRef>,
    PoisonedEntry<'_, VmaRef>,
    MappedFolio<'_, VmaRef>,
    FolioEntries<'_, VmaRef>,
    WholeFolio<'_, VmaRef>,
    Run<'_, VmaRef>,
    VacantRun<'_, VmaRef>,
    GuardRun<'_, VmaRef>,
    Folio,
    FolioRef,
    LockedFolio<&Folio>,
    LockedFolio<FolioRef>,
    IsolatedFolios,
    VmaFile,
    ARef<VmaFile>,
    SwapReader,
    UserPage,
    UserMemory,
    ARef<AnonVmaName>,
    AddressVector,
}
