// SPDX-License-Identifier: GPL-2.0

//! Random address spaces and calls, each compared with what the oracle says.

use crate::{
    operation::{self, Call, Setup},
    oracle::Oracle,
    world::{
        at, check, check_contents, check_mapcounts, flagged, Mapping, View, What, World, FILES,
    },
};
use kernel::{
    bindings::{CAP_SYS_ADMIN, CAP_SYS_NICE},
    error::{code::*, Error, Result},
    mm::{MmWithUser, PageRange, VmFlags},
    model::{self, Event, UserData},
    page::{PAGE_SIZE, TABLE_PAGES},
};
use proptest::prelude::*;

/// The bits of an address that the hardware ignores, as on arm64.
const TAG_MASK: usize = 0xff << 56;

/// How a call is made, beside what it asks for.
#[derive(Clone, Debug)]
struct Circumstances {
    admin: bool,
    killed: bool,
    tag: usize,
    resched: Vec<bool>,
}

prop_compose! {
    fn circumstances()(
        admin in prop::bool::weighted(0.8),
        killed in prop::bool::weighted(0.03),
        tag in prop_oneof![9 => Just(0), 1 => 0..256usize],
        resched in prop::collection::vec(any::<bool>(), 0..4),
    ) -> Circumstances {
        Circumstances { admin, killed, tag: tag << 56, resched }
    }
}

/// Makes a call. Its result is in bytes, or zero.
pub fn make(mm: &MmWithUser, call: &Call, tag: usize) -> Result<usize> {
    match call {
        Call::Madvise { start, len, advice } => {
            policy::madvise(mm, start | tag, *len, *advice).map(|()| 0)
        }
        Call::Process { vector, advice, .. } => {
            let vector: Vec<_> = vector
                .iter()
                .map(|(start, len)| (start | tag, *len))
                .collect();
            let count = vector.len();
            let ptr = model::with_env(|env| env.put(UserData::Vector(vector)));
            policy::process_madvise(1, ptr, count, *advice, 0)
        }
        #[cfg(CONFIG_ANON_VMA_NAME)]
        Call::Name { start, len, name } => {
            let put =
                |name: &Vec<u8>| model::with_env(|env| env.put(UserData::String(name.clone())));
            policy::set_name(mm, *start, *len, name.as_ref().map(put)).map(|()| 0)
        }
        #[cfg(not(CONFIG_ANON_VMA_NAME))]
        Call::Name { .. } => panic!("names are not there"),
    }
}

/// Says who is the caller: the process itself or another one.
pub fn call_as(world: &World, call: &Call, admin: bool) {
    let (remote, nice) = match call {
        Call::Process { remote, nice, .. } => (*remote, *nice),
        _ => (false, false),
    };
    let caller = if remote {
        MmWithUser::new()
    } else {
        world.mm.clone()
    };
    model::with_env(|env| {
        env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
        env.current = Some(caller);
        env.capabilities.clear();
        env.capabilities.extend(admin.then_some(CAP_SYS_ADMIN));
        env.capabilities.extend(nice.then_some(CAP_SYS_NICE));
    });
}

/// What is compared of that which was done: not when TLBs were flushed.
fn comparable(mut events: Vec<Event>) -> Vec<Event> {
    // What populates reads nothing; how often a process is blocked before it is killed is of no matter.
    events.retain(|event| !matches!(event, Event::Flush(_) | Event::Unplug));
    // Folios of a table are reclaimed together, in the order in which they are mapped.
    events
}

