// SPDX-License-Identifier: GPL-2.0
/*
 * Guards are installed and removed while the memory is made of huge pages or
 * swapped out, and while somebody looks at the page tables.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "guard_worker.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define COLLAPSE_ROUNDS	30
#define TABLE_ROUNDS	1000
#define SWAP_ROUNDS	60
#define LOOK_ROUNDS	60
#define HUGE_PAGES	(PMD_BYTES / 4096)
#define PAGES		16

static size_t page;

/* The pages that get a guard in turn; the first of all pages never does. */
static size_t guard_page(unsigned int round)
{
	static const size_t pages[] = { 1, 2, 255, 256, 510, 511 };

	return pages[round % ARRAY_SIZE(pages)];
}

/* Each page tells its number. */
static void fill(char *map, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i++)
		*(size_t *)(map + i * page) = i + 1;
}

/*
 * The number of pages that have not what fill() wrote, less the guard and the
 * first page, which a worker may use.
 */
static size_t damaged(char *map, size_t pages, char *guard)
{
	size_t i, bad = 0;

	for (i = 1; i < pages; i++) {
		if (map + i * page != guard)
			bad += *(volatile size_t *)(map + i * page) != i + 1;
	}
	return bad;
}

FIXTURE(collapse)
{
	char *map;
	int fd;
};

FIXTURE_VARIANT(collapse)
{
	enum backing backing;
	bool other_mapping;
};

FIXTURE_VARIANT_ADD(collapse, anonymous) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(collapse, shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(collapse, shared_by_another_mapping) {
	.backing = MEMFD_SHARED,
	.other_mapping = true,
};
FIXTURE_VARIANT_ADD(collapse, private_by_another_mapping) {
	.backing = MEMFD_PRIVATE,
	.other_mapping = true,
};

static atomic_uint collapses;
static int file;
static char *other;

/* What is collapsed is taken apart again, by a hole in its first page. */
static void collapse(char *map)
{
	char *target = other ? other : map;

	if (!madvise(target, PMD_BYTES, MADV_COLLAPSE))
		atomic_fetch_add(&collapses, 1);
	if (file < 0) {
		madvise(map, page, MADV_DONTNEED);
		*(size_t *)map = 1;
		return;
	}
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, page))
		err(KSFT_FAIL, "fallocate");
}

FIXTURE_SETUP(collapse)
{
	page = page_size();
	self->map = backing_map(ANON_PRIVATE, reserve(PMD_BYTES, PMD_BYTES),
				PMD_BYTES, -1, 0);
	fill(self->map, PMD_BYTES / page);
	if (page != 4096 || madvise_errno(self->map, PMD_BYTES, MADV_COLLAPSE))
		SKIP(return, "no huge pages of 2 MiB");
	file = backing_open(variant->backing, PMD_BYTES);
	other = NULL;
	if (variant->other_mapping) {
		other = backing_map(MEMFD_SHARED, reserve(PMD_BYTES, PMD_BYTES),
				    PMD_BYTES, file, 0);
		fill(other, HUGE_PAGES);
	}
	backing_map(variant->backing, self->map, PMD_BYTES, file, 0);
	if (!other)
		fill(self->map, HUGE_PAGES);
	worker_start(collapse, false);
}

FIXTURE_TEARDOWN(collapse)
{
	worker_stop();
}

TEST_F(collapse, guards_stay)
{
	unsigned int round, lost = 0, wrong = 0, no_flag = 0;

	worker_set_map(self->map);
	for (round = 0; round < COLLAPSE_ROUNDS; round++) {
		char *guard = self->map + guard_page(round) * page;

		xmadvise(guard, page, MADV_GUARD_INSTALL);
		lost += !guarded(guard);
		worker_wait();
		lost += !guarded(guard);
		no_flag += !vma_has_gu(guard);
		wrong += damaged(self->map, HUGE_PAGES, guard);
		/* With all guards the flag goes, which keeps the page table. */
		if (round % 2)
			xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
		else
			xmadvise(guard, page, MADV_GUARD_REMOVE);
		if (variant->backing == ANON_PRIVATE)
			*(size_t *)guard = guard_page(round) + 1;
		else
			wrong += *(size_t *)guard != guard_page(round) + 1;
		worker_wait();
	}
	TH_LOG("%u collapses", collapses);
	EXPECT_LT(0, collapses);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, no_flag);
	EXPECT_EQ(0, wrong);
}

/*
 * The file has a huge page, which stays. What is collapsed is the page table that
 * an install has made in its place.
 */
FIXTURE(page_table)
{
	char *map;
};

static void collapse_table(char *map)
{
	if (!madvise(map, PMD_BYTES, MADV_COLLAPSE))
		atomic_fetch_add(&collapses, 1);
}

FIXTURE_SETUP(page_table)
{
	int fd;

	page = page_size();
	fd = backing_open(MEMFD_SHARED, PMD_BYTES);
	self->map = backing_map(MEMFD_SHARED, reserve(PMD_BYTES, PMD_BYTES),
				PMD_BYTES, fd, 0);
	fill(self->map, PMD_BYTES / page);
	if (page != 4096 || madvise_errno(self->map, PMD_BYTES, MADV_COLLAPSE))
		SKIP(return, "no huge pages of 2 MiB");
	atomic_store(&collapses, 0);
	worker_start(collapse_table, false);
}

FIXTURE_TEARDOWN(page_table)
{
	worker_stop();
}

