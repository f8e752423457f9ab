/* SPDX-License-Identifier: GPL-2.0 */
#ifndef HOSTILE_EXPECTED_H
#define HOSTILE_EXPECTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard_util.h"

/* The mappings of a process at one time. */
struct map {
	struct vma vma[128];
	size_t count;
};

void map_read(struct map *map, pid_t pid);
const struct vma *map_find(const struct map *map, unsigned long addr);
bool has_flag(const struct vma *vma, const char *flag);

bool advice_is_known(int advice);
bool advice_is_for_others(int advice);

/* What the stock kernel answers to a caller without CAP_SYS_ADMIN. */
int expected_madvise(const struct map *map, unsigned long start, size_t len,
		     int advice);

void drop_capability(int capability);

#endif
