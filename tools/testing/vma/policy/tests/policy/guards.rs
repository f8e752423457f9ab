// SPDX-License-Identifier: GPL-2.0

//! Guards, when others are in the way.

use crate::{
    oracle::number::*,
    world::{at, check, Mapping, What, World},
};
use kernel::{
    error::code::*,
    mm::{
        space::{Mapped, Pte, Space, Touch},
        VmFlags,
    },
    model::{self, Event, UserData},
    page::{PAGE_SIZE, TABLE_PAGES},
};

fn install(world: &World, page: usize, n: usize) -> kernel::error::Result {
    policy::madvise(&world.mm, at(page), n * PAGE_SIZE, GUARD_INSTALL)
}

fn anonymous() -> World {
    World::of(Mapping::new(0, 200, What::Anonymous))
}

#[test]
fn no_memory_for_the_anon_vma_changes_nothing() {
    let world = anonymous();
    model::with_env(|env| env.faults.fail_alloc = Some(0));
    assert_eq!(install(&world, 3, 2), Err(ENOMEM));
    assert!(!world.flags(0).intersects(VmFlags::MAYBE_GUARD));
    assert_eq!(world.guards(), []);
}

#[test]
fn no_memory_for_a_table_leaves_flag_and_first_markers() {
    let world = anonymous();
    // The anon_vma and the first table can be had.
    model::with_env(|env| env.faults.fail_alloc = Some(2));
    assert_eq!(install(&world, TABLE_PAGES - 2, 4), Err(ENOMEM));
    assert!(world.flags(0).intersects(VmFlags::MAYBE_GUARD));
    assert_eq!(world.guards(), [TABLE_PAGES - 2, TABLE_PAGES - 1]);
    check(&world.mm);
}

#[test]
fn files_need_no_anon_vma() {
    let world = World::of(Mapping::new(0, 9, What::File(0, false)));
    assert_eq!(install(&world, 0, 9), Ok(()));
    assert!(!world.mm.with(|space| space.vmas[0].anon_vma.is_some()));
}

#[test]
fn what_appears_again_is_zapped_once_more() {
    for (appears, result) in [(2, Ok(())), (3, Err(ERESTARTNOINTR))] {
        let world = anonymous();
        world.mm.touch(at(5), true);
        model::with_env(|env| env.faults.reappear.extend((0..appears).map(|_| true)));
        assert_eq!(install(&world, 5, 1), result, "{appears} times");
        let restarts = model::take_events().contains(&Event::Restart);
        assert_eq!(restarts, result.is_err());
        assert_eq!(world.guards().len(), usize::from(result.is_ok()));
        assert!(world.flags(5).intersects(VmFlags::MAYBE_GUARD));
    }
}

#[test]
fn a_vector_tries_the_same_range_again() {
    let world = anonymous();
    world.mm.touch(at(5), true);
    world.mm.touch(at(9), true);
    model::with_env(|env| {
        env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
        env.faults.reappear.extend([true; 4]);
    });
    let ptr = model::with_env(|env| {
        env.put(UserData::Vector(vec![
            (at(5), PAGE_SIZE),
            (at(9), PAGE_SIZE),
        ]))
    });
    let result = policy::process_madvise(1, ptr, 2, GUARD_INSTALL, 0);
    assert_eq!(result, Ok(2 * PAGE_SIZE));
    assert_eq!(world.guards(), [5, 9]);
    assert!(!model::take_events().contains(&Event::Restart));
}

#[test]
fn a_signal_ends_a_vector_that_is_blocked() {
    for (first, result) in [(5, Err(EINTR)), (20, Ok(PAGE_SIZE))] {
        let world = anonymous();
        world.mm.touch(at(5), true);
        model::with_env(|env| {
            env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
            env.faults.reappear.extend([true; 30]);
            env.faults.signal_after = Some(2);
        });
        let ptr = model::with_env(|env| {
            env.put(UserData::Vector(vec![
                (at(first), PAGE_SIZE),
                (at(5), PAGE_SIZE),
            ]))
        });
        assert_eq!(policy::process_madvise(1, ptr, 2, GUARD_INSTALL, 0), result);
        check(&world.mm);
    }
}

