// SPDX-License-Identifier: GPL-2.0

//! Each rule of the locks, when it is broken.

use kernel::{
    error::Result,
    locks,
    mm::{
        folio::{lru_add_drain, Folio},
        guard::{Run, VmaMaybeGuard},
        page_table::{walk, Entry, MappedFolio, Step, Table, Visitor},
        plugged,
        space::{Mapped, Pte, Vma},
        tlb::{MmuGather, VmaGather},
        LockMode, MmWithUser, MmapRead, MmapWrite, PageRange, VmFlags,
    },
    model,
    page::PAGE_SIZE,
    task::cond_resched,
};

const START: usize = 0x100_0000;

fn world() -> MmWithUser {
    model::reset();
    let mm = MmWithUser::new();
    mm.with(|space| {
        space.mmap(Vma {
            id: 0,
            start: START,
            end: START + 8 * PAGE_SIZE,
            flags: VmFlags::DATA_FLAGS_NON_EXEC,
            file: None,
            pgoff: 0,
            has_ops: false,
            anon_vma: None,
            of_fork: false,
            name: None,
            uffd: None,
            pkey_denies_write: false,
        })
    });
    mm.touch(START, true);
    mm
}

fn range() -> PageRange {
    PageRange::from_user(START, 8 * PAGE_SIZE)
        .expect("a range")
        .expect("pages")
}

/// Does something under a page table lock.
struct Atomic<F: FnMut(&Folio)>(F);

impl<F: FnMut(&Folio)> Visitor<VmaGather<'_>> for Atomic<F> {
    fn table(&mut self, table: &mut Table<'_, VmaGather<'_>>) -> Result<Step> {
        let mut entries = table.lock(table.range().start()).expect("a table");
        if let Some(Entry::Present(entry)) = entries.next_entry() {
            match entry.into_folio() {
                Some(MappedFolio::Small(entries)) => (self.0)(entries.folio()),
                _ => panic!("it is a folio of one page"),
            }
        }
        Ok(Step::Next)
    }
}

fn atomically(work: impl FnMut(&Folio) + 'static) {
    let mm = world();
    let mut guard = MmapRead::lock(&mm).expect("the lock");
    let vma = MmapRead::find_vma(&mut guard, START).expect("a mapping");
    MmuGather::scope(&mm, |tlb| {
        tlb.with_vma(&vma, |vma| walk(vma, range(), &mut Atomic(work)))
    })
    .expect("the walk")
    .is_continue();
}

#[test]
fn what_does_not_sleep_is_allowed() {
    atomically(|folio| {
        let _locked = folio.try_lock().expect("nobody has it");
    });
    locks::assert_none_held();
}

#[test]
#[should_panic(expected = "cond_resched() may sleep")]
fn rescheduling_under_a_table_lock() {
    atomically(|_| cond_resched());
}

#[test]
#[should_panic(expected = "to plug requests may sleep")]
fn disks_under_a_table_lock() {
    atomically(|_| plugged(|| ()));
}

#[test]
#[should_panic(expected = "to drain the lists of reclaim may sleep")]
fn draining_under_a_table_lock() {
    atomically(|_| lru_add_drain());
}

#[test]
#[should_panic(expected = "to split a folio may sleep")]
fn split_under_a_table_lock() {
    atomically(|folio| {
        let locked = folio.try_lock().expect("nobody has it").into_owned();
        locked.split().expect("a split");
    });
}

#[test]
#[should_panic(expected = "is taken twice")]
fn folio_lock_twice() {
    atomically(|folio| {
        let _first = folio.try_lock();
        let _second = folio.try_lock();
    });
}

#[test]
#[should_panic(expected = "may sleep")]
fn mmap_lock_under_a_table_lock() {
    let other = MmWithUser::new();
    atomically(move |_| drop(other.mmap_read_lock()));
}

#[test]
#[should_panic(expected = "is taken twice")]
fn mmap_lock_twice() {
    let mm = world();
    let _guard = mm.mmap_read_lock();
    let _second = mm.mmap_read_lock();
}

#[test]
#[should_panic(expected = "comes before")]
fn mmap_lock_under_another() {
    let (mm, other) = (world(), MmWithUser::new());
    let _guard = mm.mmap_read_lock();
    let _second = other.mmap_read_lock();
}

#[test]
#[should_panic(expected = "comes before")]
fn mmap_lock_under_a_vma_lock() {
    let mm = world();
    let _vma = mm.lock_vma_under_rcu(START).expect("a mapping");
    let _guard = mm.mmap_read_lock();
}

#[test]
#[should_panic(expected = "a lock is held at the end")]
fn leaked_lock() {
    let mm = world();
    model::syscall(|| std::mem::forget(mm.mmap_read_lock()));
}

#[test]
#[should_panic(expected = "an mmu_gather of mm")]
fn gather_of_another_address_space() {
    let (mm, other) = (world(), MmWithUser::new());
    let mut guard = MmapRead::lock(&mm).expect("the lock");
    let vma = MmapRead::find_vma(&mut guard, START).expect("a mapping");
    let _ = MmuGather::scope(&other, |tlb| tlb.zap(&vma, range()));
}

#[test]
#[should_panic(expected = "an mmu_gather is open")]
fn gather_in_a_gather() {
    let mm = world();
    MmuGather::scope(&mm, |_| MmuGather::scope(&mm, |_| ()));
}

#[test]
#[should_panic(expected = "is used after its lock was released")]
fn vma_after_its_lock() {
    let mm = world();
    let guard = mm.mmap_read_lock();
    let vma = guard.vma_lookup(START).expect("a mapping");
    drop(guard);
    let _guard = mm.mmap_read_lock();
    vma.vm_flags();
}

/// Clears the flag while markers go in, as a caller without the write locks could.
struct Racing(MmWithUser);

impl Visitor<VmaMaybeGuard<'_>> for Racing {
    fn table(&mut self, table: &mut Table<'_, VmaMaybeGuard<'_>>) -> Result<Step> {
        let mut entries = table.lock(table.range().start()).expect("a table");
        self.0.with(|space| space.vmas[0].flags = VmFlags::READ);
        while let Some(run) = entries.next_run() {
            if let Run::Vacant(run) = run {
                run.install();
            }
        }
        Ok(Step::Next)
    }
}

#[test]
#[should_panic(expected = "comes before the flag")]
fn marker_without_the_flag() {
    let mm = world();
    let mut guard = MmapWrite::lock(&mm).expect("the lock");
    let vma = MmapWrite::find_vma(&mut guard, START).expect("a mapping");
    let vma = vma.start_write().set_maybe_guard().expect("the flag");
    let _ = walk(&vma, range(), &mut Racing(mm.clone()));
}

#[test]
fn locks_are_in_order_when_all_is_well() {
    let mm = world();
    {
        let mut guard = MmapWrite::lock(&mm).expect("the lock");
        let vma = MmapWrite::find_vma(&mut guard, START).expect("a mapping");
        let vma = vma.start_write().set_maybe_guard().expect("the flag");
        assert!(vma.vm_flags().intersects(VmFlags::MAYBE_GUARD));
        assert_eq!(locks::held().len(), 2);
    }
    locks::assert_none_held();
    let has_page = |entry: &Pte| matches!(entry, Pte::Page(Mapped { folio: Some(_), .. }));
    assert!(mm.with(|space| space.entries.get(&START).is_some_and(has_page)));
}
