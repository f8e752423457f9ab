// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of mm that the VMA subsystem in Rust calls. They are not
 * among the helpers of the tree, as those are exported: see mm/Kbuild.
 *
 * Sorted alphabetically.
 */

#include "anon_vma_name.c"
#include "counters.c"
#include "entry.c"
#include "file.c"
#include "folio.c"
#include "guards.c"
#include "huge.c"
#include "locks.c"
#include "page_table.c"
#include "poison.c"
#include "swap.c"
#include "syscall.c"
#include "tlb.c"
#include "vma.c"
