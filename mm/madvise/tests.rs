// SPDX-License-Identifier: GPL-2.0

//! Guard regions in a real address space, inside the kernel.

#[allow(unsafe_code)]
#[kernel::macros::kunit_tests(rust_vma_madvise)]
mod guards {
    use crate::{
        fork,
        madvise::{advise, Behavior},
    };
    use kernel::{
        error::code::EFAULT,
        mm::{kunit::UserMemory, VmFlags},
        page::PAGE_SIZE,
        prelude::*,
    };

    const PAGES: usize = 10;

    /// The first page that [`install`] makes a guard.
    const FIRST: usize = 3;

    fn give(memory: &UserMemory, page: usize, count: usize, behavior: Behavior) -> Result {
        let (start, len) = (memory.addr(page), count * PAGE_SIZE);
        memory.with_mm(|mm| advise(mm, start, len, behavior))
    }

    /// Memory in which all pages are written and two are guards then.
    fn install(shared: bool) -> Result<UserMemory> {
        let memory = UserMemory::map(PAGES, shared)?;
        for page in 0..PAGES {
            memory.write(page, 1)?;
        }
        give(&memory, FIRST, 2, Behavior::GuardInstall)?;
        Ok(memory)
    }

    fn is_guard(page: usize) -> bool {
        (FIRST..FIRST + 2).contains(&page)
    }

    fn may_have_guards(memory: &UserMemory, page: usize) -> Result<bool> {
        memory.with_vma(page, |vma| vma.vm_flags().intersects(VmFlags::MAYBE_GUARD))
    }

    /// The pages of the VMA of a page: its first, and the one behind its end.
    fn bounds(memory: &UserMemory, page: usize) -> Result<(usize, usize)> {
        memory.with_vma(page, |vma| {
            (
                vma.start().wrapping_sub(memory.addr(0)) / PAGE_SIZE,
                vma.end().wrapping_sub(memory.addr(0)) / PAGE_SIZE,
            )
        })
    }

    #[test]
    fn a_guard_is_fatal_and_its_neighbours_stay() -> Result {
        for shared in [false, true] {
            let memory = install(shared)?;
            for page in 0..PAGES {
                let read = memory.read(page);
                assert_eq!(read, if is_guard(page) { Err(EFAULT) } else { Ok(1) });
                assert_eq!(memory.write(page, 1).is_err(), is_guard(page));
            }
            assert_eq!(may_have_guards(&memory, 0)?, true);
        }
        Ok(())
    }

    #[test]
    fn there_is_no_flag_before_the_first_guard() -> Result {
        let memory = UserMemory::map(PAGES, false)?;
        memory.write(0, 1)?;
        give(&memory, 0, PAGES, Behavior::GuardRemove)?;
        assert_eq!(may_have_guards(&memory, 0)?, false);
        Ok(())
    }

    #[test]
    fn what_was_under_a_guard_is_lost() -> Result {
        let memory = install(false)?;
        give(&memory, 0, PAGES, Behavior::GuardRemove)?;
        for page in 0..PAGES {
            assert_eq!(memory.read(page)?, if is_guard(page) { 0 } else { 1 });
        }
        Ok(())
    }

    #[test]
    fn the_flag_goes_with_the_guards_of_all_of_the_vma() -> Result {
        for shared in [false, true] {
            let memory = install(shared)?;
            assert_eq!(bounds(&memory, 0)?, (0, PAGES));
            for (page, count, stays) in [
                (1, PAGES - 1, true),
                (0, PAGES - 1, true),
                (0, PAGES, false),
            ] {
                give(&memory, page, count, Behavior::GuardRemove)?;
                assert_eq!(may_have_guards(&memory, 0)?, stays);
            }
            give(&memory, FIRST, 1, Behavior::GuardInstall)?;
            assert_eq!(may_have_guards(&memory, 0)?, true);
            assert_eq!(memory.read(FIRST), Err(EFAULT));
        }
        Ok(())
    }

    #[test]
    fn only_anonymous_memory_gets_an_anon_vma() -> Result {
        for shared in [false, true] {
            let memory = UserMemory::map(PAGES, shared)?;
            give(&memory, FIRST, 2, Behavior::GuardInstall)?;
            let has_anon_vma = memory.with_vma(0, |vma| vma.has_anon_vma())?;
            assert_eq!(has_anon_vma, !shared);
        }
        Ok(())
    }

    #[test]
    fn fork_copies_the_page_tables_of_shared_memory_with_guards() -> Result {
        let copies = |memory: &UserMemory| {
            memory.with_vma(0, |vma| {
                let flags = vma.vm_flags();
                fork::needs_copy(flags, vma.has_anon_vma())
            })
        };
        let memory = UserMemory::map(PAGES, true)?;
        memory.write(0, 1)?;
        assert_eq!(copies(&memory)?, false);
        give(&memory, FIRST, 2, Behavior::GuardInstall)?;
        assert_eq!(copies(&memory)?, true);
        Ok(())
    }

    #[test]
    fn advice_that_splits_and_merges_keeps_the_flag() -> Result {
        let memory = install(false)?;
        give(&memory, 6, 2, Behavior::DontDump)?;
        for (page, vma) in [(0, (0, 6)), (6, (6, 8)), (8, (8, PAGES))] {
            assert_eq!(bounds(&memory, page)?, vma);
            assert_eq!(may_have_guards(&memory, page)?, true);
        }
        give(&memory, 6, 2, Behavior::DoDump)?;
        assert_eq!(bounds(&memory, 6)?, (0, PAGES));
        assert_eq!(may_have_guards(&memory, 6)?, true);
        Ok(())
    }

    #[test]
    fn a_hole_is_told_after_the_work_is_done() -> Result {
        let memory = UserMemory::map(PAGES, false)?;
        memory.unmap(4, 2)?;
        let told = give(&memory, 2, 6, Behavior::GuardInstall);
        assert_eq!(told, Err(ENOMEM));
        for page in [2, 3, 6, 7] {
            assert_eq!(memory.read(page), Err(EFAULT));
        }
        for page in [1, 8] {
            assert_eq!(memory.read(page), Ok(0));
        }
        Ok(())
    }

    #[test]
    fn a_refused_call_changes_nothing() -> Result {
        let memory = UserMemory::map(PAGES, false)?;
        let start = memory.addr(0);
        for (start, len) in [(start + 1, PAGE_SIZE), (start, usize::MAX)] {
            let told = memory.with_mm(|mm| advise(mm, start, len, Behavior::GuardInstall));
            assert_eq!(told, Err(EINVAL));
        }
        assert_eq!(may_have_guards(&memory, 0)?, false);
        assert_eq!(memory.write(0, 1), Ok(()));
        Ok(())
    }

    #[test]
    fn discarding_advice_leaves_guards() -> Result {
        for behavior in [Behavior::DontNeed, Behavior::Free, Behavior::Cold] {
            let memory = install(false)?;
            give(&memory, 0, PAGES, behavior)?;
            for page in FIRST..FIRST + 2 {
                assert_eq!(memory.read(page), Err(EFAULT));
            }
        }
        Ok(())
    }
}
