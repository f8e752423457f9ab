// SPDX-License-Identifier: GPL-2.0

//! What `fork()` does with page tables.

use kernel::mm::VmFlags;

/// Decides whether `fork()` must copy the page tables of a VMA, or may leave them to be filled
/// again by page faults.
///
/// They must be copied when they hold what no page fault brings back: pages of the process's own
/// (`has_anon_vma`), page frames that a driver mapped, guard markers, the protection of
/// userfaultfd. `copy` has the flags of the child's VMA, from which userfaultfd may have been taken
/// away.
///
/// C: `vma_needs_copy()` of `mm/memory.c`.
pub(crate) fn needs_copy(copy: VmFlags, has_anon_vma: bool) -> bool {
    copy.intersects(VmFlags::COPY_ON_FORK) || has_anon_vma
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[allow(unsafe_code)]
#[kernel::macros::kunit_tests(rust_vma_fork)]
mod tests {
    use super::*;

    const PLAIN: VmFlags = VmFlags::READ.union(VmFlags::WRITE).union(VmFlags::SHARED);

    #[test]
    fn plain_file_mappings_are_faulted_back() {
        assert!(!needs_copy(PLAIN, false));
        assert!(!needs_copy(VmFlags::NONE, false));
    }

    #[test]
    fn own_pages_are_copied() {
        assert!(needs_copy(PLAIN, true));
    }

    #[test]
    fn each_flag_suffices() {
        let flags = [
            VmFlags::PFNMAP,
            VmFlags::MIXEDMAP,
            VmFlags::MAYBE_GUARD,
            VmFlags::UFFD_WP,
        ];
        for flag in flags {
            assert!(needs_copy(PLAIN | flag, false));
        }
        let rwp = needs_copy(PLAIN | VmFlags::UFFD_RWP, false);
        assert_eq!(rwp, !VmFlags::UFFD_RWP.is_empty());
    }

    #[test]
    fn no_other_flag_counts() {
        assert!(!needs_copy(!VmFlags::COPY_ON_FORK, false));
    }
}
