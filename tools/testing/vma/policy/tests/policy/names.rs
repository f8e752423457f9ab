// SPDX-License-Identifier: GPL-2.0

//! Names of anonymous memory.

use crate::{
    oracle::number::*,
    world::{at, check, Mapping, What, World},
};
use kernel::{
    error::{code::*, Result},
    mm::VmFlags,
    model::{self, UserData},
    page::PAGE_SIZE,
};

fn set(world: &World, page: usize, n: usize, name: &str) -> Result {
    let ptr = model::with_env(|env| env.put(UserData::String(name.into())));
    policy::set_name(&world.mm, at(page), n * PAGE_SIZE, Some(ptr))
}

#[test]
fn the_name_is_read_before_the_range_is_looked_at() {
    let world = World::of(Mapping::new(0, 9, What::Anonymous));
    let unmapped = model::with_env(|env| env.put(UserData::Unmapped));
    assert_eq!(
        policy::set_name(&world.mm, 1, 1, Some(unmapped)),
        Err(EFAULT)
    );
    let long = |n| model::with_env(|env| env.put(UserData::String(vec![b'x'; n])));
    assert_eq!(
        policy::set_name(&world.mm, at(0), 1, Some(long(80))),
        Err(EINVAL)
    );
    assert_eq!(
        policy::set_name(&world.mm, at(0), 1, Some(long(79))),
        Ok(())
    );
    for (fails, result) in [(0, Err(ENOMEM)), (1, Err(EAGAIN))] {
        let world = World::of(Mapping::new(0, 9, What::Anonymous));
        // The name, and then the split.
        model::with_env(|env| env.faults.fail_alloc = Some(fails));
        assert_eq!(set(&world, 2, 2, "x"), result, "allocation {fails}");
        assert_eq!(world.layout(), [(0, 9)]);
    }
}

#[test]
fn halves_that_are_named_alike_are_one_with_the_flag() {
    for guarded in [1, 6] {
        let world = World::of(Mapping::new(0, 8, What::File(3, true)));
        assert_eq!(set(&world, 0, 4, "x"), Ok(()));
        assert_eq!(world.layout(), [(0, 4), (4, 8)]);
        assert_eq!(
            policy::madvise(&world.mm, at(guarded), 1, GUARD_INSTALL),
            Ok(())
        );
        assert_eq!(set(&world, 4, 4, "x"), Ok(()));
        assert_eq!(world.layout(), [(0, 8)]);
        assert!(world.flags(0).intersects(VmFlags::MAYBE_GUARD));
        check(&world.mm);
    }
}

#[test]
fn files_have_no_names() {
    let world = World::of(Mapping::new(0, 4, What::Anonymous));
    world.mmap(Mapping::new(4, 4, What::File(2, true)));
    assert_eq!(set(&world, 0, 8, "x"), Err(EBADF));
    // What is before the file has it.
    let named = world.mm.with(|space| {
        space
            .vmas
            .iter()
            .map(|v| v.name.is_some())
            .collect::<Vec<_>>()
    });
    assert_eq!(named, [true, false]);
}