#[test]
fn a_blocked_vector_can_be_killed_as_it_waits_again() {
    let world = anonymous();
    world.mm.touch(at(5), true);
    // Somebody takes the flag away while the locks are free.
    model::with_env(|env| {
        env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
        env.faults.contended.extend([true]);
        env.faults.unlocked.push_back(Box::new(|mm| {
            mm.with(forget_guards);
        }));
        env.faults.kill_waiting = Some(1);
    });
    let range = (at(5), TABLE_PAGES * PAGE_SIZE);
    let ptr = model::with_env(|env| env.put(UserData::Vector(vec![range])));
    assert_eq!(
        policy::process_madvise(1, ptr, 1, GUARD_INSTALL, 0),
        Err(EINTR)
    );
    assert!(!world.flags(6).intersects(VmFlags::MAYBE_GUARD));
}

/// Takes all guards of the first mapping away, and its flag.
fn forget_guards(space: &mut Space) {
    let guards: Vec<usize> = space.guards().collect();
    guards.into_iter().for_each(|addr| space.forget(addr));
    space.vmas[0].flags = space.vmas[0].flags - VmFlags::MAYBE_GUARD;
}

/// Lets somebody wait for the locks at the next page table.
fn wait_once(meanwhile: impl FnOnce(&kernel::mm::MmWithUser) + 'static) {
    model::with_env(|env| {
        env.faults.contended.push_back(true);
        env.faults.unlocked.push_back(Box::new(meanwhile));
    });
}

#[test]
fn others_get_the_locks_before_a_zap() {
    let world = anonymous();
    assert_eq!(install(&world, 0, 1), Ok(()));
    world.mm.touch(at(5), true);
    let seen = std::rc::Rc::new(std::cell::Cell::new(false));
    let saw = seen.clone();
    wait_once(move |mm| {
        saw.set(mm.with(|space| space.guards().eq([at(0), at(4)])));
    });
    assert_eq!(install(&world, 4, 4), Ok(()));
    assert!(seen.get());
    assert_eq!(world.guards(), [0, 4, 5, 6, 7]);
}

fn large() -> World {
    World::of(Mapping::new(0, 3 * TABLE_PAGES, What::Anonymous))
}

#[test]
fn others_get_the_locks_and_the_work_goes_on() {
    for advice in [GUARD_INSTALL, GUARD_REMOVE] {
        let world = large();
        if advice == GUARD_REMOVE {
            assert_eq!(install(&world, 0, 3 * TABLE_PAGES), Ok(()));
        }
        let guards = std::rc::Rc::new(std::cell::Cell::new(0));
        for _ in 0..2 {
            let seen = guards.clone();
            wait_once(move |mm| seen.set(mm.with(|space| space.guards().count())));
        }
        let range = (at(0), 3 * TABLE_PAGES * PAGE_SIZE);
        assert_eq!(policy::madvise(&world.mm, range.0, range.1, advice), Ok(()));
        let (then, end) = match advice {
            GUARD_INSTALL => (2, 3),
            _ => (1, 0),
        };
        assert_eq!(guards.get(), then * TABLE_PAGES);
        assert_eq!(world.guards().len(), end * TABLE_PAGES);
        check(&world.mm);
    }
}

#[test]
fn others_get_the_locks_between_mappings() {
    for advice in [GUARD_INSTALL, GUARD_REMOVE] {
        let world = World::of(Mapping::new(0, 9, What::Anonymous));
        world.mmap(Mapping::new(9, 9, What::File(0, true)));
        assert_eq!(install(&world, 0, 18), Ok(()));
        let seen = std::rc::Rc::new(std::cell::Cell::new(false));
        let note = seen.clone();
        wait_once(move |_| note.set(true));
        let (start, len) = (at(0), 18 * PAGE_SIZE);
        assert_eq!(policy::madvise(&world.mm, start, len, advice), Ok(()));
        assert!(seen.get());
        check(&world.mm);
    }
}

#[test]
fn a_flag_that_goes_while_the_locks_are_free_is_set_again() {
    let world = large();
    wait_once(|mm| mm.with(forget_guards));
    assert_eq!(install(&world, 0, 3 * TABLE_PAGES), Ok(()));
    assert!(world.flags(0).intersects(VmFlags::MAYBE_GUARD));
    assert_eq!(world.guards().len(), 2 * TABLE_PAGES);
    check(&world.mm);
}

