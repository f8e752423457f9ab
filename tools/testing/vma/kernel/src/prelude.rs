// SPDX-License-Identifier: GPL-2.0

//! What policy uses without naming it.

pub use crate::{
    current,
    error::{code::*, Error, Result},
    str::{CStr, UserPtr},
};
pub use core::{
    ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void},
    mem::size_of,
};
pub use macros::export;
