// SPDX-License-Identifier: GPL-2.0

//! What the modules beside this one, and no others, call of C: what [`crate::bindings`] has, and
//! what mm keeps to itself.
//!
//! Headers: `rust/bindings/mm.h`, of which `rust/bindings/mm_parameters` names the items.

#![allow(
    clippy::all,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::undocumented_unsafe_blocks,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub
)]
// What is used depends on the configuration.
#![allow(dead_code)]

// What is included takes precedence over it.
pub(super) use crate::bindings::*;

include!(concat!(
    env!("OBJTREE"),
    "/rust/bindings/bindings_mm_generated.rs"
));
