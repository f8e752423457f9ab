// SPDX-License-Identifier: GPL-2.0
/* The helpers once more, to be inlined into Rust: see mm/Kbuild. */

#include <linux/err.h>
#include <linux/signal.h>
#include "rust_vma.h"

#pragma clang attribute push(__attribute__((always_inline)), apply_to = function)
#include <../rust/helpers/err.c>
#include <../rust/helpers/mm.c>
#include <../rust/helpers/task.c>
#include "rust_vma.c"
#pragma clang attribute pop
