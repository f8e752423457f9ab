// SPDX-License-Identifier: GPL-2.0
/* Counts of an address space. */

#include "helpers.h"

unsigned long rust_helper_mm_guard_seq(struct mm_struct *mm)
{
	return atomic_long_read_acquire(&mm->guard_seq);
}

void rust_helper_mm_sub_swapents(struct mm_struct *mm, unsigned long nr)
{
	add_mm_counter(mm, MM_SWAPENTS, -(long)nr);
}

void rust_helper_update_hiwater_rss(struct mm_struct *mm)
{
	update_hiwater_rss(mm);
}
