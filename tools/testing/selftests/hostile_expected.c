// SPDX-License-Identifier: GPL-2.0
/*
 * What madvise() of the stock kernel answers, said again in terms of what
 * /proc/PID/smaps shows of the mappings. Mappings are taken to be too small
 * for huge pages, and their pages to be there when they are asked for.
 */
#include <err.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest.h"
#include "hostile_expected.h"

#define KSM	"/sys/kernel/mm/ksm"
#define THP	"/sys/kernel/mm/transparent_hugepage"
#define POISON	"/proc/sys/vm/memory_failure_recovery"
#define SPECIAL	"io de pf mm "

struct rule {
	int advice;
	/* Flags of mappings that are refused with EINVAL. */
	const char *refused;
	/* The flag that a mapping must have, or EINVAL. */
	const char *needed;
	/* The flag that a mapping gets. */
	const char *sets;
	/* What a kernel has that was built with the advice. */
	const char *config;
	bool no_files;
	bool discards;
	bool for_others;
};

static const struct rule rules[] = {
	{ MADV_NORMAL },
	{ MADV_RANDOM, .sets = "rr" },
	{ MADV_SEQUENTIAL, .sets = "sr" },
	{ MADV_WILLNEED, .for_others = true },
	{ MADV_DONTNEED, "lo pf ", .discards = true },
	{ MADV_DONTNEED_LOCKED, "pf ", .discards = true },
	{ MADV_FREE, "lo pf ht ", .no_files = true, .discards = true },
	{ MADV_REMOVE, "lo ", .discards = true },
	{ MADV_DONTFORK, .sets = "dc", .discards = true },
	{ MADV_DOFORK, "io " },
	{ MADV_WIPEONFORK, "sh ", .sets = "wf", .no_files = true,
	  .discards = true },
	{ MADV_KEEPONFORK, "dp " },
	{ MADV_DONTDUMP, .sets = "dd" },
	{ MADV_DODUMP, SPECIAL "dp " },
	{ MADV_MERGEABLE, .config = KSM },
	{ MADV_UNMERGEABLE, .config = KSM },
	{ MADV_HUGEPAGE, .sets = "hg", .config = THP },
	{ MADV_NOHUGEPAGE, .sets = "nh", .config = THP },
	/* No mapping has the flag: none is large enough for a huge page. */
	{ MADV_COLLAPSE, .needed = "??", .config = THP, .for_others = true },
	{ MADV_COLD, "lo pf ht ", .for_others = true },
	{ MADV_PAGEOUT, "lo pf ht ", .for_others = true },
	{ MADV_POPULATE_READ, "io pf ", .needed = "rd" },
	{ MADV_POPULATE_WRITE, "io pf ", .needed = "wr" },
	{ MADV_GUARD_INSTALL, SPECIAL "ht lo ", .discards = true },
	{ MADV_GUARD_REMOVE, SPECIAL "ht " },
	{ MADV_HWPOISON, .config = POISON },
	{ MADV_SOFT_OFFLINE, .config = POISON },
};

static const struct rule *find_rule(int advice)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].advice == advice)
			return &rules[i];
	}
	return NULL;
}

/* NULL when the kernel does not have the advice. */
static const struct rule *rule_of(int advice)
{
	const struct rule *rule = find_rule(advice);

	if (rule && rule->config && access(rule->config, F_OK))
		return NULL;
	return rule;
}

bool advice_is_known(int advice)
{
	return rule_of(advice);
}

/* Kernels without an advice answer this as those with it. */
bool advice_is_for_others(int advice)
{
	const struct rule *rule = find_rule(advice);

	return rule && rule->for_others;
}

static bool add(const struct vma *vma, void *data)
{
	struct map *map = data;

	if (map->count == ARRAY_SIZE(map->vma))
		errx(KSFT_FAIL, "more than %zu mappings", map->count);
	map->vma[map->count++] = *vma;
	return false;
}

void map_read(struct map *map, pid_t pid)
{
	memset(map, 0, sizeof(*map));
	for_each_vma(pid, add, map);
}

/* The mapping at the address, or the first one above it. */
static const struct vma *at_or_above(const struct map *map, unsigned long addr)
{
	size_t i;

	for (i = 0; i < map->count; i++) {
		if (addr < map->vma[i].end)
			return &map->vma[i];
	}
	return NULL;
}

const struct vma *map_find(const struct map *map, unsigned long addr)
{
	const struct vma *vma = at_or_above(map, addr);

	return vma && vma->start <= addr ? vma : NULL;
}

