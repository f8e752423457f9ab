// SPDX-License-Identifier: GPL-2.0
/* Counts of an address space. */

#include "helpers.h"

unsigned long rust_helper_mm_guard_seq(struct mm_struct *mm)
{
	return atomic_long_read_acquire(&mm->guard_seq);
}

void rust_helper_add_mm_counter(struct mm_struct *mm, int member, long value)
{
	add_mm_counter(mm, member, value);
}

void rust_helper_update_hiwater_rss(struct mm_struct *mm)
{
	update_hiwater_rss(mm);
}
