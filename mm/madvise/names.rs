// SPDX-License-Identifier: GPL-2.0

//! Names of anonymous VMAs: `prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)`.

use super::{locks::for_each_vma, work::try_again};
use kernel::{
    mm::{AnonVmaName, LockMode, MmWithUser, MmapWrite, PageRange, VmaMmapWrite},
    prelude::*,
    str::CStr,
    sync::aref::ARef,
    uaccess::UserSlice,
};

/// Gives `len` bytes from the address `start` the name that userspace has at `name`, or takes their
/// names away if there is none.
///
/// # Errors
///
/// - `EFAULT` when the name cannot be read; `EINVAL` when it is too long or has other characters
///   than it may; `ENOMEM` when there is no memory for it.
/// - Errors of [`PageRange::from_user`].
/// - `EINTR` when a fatal signal ended the wait for the lock.
/// - `EBADF` for memory that is not anonymous, and `EAGAIN` when a VMA cannot be split, which end
///   the work there.
/// - `ENOMEM` when a part of the range is not mapped, although the rest was processed.
///
/// C: `set_anon_vma_name()` of `mm/madvise.c`.
pub(crate) fn set(mm: &MmWithUser, start: usize, len: usize, name: Option<UserPtr>) -> Result {
    let name = name.map(copy).transpose()?;
    let Some(range) = PageRange::from_user(start, len)? else {
        return Ok(());
    };
    let mut guard = MmapWrite::lock(mm)?;
    // A tag is not taken off the address: with one, nothing is mapped there.
    for_each_vma::<MmapWrite, _>(&mut guard, range, |vma, part| {
        set_one(vma, part, name.as_deref()).map_err(try_again)
    })
}

/// Reads a string of userspace. Returns its length with the zero at its end, where it may have been
/// cut off.
fn read(name: UserPtr, buffer: &mut [u8]) -> Result<usize> {
    let reader = UserSlice::new(name, buffer.len()).reader();
    Ok(reader.strcpy_into_buf(buffer)?.to_bytes_with_nul().len())
}

/// Makes a name of a string of userspace.
fn copy(name: UserPtr) -> Result<ARef<AnonVmaName>> {
    const MAX_LEN: usize = AnonVmaName::MAX_LEN;

    let mut buffer = [0; MAX_LEN];
    let len = read(name, &mut buffer)?;
    // If it was cut off, it is longer in a longer buffer.
    if len == MAX_LEN && read(name, &mut [0; MAX_LEN + 1]) != Ok(len) {
        return Err(EINVAL);
    }
    let name = CStr::from_bytes_with_nul(buffer.get(..len).unwrap_or_default());
    AnonVmaName::new(name.map_err(|_| EINVAL)?)
}

/// Gives `range`, a part of `vma`, a name, or none. Returns the end of the VMA that has the range
/// then.
fn set_one(vma: VmaMmapWrite<'_>, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
    if vma.can_have_name() && vma.has_name(name) {
        return Ok(vma.end());
    }
    vma.modify_name(range, name)
}