/* In a list like "rd wr ". */
static bool in_list(const char *list, const char *flag)
{
	for (; strlen(list) >= 2; list += 3) {
		if (!strncmp(list, flag, 2))
			return true;
	}
	return false;
}

bool has_flag(const struct vma *vma, const char *flag)
{
	return in_list(vma->flags, flag);
}

static bool has_any(const struct vma *vma, const char *list)
{
	for (; list && *list; list += 3) {
		if (has_flag(vma, list))
			return true;
	}
	return false;
}

/* Mappings that the kernel itself makes are no files, but not anonymous. */
static bool is_special(const struct vma *vma)
{
	return !strncmp(vma->name, "[vdso]", 6) ||
	       !strncmp(vma->name, "[vvar", 5) ||
	       !strncmp(vma->name, "[sigpage]", 9);
}

static bool is_file(const struct vma *vma)
{
	return vma->name[0] == '/' || !strncmp(vma->name, "[anon_shmem:", 12);
}

static bool is_sealed(const struct vma *vma)
{
	return has_flag(vma, "sl") && !is_file(vma) && !is_special(vma) &&
	       !has_flag(vma, "wr");
}

/* Some mappings cannot be split, so that no part gets flags of its own. */
static bool must_split(const struct vma *vma, unsigned long start,
		       unsigned long end, const struct rule *rule)
{
	if (!rule->sets || has_flag(vma, rule->sets))
		return false;
	if (has_flag(vma, "ht"))
		return start % PMD_BYTES || end % PMD_BYTES;
	return is_special(vma) && (start > vma->start || end < vma->end);
}

static int expected_of_vma(const struct vma *vma, unsigned long start,
			   unsigned long end, const struct rule *rule)
{
	int advice = rule->advice;

	if (rule->discards && is_sealed(vma))
		return EPERM;
	if (has_flag(vma, "ht")) {
		if (advice == MADV_DODUMP)
			return 0;
		if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED)
			return start % PMD_BYTES ? EINVAL : 0;
	}
	if (has_any(vma, rule->refused) || must_split(vma, start, end, rule))
		return EINVAL;
	if (rule->needed && !has_flag(vma, rule->needed))
		return EINVAL;
	if (rule->no_files && is_file(vma))
		return EINVAL;
	/* MADV_FREE is for anonymous memory, MADV_WIPEONFORK against files. */
	if (advice == MADV_FREE && is_special(vma))
		return EINVAL;
	if (advice == MADV_REMOVE) {
		if (!is_file(vma))
			return EINVAL;
		if (!has_flag(vma, "sh") || !has_flag(vma, "mw"))
			return EACCES;
	}
	if (advice == MADV_WILLNEED && access("/proc/swaps", F_OK))
		return is_file(vma) ? 0 : EBADF;
	return 0;
}

/* The first error ends the walk; a hole ends only a MADV_POPULATE. */
static int expected_of_range(const struct map *map, unsigned long start,
			     unsigned long end, const struct rule *rule)
{
	bool populate = rule->advice == MADV_POPULATE_READ ||
			rule->advice == MADV_POPULATE_WRITE;
	int hole = 0;

	while (start < end) {
		const struct vma *vma = at_or_above(map, start);
		int error;

		if (!vma)
			return ENOMEM;
		if (start < vma->start) {
			if (populate)
				return ENOMEM;
			hole = ENOMEM;
			start = vma->start;
			if (start >= end)
				break;
		}
		error = expected_of_vma(vma, start, end < vma->end ? end : vma->end,
					rule);
		if (error)
			return error;
		start = vma->end;
	}
	return hole;
}

int expected_madvise(const struct map *map, unsigned long start, size_t len,
		     int advice)
{
	const struct rule *rule = rule_of(advice);
	unsigned long page = page_size();
	unsigned long rounded = (len + page - 1) / page * page;

	if (!rule || start % page)
		return EINVAL;
	if (len > -page || start + rounded < start)
		return EINVAL;
	if (!len)
		return 0;
	if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE)
		return EPERM;
#ifdef __aarch64__
	/* The hardware ignores the top byte of addresses of programs. */
	if (!(start >> 55 & 1))
		start &= -1UL >> 8;
#endif
	return expected_of_range(map, start, start + rounded, rule);
}

void drop_capability(int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		err(KSFT_FAIL, "capget");
	data[capability / 32].effective &= ~(1U << capability % 32);
	if (syscall(SYS_capset, &header, data))
		err(KSFT_FAIL, "capset");
}