TEST_F(page_table, guards_stay)
{
	unsigned int round, lost = 0, wrong = 0;

	worker_set_map(self->map);
	for (round = 0; round < TABLE_ROUNDS; round++) {
		char *guard = self->map + guard_page(round) * page;

		xmadvise(guard, page, MADV_GUARD_INSTALL);
		if (round % 16 == 0)
			worker_wait();
		lost += !guarded(guard);
		xmadvise(guard, page, MADV_GUARD_REMOVE);
	}
	worker_wait();
	wrong += damaged(self->map, HUGE_PAGES, NULL);
	TH_LOG("%u collapses", collapses);
	EXPECT_LT(0, collapses);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, wrong);
}

FIXTURE(swap_out)
{
	char *map;
};

FIXTURE_VARIANT(swap_out)
{
	enum backing backing;
	bool process;
};

FIXTURE_VARIANT_ADD(swap_out, by_thread) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(swap_out, by_process) {
	.backing = ANON_PRIVATE,
	.process = true,
};
FIXTURE_VARIANT_ADD(swap_out, shared_by_thread) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(swap_out, shared_by_process) {
	.backing = MEMFD_SHARED,
	.process = true,
};

static int pidfd;

static void page_out(char *map)
{
	struct iovec vec = { map, PAGES * page };

	if (syscall(SYS_process_madvise, pidfd, &vec, 1, MADV_PAGEOUT, 0) !=
	    (ssize_t)(PAGES * page))
		err(KSFT_FAIL, "process_madvise");
}

static bool has_swap(void)
{
	char text[256];
	int fd = open("/proc/swaps", O_RDONLY);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return strchr(text, '/');
}

/* For memory that has been written: it is in swap if it is not in memory. */
static bool is_swapped(void *addr)
{
	unsigned char resident;

	if (mincore(addr, page, &resident))
		err(KSFT_FAIL, "mincore");
	return !(resident & 1);
}

FIXTURE_SETUP(swap_out)
{
	page = page_size();
	if (!has_swap())
		SKIP(return, "no swap space");
	pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	ASSERT_LE(0, pidfd);
	worker_start(page_out, variant->process);
	self->map = backing_map(variant->backing,
				reserve((PAGES + 2) * page, 1) + page,
				PAGES * page,
				backing_open(variant->backing, PAGES * page), 0);
}

FIXTURE_TEARDOWN(swap_out)
{
	worker_stop();
}

TEST_F(swap_out, guards_and_data_stay)
{
	unsigned int round, lost = 0, wrong = 0, swapped = 0;

	fill(self->map, PAGES);
	worker_set_map(self->map);
	for (round = 0; round < SWAP_ROUNDS; round++) {
		size_t i = 1 + round % (PAGES - 1);
		char *guard = self->map + i * page;

		/* Takes the pages out of this processor's batch. */
		xmadvise(self->map, PAGES * page, MADV_COLD);
		worker_wait();
		swapped += is_swapped(guard);
		xmadvise(guard, page, MADV_GUARD_INSTALL);
		lost += !guarded(guard);
		worker_wait();
		lost += !guarded(guard) || !vma_has_gu(guard);
		wrong += damaged(self->map, PAGES, guard);
		xmadvise(guard, page, MADV_GUARD_REMOVE);
		wrong += *(size_t *)guard !=
			 (variant->backing == ANON_PRIVATE ? 0 : i + 1);
		*(size_t *)guard = i + 1;
	}
	TH_LOG("%u of %u pages were in swap", swapped, SWAP_ROUNDS);
	EXPECT_LT(0, swapped);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, wrong);
}

FIXTURE(look)
{
};

FIXTURE_VARIANT(look)
{
	void (*work)(char *map);
};

static atomic_uint seen;
static atomic_uint stray;

/*
 * The guards first, then the flag: the flag stays as long as the mapping, so
 * that it is there if a guard has been seen.
 */
static void look_for_flag(char *map, bool guards)
{
	if (!guards)
		return;
	atomic_fetch_add(&seen, 1);
	atomic_fetch_add(&stray, !vma_has_gu(map));
}

static void look_at_pagemap(char *map)
{
	look_for_flag(map, markers_in(map, PAGES * page));
}

static void scan_pagemap(char *map)
{
	struct page_region regions[PAGES];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)map,
		.end = (uintptr_t)map + PAGES * page,
		.vec = (uintptr_t)regions,
		.vec_len = PAGES,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY);
	int count = ioctl(fd, PAGEMAP_SCAN, &arg);

	if (count < 0)
		err(KSFT_FAIL, "PAGEMAP_SCAN");
	close(fd);
	look_for_flag(map, count > 0);
}

FIXTURE_VARIANT_ADD(look, pagemap) { .work = look_at_pagemap };
FIXTURE_VARIANT_ADD(look, pagemap_scan) { .work = scan_pagemap };

FIXTURE_SETUP(look)
{
	page = page_size();
	worker_start(variant->work, false);
}

FIXTURE_TEARDOWN(look)
{
	worker_stop();
}

TEST_F(look, no_guard_without_flag)
{
	size_t len = PAGES * page;
	unsigned int round, i;

	for (round = 0; round < LOOK_ROUNDS; round++) {
		char *map = backing_map(round % 2 ? ANON_PRIVATE : ANON_SHARED,
					NULL, len, -1, 0);

		worker_set_map(map);
		if (round % 4 / 2)
			worker_wait();
		for (i = 0; i < 10; i++) {
			xmadvise(map + i * page, 3 * page, MADV_GUARD_INSTALL);
			xmadvise(map + (i + 1) * page, page, MADV_GUARD_REMOVE);
		}
		worker_set_map(NULL);
		worker_wait();
		xmunmap(map, len);
	}
	TH_LOG("guards were seen %u times", seen);
	EXPECT_LT(0, seen);
	EXPECT_EQ(0, stray);
}

TEST_HARNESS_MAIN
