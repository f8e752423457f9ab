// SPDX-License-Identifier: GPL-2.0

//! `process_madvise()`: what is checked, and in which order.

use crate::{
    oracle::number::*,
    world::{at, Mapping, What, World},
};
use kernel::{
    bindings::{CAP_SYS_ADMIN, CAP_SYS_NICE},
    error::{code::*, Error, Result},
    mm::{madv::ADVICE_CHECKED_LATE, MmWithUser},
    model::{self, UserData},
    page::PAGE_SIZE,
};

/// What can be wrong with a call, in the order in which it is looked at, with the error.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Wrong {
    Flags,
    Count,
    Vector,
    Length,
    Pidfd,
    Access,
    /// The advice is not for others.
    Remote,
    Capability,
    Range,
}

const ORDER: [(Wrong, Error); 9] = [
    (Wrong::Flags, EINVAL),
    (Wrong::Count, EINVAL),
    (Wrong::Vector, EFAULT),
    (Wrong::Length, EINVAL),
    (Wrong::Pidfd, EBADF),
    (Wrong::Access, EACCES),
    (Wrong::Remote, EINVAL),
    (Wrong::Capability, EPERM),
    (Wrong::Range, ENOMEM),
];

/// Gives advice to a page of another process, with all this wrong.
fn call(wrong: &[Wrong]) -> Result<usize> {
    let world = World::of(Mapping::new(0, 4, What::Anonymous));
    let is = |what| wrong.contains(&what);
    let page = if is(Wrong::Range) { 9 } else { 0 };
    let len = if is(Wrong::Length) {
        usize::MAX
    } else {
        PAGE_SIZE
    };
    let ptr = model::with_env(|env| {
        env.current = Some(MmWithUser::new());
        if !is(Wrong::Capability) {
            env.capabilities.insert(CAP_SYS_NICE);
        }
        if !is(Wrong::Pidfd) {
            let denied = is(Wrong::Access);
            env.pidfds.insert(
                1,
                Ok(if denied {
                    Err(EACCES)
                } else {
                    Ok(world.mm.clone())
                }),
            );
        }
        env.put(match is(Wrong::Vector) {
            true => UserData::Unmapped,
            false => UserData::Vector(vec![(at(page), len)]),
        })
    });
    let advice = if is(Wrong::Remote) { DONTNEED } else { COLD };
    let count = if is(Wrong::Count) { 1025 } else { 1 };
    policy::process_madvise(1, ptr, count, advice, u32::from(is(Wrong::Flags)))
}

#[test]
fn checks_come_in_the_order_of_c() {
    assert_eq!(call(&[]), Ok(PAGE_SIZE));
    for (i, (first, error)) in ORDER.iter().enumerate() {
        assert_eq!(call(&[*first]), Err(*error), "{first:?}");
        for (second, _) in &ORDER[i + 1..] {
            assert_eq!(
                call(&[*first, *second]),
                Err(*error),
                "{first:?} and {second:?}"
            );
        }
    }
}

fn vector(world: &World, ranges: &[(usize, usize)], advice: i32) -> Result<usize> {
    let ptr = model::with_env(|env| {
        env.pidfds.insert(1, Ok(Ok(world.mm.clone())));
        env.put(UserData::Vector(ranges.to_vec()))
    });
    policy::process_madvise(1, ptr, ranges.len(), advice, 0)
}

#[test]
fn dead_processes_are_told_from_bad_descriptors() {
    let _world = World::new();
    let ptr = model::with_env(|env| {
        env.pidfds.insert(1, Err(ESRCH));
        env.pidfds.insert(2, Ok(Err(ESRCH)));
        env.put(UserData::Vector(vec![(at(0), 1)]))
    });
    assert_eq!(policy::process_madvise(1, ptr, 1, COLD, 0), Err(ESRCH));
    assert_eq!(policy::process_madvise(2, ptr, 1, COLD, 0), Err(ESRCH));
    assert_eq!(policy::process_madvise(3, ptr, 1, COLD, 0), Err(EBADF));
}

#[test]
fn only_four_are_for_others() {
    for advice in crate::oracle::ALL {
        let world = World::of(Mapping::new(0, 4, What::Anonymous));
        model::with_env(|env| {
            env.current = Some(MmWithUser::new());
            env.capabilities.extend([CAP_SYS_ADMIN, CAP_SYS_NICE]);
        });
        let result = vector(&world, &[(at(0), PAGE_SIZE)], advice);
        let known = crate::oracle::is_known(advice);
        let expected = match advice {
            WILLNEED if !cfg!(CONFIG_SWAP) => Err(EBADF),
            COLD | PAGEOUT | WILLNEED | COLLAPSE if known => Ok(PAGE_SIZE),
            _ => Err(EINVAL),
        };
        assert_eq!(result, expected, "advice {advice}");
    }
}

#[test]
fn the_first_error_ends_it() {
    let world = World::of(Mapping::new(0, 4, What::Anonymous));
    world.mmap(Mapping::new(6, 4, What::Anonymous));
    let page = |n| (at(n), PAGE_SIZE);
    // A hole is an error, although what is mapped beside it was processed.
    let hole = (at(3), 4 * PAGE_SIZE);
    assert_eq!(
        vector(&world, &[page(1), hole, page(8)], GUARD_INSTALL),
        Ok(PAGE_SIZE)
    );
    assert_eq!(world.guards(), [1, 3, 6]);
    assert_eq!(vector(&world, &[hole, page(8)], GUARD_INSTALL), Err(ENOMEM));
    assert_eq!(world.guards(), [1, 3, 6]);
    assert_eq!(
        vector(&world, &[page(1), (at(2) + 1, 1), page(3)], GUARD_REMOVE),
        Ok(PAGE_SIZE)
    );
    assert_eq!(world.guards(), [3, 6]);
    assert_eq!(vector(&world, &[(at(2) + 1, 1)], GUARD_REMOVE), Err(EINVAL));
}

#[test]
fn lengths_count_as_they_were_passed() {
    let world = World::of(Mapping::new(0, 9, What::Anonymous));
    assert_eq!(
        vector(&world, &[(at(0), 1), (at(2), PAGE_SIZE + 1)], GUARD_INSTALL),
        Ok(PAGE_SIZE + 2)
    );
    assert_eq!(world.guards(), [0, 2, 3]);
}

#[test]
fn nothing_is_done_well() {
    let world = World::of(Mapping::new(0, 9, What::Anonymous));
    // Linux 7.3 looks at the advice first.
    let unknown = if ADVICE_CHECKED_LATE {
        Ok(0)
    } else {
        Err(EINVAL)
    };
    assert_eq!(vector(&world, &[], 77), unknown);
    assert_eq!(vector(&world, &[(at(0), 0), (at(1), 0)], 77), unknown);
    // With something behind it, the first range without length is looked at, the others are not.
    assert_eq!(
        vector(&world, &[(at(0) + 1, 0), (at(1), 1)], COLD),
        Err(EINVAL)
    );
    assert_eq!(
        vector(&world, &[(at(1), 1), (at(0) + 1, 0), (at(1), 1)], COLD),
        Ok(2)
    );
}

#[test]
fn all_ranges_are_done_under_one_lock() {
    let world = World::of(Mapping::new(0, 9, What::Anonymous));
    // The second wait would be ended.
    model::with_env(|env| env.faults.kill_waiting = Some(1));
    let ranges = [(at(0), PAGE_SIZE), (at(2), PAGE_SIZE), (at(4), PAGE_SIZE)];
    assert_eq!(vector(&world, &ranges, GUARD_INSTALL), Ok(3 * PAGE_SIZE));
}
