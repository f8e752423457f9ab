// SPDX-License-Identifier: GPL-2.0
/*
 * How often a call takes the mmap lock for writing, by the kernel's own trace
 * of it: only to set or to clear the flag of a mapping.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define EVENT	"events/mmap_lock/mmap_lock_acquire_returned/"
#define PAGES	10

FIXTURE(guard_locks)
{
	char *map;
	size_t page;
	size_t len;
};

/* Three mappings, the one in the middle of pages 3 to 6. */
FIXTURE_SETUP(guard_locks)
{
	self->page = page_size();
	self->len = PAGES * self->page;
	self->map = reserve(self->len + 2 * self->page, 1) + self->page;
	backing_map(ANON_PRIVATE, self->map, self->len, -1, 0);
	xmadvise(self->map + 3 * self->page, 4 * self->page, MADV_DONTDUMP);
	ASSERT_EQ(3, vma_count(self->map, self->len));
}

FIXTURE_TEARDOWN(guard_locks)
{
}

static bool count_start(void)
{
	char filter[64];

	snprintf(filter, sizeof(filter),
		 "common_pid == %d && write == 1 && success == 1", gettid());
	return trace_start(EVENT, filter);
}

#define EXPECT_WRITE_LOCKS(locks, error, addr, len, advice) do {	\
	if (!count_start())						\
		SKIP(return, "no trace of the mmap lock");		\
	EXPECT_EQ(error, madvise_errno(addr, len, advice));		\
	EXPECT_EQ(locks, trace_stop(EVENT, "write=true"));		\
} while (0)

/* What the other tests count is counted at all. */
TEST_F(guard_locks, trace)
{
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->page, MADV_DONTNEED);
	EXPECT_WRITE_LOCKS(1, 0, self->map, self->page, MADV_NORMAL);
}

TEST_F(guard_locks, first_install)
{
	EXPECT_WRITE_LOCKS(1, 0, self->map, self->page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_FALSE(vma_has_gu(self->map + 3 * self->page));
}

TEST_F(guard_locks, first_install_in_several_mappings)
{
	EXPECT_WRITE_LOCKS(1, 0, self->map, self->len, MADV_GUARD_INSTALL);
	EXPECT_EQ(PAGES, markers_in(self->map, self->len));
}

TEST_F(guard_locks, first_install_in_one_of_several_mappings)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map + 7 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(1, 0, self->map, self->len, MADV_GUARD_INSTALL);
	EXPECT_EQ(PAGES, markers_in(self->map, self->len));
}

TEST_F(guard_locks, next_install)
{
	xmadvise(self->map, self->len, MADV_GUARD_INSTALL);
	xmadvise(self->map + self->page, self->len - 2 * self->page,
		 MADV_DONTNEED);
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->len, MADV_GUARD_INSTALL);
}

TEST_F(guard_locks, remove_a_part)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->page, MADV_GUARD_REMOVE);
	EXPECT_TRUE(vma_has_gu(self->map));
}

/* The mapping at the end has guards, and is covered in part. */
TEST_F(guard_locks, remove_a_part_and_all_of_others)
{
	xmadvise(self->map + 8 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, 0, self->map, 9 * self->page, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, markers_in(self->map, self->len));
	EXPECT_TRUE(vma_has_gu(self->map + 8 * self->page));
}

TEST_F(guard_locks, remove_all_of_nothing)
{
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->len, MADV_GUARD_REMOVE);
}

TEST_F(guard_locks, remove_all)
{
	xmadvise(self->map, 2 * self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(1, 0, self->map, 3 * self->page, MADV_GUARD_REMOVE);
	EXPECT_FALSE(vma_has_gu(self->map));
}

TEST_F(guard_locks, remove_all_of_several_mappings)
{
	xmadvise(self->map, self->len, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(1, 0, self->map, self->len, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, markers_in(self->map, self->len));
	EXPECT_FALSE(vma_has_gu(self->map));
	EXPECT_FALSE(vma_has_gu(self->map + 3 * self->page));
	EXPECT_FALSE(vma_has_gu(self->map + 7 * self->page));
}

TEST_F(guard_locks, locked)
{
	ASSERT_EQ(0, mlock(self->map, self->len));
	EXPECT_WRITE_LOCKS(0, EINVAL, self->map, self->page,
			   MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, EINVAL, self->map, self->len, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, 0, self->map, self->len, MADV_GUARD_REMOVE);
}

/* The mapping before the locked one has the flag already. */
TEST_F(guard_locks, locked_after_a_next_install)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(0, mlock(self->map + 3 * self->page, self->page));
	EXPECT_WRITE_LOCKS(0, EINVAL, self->map, self->len, MADV_GUARD_INSTALL);
	EXPECT_EQ(3, markers_in(self->map, self->len));
	EXPECT_FALSE(vma_has_gu(self->map + 7 * self->page));
}

TEST_F(guard_locks, hugetlb)
{
	char *map = mmap(NULL, PMD_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (map == MAP_FAILED)
		SKIP(return, "no huge page of 2 MiB: %s", strerror(errno));
	EXPECT_WRITE_LOCKS(0, EINVAL, map, PMD_BYTES, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, EINVAL, map, PMD_BYTES, MADV_GUARD_REMOVE);
}

TEST_F(guard_locks, device_memory)
{
	int fd = open("/dev/mem", O_RDONLY);
	char *map;

	if (fd < 0)
		SKIP(return, "/dev/mem: %s", strerror(errno));
	map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		SKIP(return, "mmap of /dev/mem: %s", strerror(errno));
	EXPECT_WRITE_LOCKS(0, EINVAL, map, self->page, MADV_GUARD_INSTALL);
	EXPECT_WRITE_LOCKS(0, EINVAL, map, self->page, MADV_GUARD_REMOVE);
}

TEST_HARNESS_MAIN
