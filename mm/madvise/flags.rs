// SPDX-License-Identifier: GPL-2.0

//! Advice that changes the flags of VMAs.
//!
//! Each function returns the flags that a VMA shall have; [`update`] gives them to the part of it
//! that is in the range.

use kernel::{
    mm::{PageRange, VmFlags, VmaMmapWrite},
    prelude::*,
};

/// Gives `range`, a part of `vma`, the flags that `change` returns. Splits and merges VMAs. Returns
/// the end of the VMA that has the range then.
///
/// # Errors
///
/// Those of `change` and of a split; `EAGAIN` in the place of `ENOMEM`, which says that a part of
/// the range is not mapped.
///
/// C: `madvise_vma_behavior()` and `madvise_update_vma()` of `mm/madvise.c`.
pub(super) fn update(
    vma: VmaMmapWrite<'_>,
    range: PageRange,
    change: fn(&VmaMmapWrite<'_>, PageRange) -> Result<VmFlags>,
) -> Result<usize> {
    change(&vma, range)
        .and_then(|flags| {
            if flags == vma.vm_flags() {
                Ok(vma.end())
            } else {
                vma.modify_flags(range, flags)
            }
        })
        .map_err(try_again)
}

/// Says `EAGAIN` for a lack of memory, as `ENOMEM` means that a part of the range is not mapped.
pub(super) fn try_again(e: Error) -> Error {
    if e == ENOMEM {
        EAGAIN
    } else {
        e
    }
}

const READ_AHEAD: VmFlags = VmFlags::SEQ_READ.union(VmFlags::RAND_READ);

/// `MADV_NORMAL`. Never fails.
pub(super) fn normal(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    Ok(vma.vm_flags() - READ_AHEAD)
}

/// `MADV_RANDOM`. Never fails.
pub(super) fn random(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    Ok((vma.vm_flags() - READ_AHEAD) | VmFlags::RAND_READ)
}

/// `MADV_SEQUENTIAL`. Never fails.
pub(super) fn sequential(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    Ok((vma.vm_flags() - READ_AHEAD) | VmFlags::SEQ_READ)
}

/// `MADV_DONTFORK`. Never fails.
pub(super) fn dont_fork(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    Ok(vma.vm_flags() | VmFlags::DONTCOPY)
}

/// `MADV_DOFORK`.
///
/// # Errors
///
/// `EINVAL` for the memory of a device.
pub(super) fn do_fork(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    let flags = vma.vm_flags();
    if flags.intersects(VmFlags::IO) {
        return Err(EINVAL);
    }
    Ok(flags - VmFlags::DONTCOPY)
}

/// `MADV_WIPEONFORK`.
///
/// # Errors
///
/// `EINVAL` for what is not private anonymous memory.
pub(super) fn wipe_on_fork(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    let flags = vma.vm_flags();
    if vma.file().is_some() || flags.intersects(VmFlags::SHARED) {
        return Err(EINVAL);
    }
    Ok(flags | VmFlags::WIPEONFORK)
}

/// `MADV_KEEPONFORK`.
///
/// # Errors
///
/// `EINVAL` for memory that may be dropped: a child must not see that it was.
pub(super) fn keep_on_fork(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    let flags = vma.vm_flags();
    if flags.intersects(VmFlags::DROPPABLE) {
        return Err(EINVAL);
    }
    Ok(flags - VmFlags::WIPEONFORK)
}

/// `MADV_DONTDUMP`. Never fails.
pub(super) fn dont_dump(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    Ok(vma.vm_flags() | VmFlags::DONTDUMP)
}

/// `MADV_DODUMP`.
///
/// # Errors
///
/// `EINVAL` for the mappings of drivers, which are left out of core dumps, and for memory that may be
/// dropped.
pub(super) fn do_dump(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    let flags = vma.vm_flags();
    let is_drivers = flags.intersects(VmFlags::SPECIAL) && !flags.intersects(VmFlags::HUGETLB);
    if is_drivers || flags.intersects(VmFlags::DROPPABLE) {
        return Err(EINVAL);
    }
    Ok(flags - VmFlags::DONTDUMP)
}

/// `MADV_MERGEABLE`.
///
/// # Errors
///
/// Those of [`VmaMmapWrite::ksm_madvise`].
#[cfg(CONFIG_KSM)]
pub(super) fn mergeable(vma: &VmaMmapWrite<'_>, range: PageRange) -> Result<VmFlags> {
    vma.ksm_madvise(range, true)
}

/// `MADV_UNMERGEABLE`.
///
/// # Errors
///
/// Those of [`VmaMmapWrite::ksm_madvise`].
#[cfg(CONFIG_KSM)]
pub(super) fn unmergeable(vma: &VmaMmapWrite<'_>, range: PageRange) -> Result<VmFlags> {
    vma.ksm_madvise(range, false)
}

/// `MADV_HUGEPAGE`.
///
/// # Errors
///
/// Those of [`VmaMmapWrite::hugepage_madvise`].
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub(super) fn huge_page(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    vma.hugepage_madvise(true)
}

/// `MADV_NOHUGEPAGE`.
///
/// # Errors
///
/// Those of [`VmaMmapWrite::hugepage_madvise`].
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
pub(super) fn no_huge_page(vma: &VmaMmapWrite<'_>, _: PageRange) -> Result<VmFlags> {
    vma.hugepage_madvise(false)
}
