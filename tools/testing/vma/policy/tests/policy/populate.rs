// SPDX-License-Identifier: GPL-2.0

//! Advice that faults pages in, or lets them fail.

use crate::{
    oracle::number::*,
    world::{at, Mapping, What, World},
};
use kernel::{
    bindings::CAP_SYS_ADMIN,
    error::code::*,
    mm::VmFlags,
    model::{self, Event},
    page::PAGE_SIZE,
};

fn populate(world: &World, page: usize, n: usize, advice: i32) -> kernel::error::Result {
    policy::madvise(&world.mm, at(page), n * PAGE_SIZE, advice)
}

fn pages(world: &World) -> usize {
    world.mm.with(|space| space.entries.len())
}

#[test]
fn it_goes_on_where_it_took_a_break() {
    let world = World::of(Mapping::new(0, 40, What::Anonymous));
    model::with_env(|env| env.faults.populate.extend([Ok(3), Ok(1), Ok(5)]));
    assert_eq!(populate(&world, 2, 30, POPULATE_WRITE), Ok(()));
    assert_eq!(pages(&world), 30);
}

#[test]
fn what_is_gone_after_a_break_is_no_memory() {
    let world = World::of(Mapping::new(0, 40, What::Anonymous));
    model::with_env(|env| {
        env.faults.populate.push_back(Ok(3));
        env.faults
            .unlocked
            .push_back(Box::new(|mm| mm.with(|s| s.munmap(at(5), at(40)))));
    });
    assert_eq!(populate(&world, 2, 30, POPULATE_READ), Err(ENOMEM));
}

#[test]
fn errors_that_userspace_does_not_know_are_no_memory() {
    let expected = |errno| match errno {
        EINTR | EINVAL | EHWPOISON | EFAULT | ENOMEM => errno,
        _ => ENOMEM,
    };
    let mut warnings = 0;
    for error in [
        EINTR,
        EINVAL,
        EHWPOISON,
        EFAULT,
        ENOMEM,
        EAGAIN,
        model::error(-77),
        EPERM,
    ] {
        let world = World::of(Mapping::new(0, 40, What::Anonymous));
        model::with_env(|env| env.faults.populate.extend([Ok(1), Err(error)]));
        assert_eq!(
            populate(&world, 0, 4, POPULATE_READ),
            Err(expected(error)),
            "{error:?}"
        );
        let warned = |event: &&Event| matches!(event, Event::Warning(_));
        warnings += model::take_events().iter().filter(warned).count();
    }
    // Once for all of the kernel's life.
    assert_eq!(warnings, 1);
}

#[test]
fn errors_are_those_of_the_first_page_that_has_one() {
    let world = World::of(Mapping::new(0, 10, What::Anonymous));
    world.mmap(Mapping {
        flags: VmFlags::READ,
        ..Mapping::new(10, 10, What::Anonymous)
    });
    assert_eq!(populate(&world, 0, 20, POPULATE_WRITE), Err(EINVAL));
    assert_eq!(pages(&world), 10);
    assert_eq!(populate(&world, 0, 30, POPULATE_READ), Err(ENOMEM));
    assert_eq!(pages(&world), 20);
    assert_eq!(policy::madvise(&world.mm, at(4), 1, GUARD_INSTALL), Ok(()));
    assert_eq!(populate(&world, 3, 9, POPULATE_READ), Err(EFAULT));
}

#[test]
fn a_collapse_is_for_mm_to_judge() {
    if !cfg!(CONFIG_TRANSPARENT_HUGEPAGE) {
        return;
    }
    for error in [EINVAL, ENOMEM, EBUSY, EAGAIN] {
        let world = World::of(Mapping::new(0, 10, What::Anonymous));
        world.mmap(Mapping::new(10, 10, What::File(2, true)));
        model::with_env(|env| env.faults.collapse.extend([Ok(()), Err(error)]));
        assert_eq!(populate(&world, 0, 20, COLLAPSE), Err(error));
        let events = model::take_events();
        let expected = [
            Event::Collapse(at(0), at(10)),
            Event::Collapse(at(10), at(20)),
        ];
        assert_eq!(events, [&expected[..], &[Event::Unplug]].concat());
    }
}

#[test]
fn a_collapse_goes_on_with_what_is_there_then() {
    if !cfg!(CONFIG_TRANSPARENT_HUGEPAGE) {
        return;
    }
    let world = World::of(Mapping::new(0, 20, What::Anonymous));
    model::with_env(|env| {
        env.faults
            .unlocked
            .push_back(Box::new(|mm| mm.with(|s| s.munmap(at(0), at(30)))));
    });
    assert_eq!(populate(&world, 0, 30, COLLAPSE), Err(ENOMEM));
}

#[test]
fn memory_fails_by_the_folio() {
    if cfg!(CONFIG_MEMORY_FAILURE) {
        for advice in [HWPOISON, SOFT_OFFLINE] {
            let world = World::of(Mapping::new(0, 20, What::Anonymous));
            let folio = world.large(0, 4);
            let len = 5 * PAGE_SIZE;
            assert_eq!(policy::madvise(&world.mm, at(0), len, advice), Err(EPERM));
            model::with_env(|env| env.capabilities.insert(CAP_SYS_ADMIN));
            assert_eq!(policy::madvise(&world.mm, at(0), len, advice), Ok(()));
            // One page of the large folio and the page behind it.
            assert_eq!(folio.state().mapcount.get(), 3);
            assert_eq!(pages(&world), 5);
            // A part of a page is a page.
            assert_eq!(
                policy::madvise(&world.mm, at(8), PAGE_SIZE + 1, advice),
                Ok(())
            );
            assert_eq!(pages(&world), 7);
        }
    }
}
