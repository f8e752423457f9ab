// SPDX-License-Identifier: GPL-2.0
/*
 * What is merged is soft-dirty if a part of it was, and no guard is lost when
 * that is forgotten.
 */
#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif

#define RWX	(RW | PROT_EXEC)

/* 1: forget which pages were used, 4: which were written to. */
static void forget(const char *what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	if (fd < 0 || write(fd, what, 1) != 1)
		err(KSFT_FAIL, "clear_refs");
	close(fd);
}

static size_t page;
static int fd;
/* Two pages. */
static char *map;
/* One page. */
static char *elsewhere;

FIXTURE(soft_dirty)
{
};

FIXTURE_VARIANT(soft_dirty)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(soft_dirty, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(soft_dirty, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(soft_dirty, memfd_shared) { .backing = MEMFD_SHARED };

/* Maps the page of a part: the first of the file, or the second. */
static void map_part(enum backing backing, char *addr, int part, int prot)
{
	int flags = backing_is_shared(backing) ? MAP_SHARED : MAP_PRIVATE;

	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	if (mmap(addr, page, prot, flags | MAP_FIXED, fd,
		 fd < 0 ? 0 : part * page) != addr)
		err(KSFT_FAIL, "mmap");
}

FIXTURE_SETUP(soft_dirty)
{
	page = page_size();
	fd = backing_open(variant->backing, 2 * page);
	map = reserve(4 * page, 1) + page;
	elsewhere = reserve(3 * page, 1) + page;
	map_part(variant->backing, map, 0, RW);
	if (!vma_has_flag(map, "sd"))
		SKIP(return, "the kernel does not track soft-dirty pages");
}

FIXTURE_TEARDOWN(soft_dirty)
{
}

static void check_merged(struct __test_metadata *_metadata)
{
	EXPECT_EQ(1, vma_count(map, 2 * page));
	EXPECT_TRUE(vma_has_flag(map, "sd"));
	EXPECT_EQ(2, soft_dirty_in(map, 2 * page));
	forget("4");
	EXPECT_FALSE(vma_has_flag(map, "sd"));
	EXPECT_EQ(0, soft_dirty_in(map, 2 * page));
	xmunmap(map, 2 * page);
}

/* Either part may be the dirty one, and either the one that changes. */
TEST_F(soft_dirty, mprotect_merges)
{
	int i;

	for (i = 0; i < 4; i++) {
		int dirty = i % 2, clean = !dirty, changed = i / 2;
		char *const part[2] = { map, map + page };

		map_part(variant->backing, part[clean], clean,
			 changed == clean ? RW : RWX);
		forget("4");
		map_part(variant->backing, part[dirty], dirty,
			 changed == dirty ? RW : RWX);
		ASSERT_EQ(2, vma_count(map, 2 * page));
		xmprotect(part[changed], page, RWX);
		check_merged(_metadata);
	}
}

/* The same for the one that moves. */
TEST_F(soft_dirty, mremap_merges)
{
	int i;

	for (i = 0; i < 4; i++) {
		int dirty = i % 2, clean = !dirty, moved = i / 2;
		char *part[2] = { map, map + page };
		char *place = part[moved];

		/* Nothing beside the other part. */
		xmunmap(map, 2 * page);
		part[moved] = elsewhere;
		map_part(variant->backing, part[clean], clean, RW);
		forget("4");
		map_part(variant->backing, part[dirty], dirty, RW);
		ASSERT_EQ(place, mremap(elsewhere, page, page,
					MREMAP_MAYMOVE | MREMAP_FIXED, place));
		check_merged(_metadata);
	}
}

TEST_F(soft_dirty, clear_refs_keeps_guard)
{
	xmadvise(map, page, MADV_GUARD_INSTALL);
	forget("4");
	EXPECT_FALSE(vma_has_flag(map, "sd"));
	forget("1");
	EXPECT_TRUE(vma_has_gu(map));
	EXPECT_TRUE(guarded(map));
}

/* Without page tables there are no guards, but the mapping is as dirty as ever. */
TEST_F(soft_dirty, flag_stays_where_guards_go)
{
	int status;
	pid_t pid;

	xmadvise(map, page, MADV_GUARD_INSTALL);
	if (variant->backing == ANON_PRIVATE) {
		xmadvise(map, page, MADV_WIPEONFORK);
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(vma_has_gu(map) ||
			      !vma_has_flag(map, "sd"));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
	}
	ASSERT_EQ(elsewhere,
		  mremap(map, page, page, MREMAP_MAYMOVE | MREMAP_FIXED |
			 MREMAP_DONTUNMAP, elsewhere));
	EXPECT_FALSE(vma_has_gu(map));
	EXPECT_TRUE(vma_has_flag(map, "sd"));
	EXPECT_TRUE(vma_has_gu(elsewhere));
	EXPECT_TRUE(vma_has_flag(elsewhere, "sd"));
}

TEST_HARNESS_MAIN