#[test]
fn a_signal_ends_a_long_call_at_the_next_table() {
    for advice in [GUARD_INSTALL, GUARD_REMOVE] {
        let world = large();
        if advice == GUARD_REMOVE {
            assert_eq!(install(&world, 0, 3 * TABLE_PAGES), Ok(()));
        }
        model::with_env(|env| env.faults.signal_after = Some(0));
        let range = (at(0), 3 * TABLE_PAGES * PAGE_SIZE);
        let result = policy::madvise(&world.mm, range.0, range.1, advice);
        assert_eq!(result, Err(EINTR));
        let left = match advice {
            GUARD_INSTALL => 1,
            _ => 2,
        };
        assert_eq!(world.guards().len(), left * TABLE_PAGES);
        assert!(world.flags(0).intersects(VmFlags::MAYBE_GUARD));
        check(&world.mm);
    }
}

#[test]
fn a_guard_that_comes_behind_a_removal_keeps_the_flag() {
    let world = large();
    assert_eq!(install(&world, 0, 3 * TABLE_PAGES), Ok(()));
    wait_once(|mm| {
        mm.with(|space| space.install(at(7), Pte::Guard));
    });
    let range = (at(0), 3 * TABLE_PAGES * PAGE_SIZE);
    let remove = || policy::madvise(&world.mm, range.0, range.1, GUARD_REMOVE);
    assert_eq!(remove(), Ok(()));
    assert_eq!(world.guards(), [7]);
    check(&world.mm);
    // One that comes to another mapping does not.
    world.mmap(Mapping::new(4 * TABLE_PAGES, 9, What::Anonymous));
    assert_eq!(install(&world, 4 * TABLE_PAGES, 1), Ok(()));
    wait_once(|mm| {
        mm.with(|space| space.install(at(4 * TABLE_PAGES + 1), Pte::Guard));
    });
    assert_eq!(remove(), Ok(()));
    assert!(!world.flags(0).intersects(VmFlags::MAYBE_GUARD));
    check(&world.mm);
}

#[test]
fn a_guard_takes_the_place_of_write_protection() {
    for what in [What::Anonymous, What::File(0, false), What::File(2, true)] {
        let world = World::of(Mapping::new(0, 20, what));
        for page in [3, 5, 6] {
            world.place(page, Pte::UffdWp);
        }
        assert_eq!(install(&world, 2, 6), Ok(()));
        assert_eq!(world.guards(), [2, 3, 4, 5, 6, 7], "{what:?}");
        check(&world.mm);
    }
}

#[test]
fn a_refusal_needs_no_write_lock() {
    let world = anonymous();
    world.mmap(Mapping::new(200, 20, What::Driver(VmFlags::PFNMAP)));
    world.mm.with(|space| {
        space.change(at(0), at(100), |vma| {
            vma.flags = vma.flags | VmFlags::LOCKED
        });
    });
    model::with_env(|env| env.faults.kill_waiting = Some(0));
    for page in [0, 210] {
        assert_eq!(install(&world, page, 4), Err(EINVAL));
    }
    // Nor does a removal where there is no flag, or of a part.
    let remove = || policy::madvise(&world.mm, at(0), 200 * PAGE_SIZE, GUARD_REMOVE);
    assert_eq!(remove(), Ok(()));
}

#[test]
fn huge_pages_of_dax_need_the_mmap_lock() {
    let world = World::of(Mapping::new(0, 20, What::File(4, true)));
    for advice in [GUARD_INSTALL, DONTNEED, GUARD_INSTALL] {
        world.mmap(Mapping::new(5, 3, What::File(4, true)));
        world.mm.touch(at(6), false);
        // The model knows the rule.
        assert_eq!(policy::madvise(&world.mm, at(6), PAGE_SIZE, advice), Ok(()));
    }
}

#[test]
fn where_the_flag_is_no_write_lock_is_waited_for() {
    let world = anonymous();
    assert_eq!(install(&world, 0, 1), Ok(()));
    let second = policy::madvise(&world.mm, at(6), 9 * PAGE_SIZE, DONTDUMP);
    assert_eq!(second, Ok(()));
    model::with_env(|env| env.faults.kill_waiting = Some(0));
    for (first, n) in [(1, 1), (4, 4)] {
        assert_eq!(install(&world, first, n), Ok(()), "of one mapping, of two");
    }
    let other = policy::madvise(&world.mm, at(6), PAGE_SIZE, DONTFORK);
    assert_eq!(other, Err(EINTR));
}

