// SPDX-License-Identifier: GPL-2.0

//! Folios of several pages, which the oracle leaves open.

use crate::{
    oracle::number::*,
    world::{at, check, check_mapcounts, Entry, Mapping, What, World},
};
use kernel::{
    mm::{folio::Folio, space::Pte},
    model::{self, Event},
    page::{PAGE_SIZE, TABLE_PAGES},
};

fn world() -> World {
    World::of(Mapping::new(0, 3 * TABLE_PAGES, What::Anonymous))
}

fn advise(world: &World, page: usize, n: usize, advice: i32) {
    assert_eq!(
        policy::madvise(&world.mm, at(page), n * PAGE_SIZE, advice),
        Ok(())
    );
    check(&world.mm);
    check_mapcounts(std::slice::from_ref(&world.mm));
}

/// Whether a folio was done what the advice says.
fn is_done(world: &World, folio: &Folio, advice: i32) -> bool {
    let state = folio.state();
    match advice {
        FREE => state.lazyfree.get() && !state.dirty.get(),
        COLD => state.deactivated.get(),
        _ => !world.look().folios.contains_key(&folio.id()),
    }
}

const EACH: [i32; 3] = if cfg!(CONFIG_SWAP) {
    [FREE, COLD, PAGEOUT]
} else {
    [FREE, COLD, COLD]
};

#[test]
fn a_whole_folio_is_not_split() {
    for advice in EACH {
        let world = world();
        let folio = world.large(8, 4);
        folio.state().dirty.set(true);
        let small = world.large(12, 1);
        small.state().dirty.set(true);
        advise(&world, 8, 6, advice);
        assert!(is_done(&world, &folio, advice), "advice {advice}");
        assert!(
            is_done(&world, &small, advice),
            "advice {advice}: the page behind it"
        );
        let is_there = world.look().folios.contains_key(&folio.id());
        assert_eq!(is_there, advice != PAGEOUT, "advice {advice}: it was split");
    }
}

#[test]
fn a_part_of_a_folio_is_split_off() {
    for advice in EACH {
        let world = world();
        let folio = world.large(8, 4);
        advise(&world, 10, 4, advice);
        let view = world.look();
        assert!(
            !view.folios.contains_key(&folio.id()),
            "advice {advice}: it was not split"
        );
        let done = |page: usize| match &view.pages[page].entry {
            Entry::Page(Some(id), ..) => match advice {
                FREE => view.folios[id].lazyfree.get(),
                COLD => view.folios[id].deactivated.get(),
                _ => false,
            },
            entry => advice == PAGEOUT && *entry == Entry::Swap,
        };
        let pages: Vec<bool> = (8..12).map(done).collect();
        assert_eq!(pages, [false, false, true, true], "advice {advice}");
    }
}

#[test]
fn what_cannot_be_split_is_passed_over() {
    for advice in EACH {
        for (pinned, locked, shared) in [
            (true, false, false),
            (false, true, false),
            (false, false, true),
        ] {
            let world = world();
            let folio = world.large(8, 4);
            let behind = world.large(12, 1);
            behind.state().dirty.set(true);
            folio.state().pinned.set(pinned);
            folio.state().locked_elsewhere.set(locked);
            folio.state().shared.set(shared);
            advise(&world, 9, 5, advice);
            assert!(
                world.look().folios.contains_key(&folio.id()),
                "advice {advice}: it was split"
            );
            assert!(!is_done(&world, &folio, advice), "advice {advice}");
            assert!(
                is_done(&world, &behind, advice),
                "advice {advice}: the page behind it"
            );
        }
    }
}

#[test]
fn pages_of_a_file_of_others_are_not_split_off_to_be_written() {
    for (file, advice, is_split) in [(0, PAGEOUT, true), (1, PAGEOUT, false), (1, COLD, true)] {
        let world = World::of(Mapping::new(0, TABLE_PAGES, What::File(file, false)));
        let folio = world.large_of_file(8, 4);
        advise(&world, 10, 4, advice);
        assert_eq!(
            world.look().folios.contains_key(&folio.id()),
            !is_split,
            "advice {advice} on file {file}"
        );
    }
}

