// SPDX-License-Identifier: GPL-2.0

//! Names of anonymous VMAs.

use crate::{
    error::{code::EINVAL, Result},
    model,
    str::CStr,
    sync::aref::ARef,
};

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnonVmaName(Vec<u8>);

impl AnonVmaName {
    /// The size of the longest name, with the zero at its end.
    pub const MAX_LEN: usize = 80;

    /// Makes a name.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is too long or has other characters than it may; `ENOMEM`.
    pub fn new(name: &CStr) -> Result<ARef<Self>> {
        // From the manual page of prctl().
        let printable = name
            .to_bytes()
            .iter()
            .all(|byte| (0x20..0x7f).contains(byte));
        let meaning = [b'[', b']', b'\\', b'$', b'`'];
        let plain = !name.to_bytes().iter().any(|byte| meaning.contains(byte));
        if name.to_bytes().len() >= Self::MAX_LEN || !printable || !plain {
            return Err(EINVAL);
        }
        model::alloc()?;
        Ok(ARef::new(Self(name.to_bytes().to_vec())))
    }

    pub(super) fn bytes(name: Option<&Self>) -> Option<Vec<u8>> {
        name.map(|name| name.0.clone())
    }
}
