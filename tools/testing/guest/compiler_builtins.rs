// SPDX-License-Identifier: GPL-2.0

//! `core` wants a crate of this name; the functions themselves are in libgcc.

#![allow(internal_features)]
#![feature(compiler_builtins)]
#![compiler_builtins]
#![no_std]
