// SPDX-License-Identifier: GPL-2.0

//! Names of anonymous VMAs.

use crate::{error::AllocError, model, str::CStr, types::ARef};

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnonVmaName(Vec<u8>);

impl AnonVmaName {
    /// Makes a name.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn new(name: &CStr) -> Result<ARef<Self>, AllocError> {
        model::alloc()?;
        Ok(ARef::new(Self(name.as_bytes().to_vec())))
    }

    pub(super) fn bytes(name: Option<&Self>) -> Option<Vec<u8>> {
        name.map(|name| name.0.clone())
    }
}