fn compare(world: &World, call: &Call, how: &Circumstances) {
    let before = world.look();
    call_as(world, call, how.admin);
    model::with_env(|env| {
        env.tag_mask = TAG_MASK;
        env.faults.kill_waiting = how.killed.then_some(0);
        env.faults.resched = how.resched.iter().copied().collect();
    });
    let mut oracle = Oracle {
        view: before.clone(),
        events: Vec::new(),
        current: !matches!(call, Call::Process { remote: true, .. }),
        admin: how.admin,
        nice: matches!(call, Call::Process { nice: true, .. }),
        tag_mask: TAG_MASK,
        killed: how.killed,
    };
    let expected = expect(&mut oracle, call, how.tag);
    model::take_events();
    let result = make(&world.mm, call, how.tag);
    let mut events = comparable(model::take_events());
    // What becomes of large folios, and of the parts of those that are split, is for the tests of large.rs.
    events.retain(|event| match event {
        Event::Reclaimed(id) => oracle.view.folios.contains_key(id),
        _ => true,
    });
    let after = world.look();

    oracle.view.spread_flag(&after);
    assert_eq!(result, expected, "the result of {call:?}");
    if let Some(difference) = after.difference(&oracle.view) {
        panic!("after {call:?}, which ended with {result:?}: {difference}");
    }
    // Those who are blocked try as often as it takes.
    if !blocked(result, call) {
        assert_eq!(events, comparable(oracle.events), "what {call:?} did");
    }
    check(&world.mm);
    check_flag_stays(call, &before, &after);
}

fn blocked(result: Result<usize>, call: &Call) -> bool {
    result == Err(EINTR) && matches!(call, Call::Process { .. })
}

/// Every advice for every kind of mapping, with each flag that matters to some.
#[test]
fn every_advice_for_every_mapping() {
    let calm = Circumstances {
        admin: true,
        killed: false,
        tag: 0,
        resched: Vec::new(),
    };
    for mapping in mappings() {
        for advice in crate::oracle::ALL {
            let world = World::of(mapping);
            for page in 0..12 {
                world.mm.touch(at(page), page % 2 == 0);
            }
            // A part, and more than there is.
            for (page, n) in [(3, 5), (0, TABLE_PAGES + 3)] {
                let (start, len) = (at(page), n * PAGE_SIZE);
                compare(&world, &Call::Madvise { start, len, advice }, &calm);
            }
        }
    }
}

fn mappings() -> Vec<Mapping> {
    let drivers = [
        VmFlags::PFNMAP,
        VmFlags::IO,
        VmFlags::MIXEDMAP,
        VmFlags::DONTEXPAND,
    ];
    let files = (0..FILES.len()).flat_map(|n| [What::File(n, false), What::File(n, true)]);
    let kinds = [What::Anonymous, What::Hugetlb]
        .into_iter()
        .chain(drivers.map(What::Driver))
        .chain(files);
    let flags = [
        VmFlags::NONE,
        VmFlags::LOCKED,
        VmFlags::SEALED,
        VmFlags::DROPPABLE,
        VmFlags::MERGEABLE,
        VmFlags::HUGEPAGE | VmFlags::SEQ_READ,
        VmFlags::NOHUGEPAGE | VmFlags::RAND_READ,
        VmFlags::DONTCOPY | VmFlags::DONTDUMP | VmFlags::WIPEONFORK,
    ];
    let mut mappings = Vec::new();
    for what in kinds {
        let plain = Mapping::new(0, 12, what);
        let with = |flags| Mapping {
            flags: plain.flags | flags,
            ..plain
        };
        let sealed = with(VmFlags::SEALED);
        mappings.extend(flags.map(with));
        mappings.extend([
            Mapping {
                flags: sealed.flags - VmFlags::WRITE,
                ..sealed
            },
            Mapping {
                flags: plain.flags - VmFlags::WRITE - VmFlags::MAYWRITE,
                ..plain
            },
            Mapping {
                pkey: true,
                ..sealed
            },
            Mapping {
                watched: true,
                ..plain
            },
            Mapping {
                watched: true,
                ..with(VmFlags::UFFD_WP)
            },
        ]);
    }
    mappings
}

/// What the oracle says of a call.
fn expect(oracle: &mut Oracle, call: &Call, tag: usize) -> Result<usize, Error> {
    match call {
        Call::Madvise { start, len, advice } => {
            oracle.madvise(start | tag, *len, *advice).map(|()| 0)
        }
        Call::Process { vector, advice, .. } => {
            let vector: Vec<_> = vector
                .iter()
                .map(|(start, len)| (start | tag, *len))
                .collect();
            oracle.process_madvise(&vector, *advice)
        }
        Call::Name { start, len, name } => {
            oracle.set_name(*start, *len, name.as_deref()).map(|()| 0)
        }
    }
}

