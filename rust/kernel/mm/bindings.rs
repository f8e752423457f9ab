// SPDX-License-Identifier: GPL-2.0

//! Bindings of C for the VMA subsystem: those of [`crate::bindings`], and those of functions that
//! mm keeps to itself, which no other crate sees.
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
// The configuration decides which are used.
#![allow(dead_code)]

// The included items take precedence.
pub(crate) use crate::bindings::*;

include!(concat!(
    env!("OBJTREE"),
    "/rust/bindings/bindings_mm_generated.rs"
));