#[test]
fn a_table_that_is_missing_comes_with_its_guards() {
    let world = World::of(Mapping::new(0, 3 * TABLE_PAGES, What::Anonymous));
    assert_eq!(install(&world, 5, 2 * TABLE_PAGES), Ok(()));
    assert_eq!(world.guards().len(), 2 * TABLE_PAGES);
    check(&world.mm);
}

#[test]
fn a_table_that_is_gone_is_looked_for_again() {
    for advice in [GUARD_INSTALL, GUARD_REMOVE] {
        let world = World::of(Mapping::new(0, 100, What::File(0, true)));
        if advice == GUARD_REMOVE {
            assert_eq!(install(&world, 0, 100), Ok(()));
        }
        model::with_env(|env| env.faults.vanish.extend([true, true, false, true]));
        assert_eq!(
            policy::madvise(&world.mm, at(0), 100 * PAGE_SIZE, advice),
            Ok(())
        );
        let expected = if advice == GUARD_INSTALL { 100 } else { 0 };
        assert_eq!(world.guards().len(), expected);
    }
}

#[test]
fn removal_passes_over_huge_pages() {
    let world = World::of(Mapping::new(0, 4 * TABLE_PAGES, What::File(4, true)));
    world.mm.with(|space| space.puds.insert(at(0)));
    assert_eq!(
        policy::madvise(&world.mm, at(1), PAGE_SIZE, GUARD_REMOVE),
        Ok(())
    );
    assert!(
        world.mm.with(|space| space.puds.contains(&at(0))),
        "it was split"
    );
    assert_eq!(install(&world, 1, 1), Ok(()));
    assert_eq!(world.guards(), [1]);

    let world = anonymous();
    let folio = world.huge(TABLE_PAGES);
    let range = (at(TABLE_PAGES + 1), PAGE_SIZE);
    assert_eq!(
        policy::madvise(&world.mm, range.0, range.1, GUARD_REMOVE),
        Ok(())
    );
    assert_eq!(folio.state().mapcount.get(), TABLE_PAGES);
    assert!(
        world.mm.with(|space| space.entries.is_empty()),
        "it was split"
    );
    assert_eq!(install(&world, TABLE_PAGES + 1, 1), Ok(()));
    assert_eq!(world.guards(), [TABLE_PAGES + 1]);
    assert_eq!(folio.state().mapcount.get(), TABLE_PAGES - 1);
}

#[test]
fn guards_stay_where_memory_is_dropped() {
    let world = anonymous();
    assert_eq!(install(&world, 10, 3), Ok(()));
    for advice in [DONTNEED, DONTNEED_LOCKED, FREE, COLD, PAGEOUT, DONTDUMP] {
        world.mm.touch(at(9), true);
        assert_eq!(
            policy::madvise(&world.mm, at(8), 8 * PAGE_SIZE, advice),
            Ok(())
        );
        assert_eq!(world.guards(), [10, 11, 12], "{advice}");
    }
    assert_eq!(world.mm.touch(at(10), false), Touch::Guard);
    assert_eq!(world.mm.touch(at(13), true), Touch::Done);
}

#[test]
fn a_locked_mapping_keeps_its_guards_until_they_are_removed() {
    let world = anonymous();
    assert_eq!(install(&world, 10, 3), Ok(()));
    world.mm.with(|space| {
        space.change(at(0), at(200), |vma| {
            vma.flags = vma.flags | VmFlags::LOCKED
        });
    });
    assert_eq!(install(&world, 20, 1), Err(EINVAL));
    assert_eq!(
        policy::madvise(&world.mm, at(11), PAGE_SIZE, GUARD_REMOVE),
        Ok(())
    );
    assert_eq!(world.guards(), [10, 12]);
}

