// SPDX-License-Identifier: GPL-2.0
/* The helpers, and those of the tree that are called as often, to be inlined into Rust. */

#include <linux/err.h>
#include <linux/signal.h>
#include "helpers.h"

/* Those of the tree begin with it in later kernels. */
#define __rust_helper

#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)
#include <../rust/helpers/err.c>
#include <../rust/helpers/mm.c>
#include <../rust/helpers/task.c>
#include "helpers.c"
#pragma clang attribute pop
