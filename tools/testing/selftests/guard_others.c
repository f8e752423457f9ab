// SPDX-License-Identifier: GPL-2.0
/*
 * What works on the page tables of a mapping on its own account, for other pages
 * than a guard, leaves the guard where it is.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include <../../../lib/test_hmm_uapi.h>
#include "guard_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define PAGES	16
#define GUARD	5
#define KSM	"/sys/kernel/mm/ksm/"

FIXTURE(others)
{
	size_t page;
	size_t len;
	char *map;
	char *guard;
};

FIXTURE_VARIANT(others)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(others, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(others, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(others, memfd_shared) { .backing = MEMFD_SHARED };

FIXTURE_SETUP(others)
{
	self->page = page_size();
	self->len = PAGES * self->page;
	self->map = backing_map(variant->backing,
				reserve(self->len + 2 * self->page, 1) +
				self->page, self->len,
				backing_open(variant->backing, self->len), 0);
	self->guard = self->map + GUARD * self->page;
	/* There may be no huge pages at all. */
	madvise(self->map, self->len, MADV_NOHUGEPAGE);
	memset(self->map, 'a', self->len);
	xmadvise(self->guard, self->page, MADV_GUARD_INSTALL);
}

FIXTURE_TEARDOWN(others)
{
}

/* The guard is there, and nothing has happened to the other pages. */
static bool unchanged(char *map, size_t pages, char *guard)
{
	size_t i;

	if (!guarded(guard) || !vma_has_gu(guard) ||
	    markers_in(map, pages * page_size()) != 1)
		return false;
	for (i = 0; i < pages * page_size(); i++) {
		if (map + i == guard)
			i += page_size() - 1;
		else if (map[i] != 'a')
			return false;
	}
	return true;
}

/* The first swap space, empty if there is none. */
static void find_swap(char path[64])
{
	FILE *swaps = fopen("/proc/swaps", "r");

	path[0] = '\0';
	if (!swaps)
		return;
	if (fscanf(swaps, "%*[^\n] %63s", path) != 1)
		path[0] = '\0';
	fclose(swaps);
}

TEST_F(others, swapoff)
{
	char path[64];

	find_swap(path);
	if (!path[0])
		SKIP(return, "no swap space");
	/* Takes the pages out of this processor's batch. */
	xmadvise(self->map, self->len, MADV_COLD);
	xmadvise(self->map, self->len, MADV_PAGEOUT);
	EXPECT_EQ(0, present_in(self->map, self->len));
	if (swapoff(path))
		SKIP(return, "swapoff of %s: %s", path, strerror(errno));
	EXPECT_EQ(0, swapon(path, 0));
	if (variant->backing != MEMFD_SHARED)
		EXPECT_EQ(PAGES - 1, present_in(self->map, self->len));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
}

static unsigned long ksm_number(const char *name)
{
	unsigned long number = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), KSM "%s", name);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lu", &number) != 1)
		err(KSFT_FAIL, "%s", path);
	fclose(file);
	return number;
}

static bool ksm_set(const char *name, const char *value)
{
	char path[64];
	bool set;
	int fd;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_WRONLY);
	set = fd >= 0 && write(fd, value, strlen(value)) ==
			 (ssize_t)strlen(value);
	close(fd);
	return set;
}

TEST_F(others, ksm)
{
	unsigned long scans;

	if (variant->backing == MEMFD_SHARED)
		SKIP(return, "KSM is for private memory");
	if (!ksm_set("sleep_millisecs", "1") ||
	    !ksm_set("pages_to_scan", "1000"))
		SKIP(return, "no KSM: %s", strerror(errno));
	xmadvise(self->map, self->len, MADV_MERGEABLE);
	ASSERT_TRUE(ksm_set("run", "1"));
	/* Pages are compared in one scan, and merged in the next. */
	scans = ksm_number("full_scans");
	while (ksm_number("full_scans") < scans + 3)
		usleep(1000);
	EXPECT_LE(PAGES - 3, ksm_number("pages_sharing"));
	EXPECT_TRUE(guarded(self->guard));
	ASSERT_TRUE(ksm_set("run", "2"));
	EXPECT_EQ(0, ksm_number("pages_sharing"));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
	ksm_set("run", "0");
}

/* As a debugger does it, which may write where the process cannot. */
TEST_F(others, write_to_proc_mem)
{
	int fd = open("/proc/self/mem", O_RDWR);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, "b", 1, (uintptr_t)self->guard));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(1, pwrite(fd, "a", 1, (uintptr_t)self->map));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
}

/* The kernel's own test of devices that have memory, or the use, of pages. */
static int dmirror(int fd, unsigned long request, char *map, size_t pages)
{
	char *copy = malloc(pages * page_size());
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)map,
		.ptr = (uintptr_t)copy,
		.npages = pages,
	};
	int error = ioctl(fd, request, &cmd) ? errno : 0;

	free(copy);
	return error;
}

TEST_F(others, device)
{
	int fd;

	if (variant->backing != ANON_PRIVATE)
		SKIP(return, "devices take anonymous memory only");
	fd = open("/dev/hmm_dmirror0", O_RDWR);
	if (fd < 0)
		SKIP(return, "no CONFIG_TEST_HMM");
	/* The device reads all pages afterwards, and does not have one. */
	EXPECT_EQ(ENOENT, dmirror(fd, HMM_DMIRROR_MIGRATE_TO_DEV, self->map,
				  PAGES));
	EXPECT_EQ(0, present_in(self->map, self->len));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
	EXPECT_EQ(EFAULT, dmirror(fd, HMM_DMIRROR_READ, self->map, PAGES));
	EXPECT_EQ(EFAULT, dmirror(fd, HMM_DMIRROR_WRITE, self->guard, 1));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
	/* Stops at the guard. */
	EXPECT_NE(0, dmirror(fd, HMM_DMIRROR_EXCLUSIVE, self->map, PAGES));
	EXPECT_TRUE(unchanged(self->map, PAGES, self->guard));
	close(fd);
}

/* A page table with a guard in it is in the place of a huge page. */
TEST(huge_page_fault)
{
	size_t page = page_size();
	char *map = backing_map(ANON_PRIVATE, reserve(PMD_BYTES, PMD_BYTES),
				PMD_BYTES, -1, 0);
	struct vma vma;

	if (madvise_errno(map, PMD_BYTES, MADV_HUGEPAGE))
		SKIP(return, "no huge pages");
	xmadvise(map + page, page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(try_write(map));
	EXPECT_TRUE(try_write(map + PMD_BYTES - page));
	ASSERT_TRUE(vma_find(map, &vma));
	EXPECT_EQ(0, vma.anon_huge_kb);
	EXPECT_TRUE(guarded(map + page));
}

/* MADV_DONTNEED frees a page table that it has emptied. */
TEST(discarded_table)
{
	size_t page = page_size();
	char *map = backing_map(ANON_PRIVATE, reserve(PMD_BYTES, PMD_BYTES),
				PMD_BYTES, -1, 0);

	madvise(map, PMD_BYTES, MADV_NOHUGEPAGE);
	memset(map, 'a', PMD_BYTES);
	xmadvise(map + PMD_BYTES - page, page, MADV_GUARD_INSTALL);
	xmadvise(map, PMD_BYTES, MADV_DONTNEED);
	EXPECT_EQ(0, present_in(map, PMD_BYTES));
	EXPECT_TRUE(guarded(map + PMD_BYTES - page));
	xmadvise(map, PMD_BYTES, MADV_DONTNEED);
	EXPECT_TRUE(guarded(map + PMD_BYTES - page));
}

TEST_HARNESS_MAIN
