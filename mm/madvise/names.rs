// SPDX-License-Identifier: GPL-2.0

//! Names of anonymous VMAs: `prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)`.

use super::{flags::try_again, for_each_vma};
use kernel::{
    mm::{AnonVmaName, LockMode, MmWithUser, MmapWrite, PageRange, UserCString, VmaMmapWrite},
    prelude::*,
    str::CStr,
};

/// The size of the longest name, in bytes, with the zero at its end.
const MAX_LEN: usize = 80;

/// Gives `len` bytes from the address `start` the name that userspace has at `name`, or takes their
/// names away if there is none.
///
/// # Errors
///
/// - `EFAULT` when the name cannot be read; `EINVAL` when it is too long or has other characters than
///   it may; `ENOMEM` when there is no memory for it.
/// - Those of [`PageRange::from_user`].
/// - `EINTR` when a fatal signal ended the wait for the lock.
/// - `EBADF` for what is not anonymous memory, and `EAGAIN` when a VMA cannot be split, which end
///   the work there.
/// - `ENOMEM` when a part of the range is not mapped, although the rest was processed.
///
/// C: `set_anon_vma_name()` of `mm/madvise.c`.
pub(crate) fn set(mm: &MmWithUser, start: usize, len: usize, name: Option<UserPtr>) -> Result {
    let name = match name {
        None => None,
        Some(name) => {
            let name = UserCString::new(name, MAX_LEN)?;
            if !is_valid(&name) {
                return Err(EINVAL);
            }
            Some(AnonVmaName::new(&name)?)
        }
    };
    let Some(range) = PageRange::from_user(start, len)? else {
        return Ok(());
    };
    let mut guard = MmapWrite::lock(mm)?;
    // A tag is not taken off the address: with one, nothing is mapped there.
    for_each_vma::<MmapWrite, _>(&mut guard, range, |vma, part| {
        set_one(vma, part, name.as_deref()).map_err(try_again)
    })
}

/// Returns whether each byte is a printable character of ASCII that has no meaning in the places
/// where names are shown.
fn is_valid(name: &CStr) -> bool {
    name.as_bytes()
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && !br"\`$[]".contains(byte))
}

/// Gives `range`, a part of `vma`, a name, or none. Returns the end of the VMA that has the range
/// then.
fn set_one(vma: VmaMmapWrite<'_>, range: PageRange, name: Option<&AnonVmaName>) -> Result<usize> {
    if vma.file().is_some() && !vma.is_anon_shmem() {
        return Err(EBADF);
    }
    if vma.has_name(name) {
        return Ok(vma.end());
    }
    vma.modify_name(range, name)
}
