// SPDX-License-Identifier: GPL-2.0

//! What `fork()` does with page tables.

use kernel::mm::VmFlags;

/// Decides whether `fork()` must copy the page tables of a VMA, or may leave them to be filled
/// again by page faults.
///
/// They must be copied when they hold what no page fault brings back: pages of the process's own
/// (`has_anon_vma`), page frames that a driver mapped, guard markers. The write protection of
/// userfaultfd is in the page tables, too; whether the child keeps it is seen in the flags of the
/// copy, `dst`, alone.
///
/// C: `vma_needs_copy()` of `mm/memory.c`.
pub(crate) fn needs_copy(dst: VmFlags, src: VmFlags, has_anon_vma: bool) -> bool {
    const NOT_FAULTED_BACK: VmFlags = VmFlags::PFNMAP
        .union(VmFlags::MIXEDMAP)
        .union(VmFlags::MAYBE_GUARD);

    dst.intersects(VmFlags::UFFD_WP) || src.intersects(NOT_FAULTED_BACK) || has_anon_vma
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[allow(unsafe_code)]
#[kernel::macros::kunit_tests(rust_vma_fork)]
mod tests {
    use super::*;

    const PLAIN: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::SHARED);

    #[test]
    fn plain_file_mappings_are_faulted_back() {
        assert!(!needs_copy(PLAIN, PLAIN, false));
        assert!(!needs_copy(VmFlags::NONE, VmFlags::NONE, false));
    }

    #[test]
    fn own_pages_are_copied() {
        assert!(needs_copy(PLAIN, PLAIN, true));
    }

    #[test]
    fn each_flag_of_the_source_suffices() {
        for flag in [VmFlags::PFNMAP, VmFlags::MIXEDMAP, VmFlags::MAYBE_GUARD] {
            assert!(needs_copy(PLAIN, PLAIN | flag, false));
            assert!(needs_copy(PLAIN | flag, PLAIN | flag, false));
            assert!(!needs_copy(PLAIN | flag, PLAIN, false));
        }
    }

    #[test]
    fn write_protection_counts_in_the_copy_alone() {
        assert!(needs_copy(PLAIN | VmFlags::UFFD_WP, PLAIN, false));
        assert!(!needs_copy(PLAIN, PLAIN | VmFlags::UFFD_WP, false));
    }

    #[test]
    fn no_other_flag_counts() {
        let others =
            !(VmFlags::PFNMAP | VmFlags::MIXEDMAP | VmFlags::MAYBE_GUARD | VmFlags::UFFD_WP);
        assert!(!needs_copy(others, others, false));
    }
}
