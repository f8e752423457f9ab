// SPDX-License-Identifier: GPL-2.0

//! Random calls, in which something goes wrong or others come in between. What they do is not said
//! exactly, but neither locks, nor guards, nor their flag are lost, and errors are those there are.

use crate::{
    differential::{call_as, check_flag_stays, check_fork, make},
    operation::{self, Call, Setup},
    oracle::{number::*, ALL},
    world::{at, check, check_mapcounts, Entry, World},
};
use kernel::{
    error::code::*,
    mm::MmWithUser,
    model::{self, Interference},
    page::PAGE_SIZE,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Trouble {
    fail_alloc: Option<usize>,
    signal_after: usize,
    vanish: Vec<bool>,
    reappear: Vec<bool>,
    contended: Vec<bool>,
    meanwhile: Vec<Setup>,
    populate: Vec<usize>,
}

prop_compose! {
    fn trouble()(
        fail_alloc in prop::option::weighted(0.5, 0..5usize),
        signal_after in 0..6usize,
        vanish in prop::collection::vec(any::<bool>(), 0..6),
        reappear in prop::collection::vec(any::<bool>(), 0..8),
        contended in prop::collection::vec(any::<bool>(), 0..6),
        meanwhile in prop::collection::vec(operation::setup(), 0..3),
        populate in prop::collection::vec(1..5usize, 0..3),
    ) -> Trouble {
        Trouble { fail_alloc, signal_after, vanish, reappear, contended, meanwhile, populate }
    }
}

impl Trouble {
    fn prepare(&self, world: &World) {
        let meanwhile = self.meanwhile.iter().cloned().map(|setup| {
            let files = world.files.clone();
            let work = move |mm: &MmWithUser| {
                setup.run(&World {
                    mm: mm.clone(),
                    files,
                })
            };
            Box::new(work) as Interference
        });
        model::with_env(|env| {
            env.faults.fail_alloc = self.fail_alloc;
            env.faults.signal_after = Some(self.signal_after);
            env.faults.vanish.extend(&self.vanish);
            env.faults.reappear.extend(&self.reappear);
            env.faults.contended.extend(&self.contended);
            env.faults.unlocked.extend(meanwhile);
            env.faults
                .populate
                .extend(self.populate.iter().map(|n| Ok(*n)));
        });
    }
}

fn run(world: &World, call: &Call, trouble: &Trouble) {
    let before = world.look();
    call_as(world, call, true);
    trouble.prepare(world);
    let result = make(&world.mm, call, 0);
    let alone = model::with_env(|env| {
        let unused = env.faults.unlocked.len() == trouble.meanwhile.len();
        env.faults = model::Faults::default();
        unused
    });
    let after = world.look();
    check(&world.mm);
    if let Err(e) = result {
        let known = [
            EPERM, EINTR, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EINVAL, EOPNOTSUPP, EHWPOISON,
        ];
        let restarts = e == ERESTARTNOINTR
            && matches!(
                call,
                Call::Madvise {
                    advice: GUARD_INSTALL,
                    ..
                }
            );
        assert!(known.contains(&e) || restarts, "{call:?}: {e:?}");
        // That there is no memory is never said of flags, but that the call can be made again.
        let flags = matches!(call, Call::Madvise { advice, .. } if ALL.contains(advice)
            && crate::oracle::writes(*advice) && *advice != GUARD_INSTALL);
        if flags && e == ENOMEM && !has_hole(world, call) {
            panic!("{call:?} said ENOMEM");
        }
    }
    if alone {
        check_flag_stays(call, &before, &after);
        check_guards(call, &before, &after);
    }
}

fn has_hole(world: &World, call: &Call) -> bool {
    let Call::Madvise { start, len, .. } = call else {
        return false;
    };
    let end = start.saturating_add(*len).min(at(crate::world::PAGES + 1));
    world.mm.with(|space| {
        (*start..end)
            .step_by(PAGE_SIZE)
            .any(|addr| space.lookup(addr).is_none())
    })
}

/// Guards come and go by their own advice alone.
fn check_guards(call: &Call, before: &crate::world::View, after: &crate::world::View) {
    let advice = match call {
        Call::Madvise { advice, .. } | Call::Process { advice, .. } => *advice,
        Call::Name { .. } => -1,
    };
    for (page, (old, new)) in before.pages.iter().zip(&after.pages).enumerate() {
        let (old, new) = (old.entry == Entry::Guard, new.entry == Entry::Guard);
        assert!(
            !new || old || advice == GUARD_INSTALL,
            "page {page} became a guard"
        );
        assert!(
            !old || new || advice == GUARD_REMOVE,
            "page {page} is no guard any more"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn trouble_breaks_nothing(
        setups in prop::collection::vec(operation::setup(), 4..16),
        calls in prop::collection::vec((operation::call(), trouble()), 1..16),
    ) {
        let world = World::new();
        setups.iter().for_each(|setup| setup.run(&world));
        for (call, trouble) in calls {
            run(&world, &call, &trouble);
        }
        check_fork(&world);
        check_mapcounts(std::slice::from_ref(&world.mm));
    }
}