#[test]
fn huge_pages_are_done_whole_or_split() {
    if !cfg!(CONFIG_TRANSPARENT_HUGEPAGE) {
        return;
    }
    for advice in [FREE, COLD] {
        let world = world();
        let folio = world.huge(TABLE_PAGES);
        folio.state().dirty.set(true);
        advise(&world, 0, 3 * TABLE_PAGES, advice);
        assert!(is_done(&world, &folio, advice), "advice {advice}");
        assert_eq!(
            folio.state().mapcount.get(),
            TABLE_PAGES,
            "advice {advice}: it was split"
        );

        let world = self::world();
        let folio = world.huge(TABLE_PAGES);
        advise(&world, TABLE_PAGES + 3, 2, advice);
        let view = world.look();
        assert!(
            !view.folios.contains_key(&folio.id()),
            "advice {advice}: it was not split"
        );
        let done = view
            .folios
            .values()
            .filter(|f| f.lazyfree.get() || f.deactivated.get())
            .count();
        assert_eq!(done, 2, "advice {advice}");
    }
}

#[test]
fn it_goes_on_after_others_ran() {
    for advice in [COLD, EACH[2]] {
        let world = world();
        (0..TABLE_PAGES).for_each(|page| {
            world.large(page, 1);
        });
        model::with_env(|env| env.faults.resched.extend([true, true, true]));
        advise(&world, 0, TABLE_PAGES, advice);
        let view = world.look();
        let left = view
            .folios
            .values()
            .filter(|folio| !folio.deactivated.get())
            .count();
        assert_eq!(left, 0, "advice {advice}");
    }
}

#[test]
fn a_table_that_is_gone_ends_it_there() {
    for advice in EACH {
        let world = World::of(Mapping::new(0, 3 * TABLE_PAGES, What::Anonymous));
        let behind = world.large(TABLE_PAGES + 1, 1);
        world.large(0, 1);
        model::with_env(|env| env.faults.vanish.push_back(true));
        advise(&world, 0, 2 * TABLE_PAGES, advice);
        assert!(is_done(&world, &behind, advice), "advice {advice}");
    }
}

#[test]
fn a_fatal_signal_ends_reclaim_silently() {
    let world = world();
    let folios = [world.large(1, 1), world.large(TABLE_PAGES, 1)];
    model::with_env(|env| env.faults.signal_after = Some(1));
    advise(&world, 0, 2 * TABLE_PAGES, COLD);
    assert_eq!(
        folios.map(|folio| folio.state().deactivated.get()),
        [true, false]
    );
}

#[test]
fn swap_is_freed_and_counted() {
    if cfg!(CONFIG_SWAP) {
        let world = world();
        [1, 2, 3, 7, 8, 20].into_iter().for_each(|page| {
            world.place(page, Pte::Swap(at(page)));
        });
        advise(&world, 0, 8, FREE);
        assert_eq!(world.mm.with(|space| space.swapped), 2);
    }
}

#[test]
fn tlbs_are_flushed_once_for_all_ranges() {
    let world = World::of(Mapping::new(0, 20, What::Anonymous));
    (0..20).for_each(|page| {
        world.mm.touch(at(page), true);
    });
    let ptr = model::with_env(|env| {
        env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
        let ranges = [0, 5, 9].map(|page| (at(page), 2 * PAGE_SIZE));
        env.put(model::UserData::Vector(ranges.to_vec()))
    });
    assert_eq!(
        policy::process_madvise(1, ptr, 3, DONTNEED, 0),
        Ok(6 * PAGE_SIZE)
    );
    let flushes: Vec<Event> = model::take_events()
        .into_iter()
        .filter(|event| matches!(event, Event::Flush(_)))
        .collect();
    assert_eq!(flushes, [Event::Flush(6)]);
}