/// No call takes the flag away but that which removes guards.
pub fn check_flag_stays(call: &Call, before: &View, after: &View) {
    if let Call::Madvise { advice, .. } | Call::Process { advice, .. } = call {
        if *advice == crate::oracle::number::GUARD_REMOVE {
            return;
        }
    }
    let lost: Vec<usize> = flagged(before)
        .difference(&flagged(after))
        .copied()
        .collect();
    assert!(lost.is_empty(), "pages {lost:?} have lost the flag");
}

/// A child has all that no page fault brings back.
pub fn check_fork(world: &World) {
    use crate::world::Entry;
    let before = world.look();
    let child = world.mm.fork(policy::needs_copy);
    let after = View::of(&child);
    for (page, (parent, child)) in before.pages.iter().zip(&after.pages).enumerate() {
        let Some(vma) = &parent.vma else {
            continue;
        };
        let has = |flags| vma.flags.intersects(flags);
        if has(VmFlags::DONTCOPY) {
            assert!(child.vma.is_none(), "page {page} is not for children");
        } else if has(VmFlags::WIPEONFORK) {
            assert_eq!(child.entry, Entry::Empty, "page {page} is wiped");
        } else {
            let lost = match &parent.entry {
                Entry::Guard | Entry::Swap => child.entry != parent.entry,
                // That a page of a file, or the page of zeros, has failed is found again.
                Entry::Poisoned if vma.anon_vma.is_some() => child.entry != parent.entry,
                Entry::Page(Some(id), ..) if before.folios[id].anon => child.entry != parent.entry,
                _ => child.entry == Entry::Guard,
            };
            assert!(
                !lost,
                "page {page}: {:?} became {:?}",
                parent.entry, child.entry
            );
        }
    }
    check_contents(&child);
    check_mapcounts(&[world.mm.clone(), child.clone()]);
    // The child ends, and so do its mappings.
    child.with(|space| {
        let (first, last) = (at(0), at(2 * crate::world::PAGES));
        space.munmap(first, last);
    });
}

/// Each access to a guard is fatal, and to no other page for that reason.
pub fn check_touch(world: &World, page: usize, write: bool) {
    use kernel::mm::space::Touch;
    let addr = at(page);
    let was_guard = world.guards().contains(&page);
    let touched = world.mm.touch(addr, write);
    let guarded = touched == Touch::Guard;
    assert!(!guarded || was_guard, "page {page} is no guard");
    assert!(
        !was_guard || matches!(touched, Touch::Guard | Touch::Denied),
        "page {page}: {touched:?}"
    );
    assert_eq!(world.guards().contains(&page), was_guard);
}

#[derive(Clone, Debug)]
enum Step {
    Setup(Setup),
    Call(Call, Circumstances),
    Fork,
    Touch(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => operation::setup().prop_map(Step::Setup),
        6 => (operation::call(), circumstances()).prop_map(|(call, how)| Step::Call(call, how)),
        1 => Just(Step::Fork),
        1 => (0..crate::world::PAGES, any::<bool>()).prop_map(|(page, write)| Step::Touch(page, write)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn calls_do_what_the_oracle_says(
        setups in prop::collection::vec(operation::setup(), 4..20),
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let world = World::new();
        for setup in setups {
            setup.run(&world);
            check(&world.mm);
        }
        for step in steps {
            match step {
                Step::Setup(setup) => setup.run(&world),
                Step::Call(call, how) => compare(&world, &call, &how),
                Step::Fork => check_fork(&world),
                Step::Touch(page, write) => check_touch(&world, page, write),
            }
            check(&world.mm);
        }
        check_mapcounts(std::slice::from_ref(&world.mm));
    }

    #[test]
    fn ranges_are_those_of_c(start in any::<usize>(), len in any::<usize>(), page in any::<bool>()) {
        let start = if page { start - start % PAGE_SIZE } else { start };
        let ours = PageRange::from_user(start, len).map(|range| range.map(|r| (r.start(), r.end())));
        let rounded = len.wrapping_add(PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
        let end = start.wrapping_add(rounded);
        let invalid = start % PAGE_SIZE != 0 || (len > 0 && rounded == 0) || end < start;
        let expected = match (invalid, rounded) {
            (true, _) => Err(EINVAL),
            (false, 0) => Ok(None),
            (false, _) => Ok(Some((start, end))),
        };
        prop_assert_eq!(ours, expected);
    }
}