#[test]
fn the_flag_goes_with_the_guards_of_all_of_a_mapping() {
    for what in [What::Anonymous, What::File(0, true)] {
        let world = World::of(Mapping::new(0, 200, what));
        let remove = |page: usize, n: usize| {
            policy::madvise(&world.mm, at(page), n * PAGE_SIZE, GUARD_REMOVE)
        };
        let has_flag = || world.flags(0).intersects(VmFlags::MAYBE_GUARD);
        for round in 0..2 {
            assert_eq!(install(&world, 10, TABLE_PAGES), Ok(()));
            world.mm.touch(at(5), true);
            assert_eq!(remove(0, 199), Ok(()));
            assert!(has_flag(), "the last page was left out");
            assert_eq!(remove(1, 199), Ok(()));
            assert!(has_flag(), "the first page was left out");
            assert_eq!(install(&world, 10, 3), Ok(()));
            assert_eq!(remove(0, 200), Ok(()));
            assert!(!has_flag(), "in round {round}");
            assert_eq!(world.guards(), []);
            assert_eq!(world.mm.touch(at(10), true), Touch::Done);
            check(&world.mm);
        }
        let child = world.mm.fork(policy::needs_copy);
        assert_eq!(child.touch(at(11), false), Touch::Done);
    }
}

#[test]
fn each_mapping_loses_the_flag_for_itself() {
    let world = anonymous();
    assert_eq!(install(&world, 0, 200), Ok(()));
    let second = policy::madvise(&world.mm, at(50), 50 * PAGE_SIZE, DONTDUMP);
    assert_eq!(second, Ok(()));
    let result = policy::madvise(&world.mm, at(20), 130 * PAGE_SIZE, GUARD_REMOVE);
    assert_eq!(result, Ok(()));
    let flagged = [0, 50, 100].map(|page| world.flags(page).intersects(VmFlags::MAYBE_GUARD));
    assert_eq!(flagged, [true, false, true]);
    // What is one again has the flag, as a part of it has guards.
    let same = policy::madvise(&world.mm, at(50), 50 * PAGE_SIZE, DODUMP);
    assert_eq!(same, Ok(()));
    assert_eq!(world.layout(), [(0, 200)]);
    assert!(world.flags(50).intersects(VmFlags::MAYBE_GUARD));
}

#[test]
fn to_take_the_flag_away_the_write_lock_is_waited_for() {
    let world = anonymous();
    assert_eq!(install(&world, 0, 3), Ok(()));
    model::with_env(|env| env.faults.kill_waiting = Some(0));
    let remove = |n: usize| policy::madvise(&world.mm, at(0), n * PAGE_SIZE, GUARD_REMOVE);
    assert_eq!(remove(2), Ok(()));
    assert_eq!(remove(200), Err(EINTR));
    assert_eq!(world.guards(), []);
    assert!(world.flags(0).intersects(VmFlags::MAYBE_GUARD));
}

#[test]
fn a_child_of_a_file_mapping_has_the_guards_and_no_more() {
    let world = World::of(Mapping::new(0, 20, What::File(0, true)));
    world.mm.touch(at(1), false);
    assert!(world
        .mm
        .fork(policy::needs_copy)
        .with(|space| space.entries.is_empty()));
    assert_eq!(install(&world, 10, 3), Ok(()));
    let child = world.mm.fork(policy::needs_copy);
    assert_eq!(child.touch(at(10), false), Touch::Guard);
    assert_eq!(child.touch(at(13), false), Touch::Done);
    // Names, splits and merges do not lose the flag on the way to a grandchild.
    assert_eq!(
        policy::madvise(&world.mm, at(0), 15 * PAGE_SIZE, DONTDUMP),
        Ok(())
    );
    assert_eq!(
        policy::madvise(&world.mm, at(0), 20 * PAGE_SIZE, DODUMP),
        Ok(())
    );
    assert_eq!(world.layout(), [(0, 20)]);
    let child = world.mm.fork(policy::needs_copy).fork(policy::needs_copy);
    assert_eq!(child.touch(at(12), false), Touch::Guard);
}

#[test]
fn own_pages_are_copied_without_guards() {
    let world = World::of(Mapping::new(0, 20, What::File(0, false)));
    world.mm.touch(at(1), true);
    let child = world.mm.fork(policy::needs_copy);
    let copied =
        |entry: &Pte| matches!(entry, Pte::Page(Mapped { folio: Some(f), .. }) if f.is_anon());
    assert!(child.with(|space| space.entries.get(&at(1)).is_some_and(copied)));
}
