// SPDX-License-Identifier: GPL-2.0

//! What changes while the mmap lock is free.

use crate::{
    oracle::number::*,
    world::{at, check, Entry, Mapping, What, World},
};
use kernel::{
    error::{code::*, Result},
    mm::{MmWithUser, VmFlags},
    model::{self, Event},
    page::{PAGE_SIZE, TABLE_PAGES},
};

/// A world with 20 pages that userfaultfd watches, all of them there.
fn watched() -> World {
    let world = World::of(Mapping {
        watched: true,
        ..Mapping::new(0, 20, What::Anonymous)
    });
    (0..20).for_each(|page| {
        world.mm.touch(at(page), true);
    });
    world
}

fn meanwhile(work: impl FnOnce(&MmWithUser) + 'static) {
    model::with_env(|env| env.faults.unlocked.push_back(Box::new(work)));
}

fn advise(world: &World, n: usize, advice: i32) -> Result {
    policy::madvise(&world.mm, at(0), n * PAGE_SIZE, advice)
}

fn present(world: &World) -> usize {
    let view = world.look();
    view.pages
        .iter()
        .filter(|page| matches!(page.entry, Entry::Page(..)))
        .count()
}

const EACH: [i32; 3] = [DONTNEED, DONTNEED_LOCKED, FREE];

#[test]
fn what_is_watched_needs_the_mmap_lock() {
    for advice in EACH {
        let world = watched();
        let free = std::rc::Rc::new(std::cell::Cell::new(false));
        let seen = free.clone();
        meanwhile(move |mm| {
            // Neither the lock of the address space nor that of a mapping is held.
            seen.set(kernel::locks::held().is_empty());
            assert!(mm.lock_vma_under_rcu(at(0)).is_some());
        });
        assert_eq!(advise(&world, 20, advice), Ok(()));
        assert!(free.get(), "advice {advice} told nobody");
        let told = model::take_events().contains(&Event::UffdRemove(at(0), at(20)));
        assert!(told, "advice {advice}");
    }
}

#[test]
fn what_is_not_watched_needs_the_lock_of_the_mapping_alone() {
    for advice in EACH {
        let world = World::of(Mapping::new(0, 20, What::Anonymous));
        meanwhile(|_| panic!("the mmap lock was released"));
        assert_eq!(advise(&world, 20, advice), Ok(()));
    }
}

#[test]
fn a_mapping_that_is_gone_is_no_memory() {
    for advice in EACH {
        let world = watched();
        meanwhile(|mm| mm.with(|space| space.munmap(at(0), at(20))));
        assert_eq!(advise(&world, 20, advice), Err(ENOMEM));
        check(&world.mm);
    }
}

#[test]
fn the_mapping_that_is_there_now_is_checked_again() {
    for (flag, advice, result) in [
        (VmFlags::LOCKED, DONTNEED, Err(EINVAL)),
        (VmFlags::LOCKED, FREE, Err(EINVAL)),
        (VmFlags::LOCKED, DONTNEED_LOCKED, Ok(())),
        (VmFlags::PFNMAP, DONTNEED_LOCKED, Err(EINVAL)),
    ] {
        let world = watched();
        meanwhile(move |mm| {
            mm.with(|space| space.change(at(0), at(20), |vma| vma.flags = vma.flags | flag));
        });
        assert_eq!(advise(&world, 20, advice), result, "advice {advice}");
        assert_eq!(present(&world), if result.is_ok() { 0 } else { 20 });
    }
}

#[test]
fn a_mapping_that_is_shorter_now_ends_the_part() {
    let world = watched();
    meanwhile(|mm| mm.with(|space| space.munmap(at(10), at(20))));
    assert_eq!(advise(&world, 20, DONTNEED), Err(ENOMEM));
    assert_eq!(present(&world), 0);

    // What is behind is looked at next, and is announced, too.
    let world = watched();
    meanwhile(|mm| {
        mm.with(|space| {
            space.change(at(10), at(20), |vma| {
                vma.flags = vma.flags | VmFlags::DONTDUMP
            });
        });
    });
    assert_eq!(advise(&world, 20, DONTNEED), Ok(()));
    assert_eq!(present(&world), 0);
    let told: Vec<Event> = model::take_events()
        .into_iter()
        .filter(|event| matches!(event, Event::UffdRemove(..)))
        .collect();
    assert_eq!(
        told,
        [
            Event::UffdRemove(at(0), at(20)),
            Event::UffdRemove(at(10), at(20))
        ]
    );
}

#[test]
fn huge_pages_that_are_there_now_are_dropped_as_a_whole_or_not_at_all() {
    for (n, result) in [(20, 0), (TABLE_PAGES, 0), (TABLE_PAGES + 3, 0)] {
        let world = World::of(Mapping {
            watched: true,
            ..Mapping::new(0, 2 * TABLE_PAGES, What::Anonymous)
        });
        let other = World {
            mm: world.mm.clone(),
            files: world.files.clone(),
        };
        meanwhile(move |_| {
            let file = Mapping::new(0, 2 * TABLE_PAGES, What::Hugetlb);
            other.mmap(file);
            (0..2 * TABLE_PAGES).for_each(|page| {
                other.mm.touch(at(page), true);
            });
        });
        assert_eq!(advise(&world, n, DONTNEED), Ok(()));
        let left = 2 * TABLE_PAGES - n / TABLE_PAGES * TABLE_PAGES;
        assert_eq!(present(&world), left + result);
    }
}

#[test]
fn files_are_told_without_the_lock() {
    for (advice, what) in [
        (REMOVE, What::File(0, true)),
        (WILLNEED, What::File(0, true)),
    ] {
        let world = World::of(Mapping::new(2, 20, what));
        let file = world.files[0].clone();
        // The mapping goes, and its file closes but for the reference of the call.
        meanwhile(|mm| mm.with(|space| space.munmap(at(0), at(40))));
        let result = policy::madvise(&world.mm, at(4), 3 * PAGE_SIZE, advice);
        assert_eq!(result, Ok(()));
        let (offset, len) = (4 * PAGE_SIZE as i64, 3 * PAGE_SIZE);
        let expected = match advice {
            REMOVE => Event::PunchHole(file.id(), offset, len),
            _ => Event::WillNeed(file.id(), offset, len),
        };
        assert!(model::take_events().contains(&expected));
        check(&world.mm);
    }
}

#[test]
fn shared_memory_is_read_from_swap() {
    if cfg!(CONFIG_SWAP) {
        let world = World::of(Mapping::new(0, 20, What::File(2, true)));
        let file = world.files[2].clone();
        [1, 5, 11].into_iter().for_each(|page| file.swap_out(page));
        assert_eq!(
            policy::madvise(&world.mm, at(4), 7 * PAGE_SIZE, WILLNEED),
            Ok(())
        );
        let events = model::take_events();
        assert_eq!(events, [Event::SwapReadShared(file.id(), 5), Event::Unplug]);
    }
}
