// SPDX-License-Identifier: GPL-2.0
/*
 * mlockall() has all pages of a mapping but the guards; mlock() and the advice
 * to populate end at the first guard.
 */
#include <err.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

#define PAGES	16

FIXTURE(locked)
{
	size_t page;
	size_t len;
	int fd;
	char *map;
};

FIXTURE_VARIANT(locked)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(locked, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(locked, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(locked, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(locked, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(locked, file_private) { .backing = FILE_PRIVATE };
FIXTURE_VARIANT_ADD(locked, file_shared) { .backing = FILE_SHARED };

FIXTURE_SETUP(locked)
{
	self->page = page_size();
	self->len = PAGES * self->page;
	self->fd = backing_open(variant->backing, self->len);
	self->map = backing_map(variant->backing,
				reserve((PAGES + 2) * self->page, 1) +
				self->page, self->len, self->fd, 0);
}

FIXTURE_TEARDOWN(locked)
{
	munlockall();
}

/* Which pages have a guard: a bit for each. */
static const unsigned int patterns[] = {
	0x0001, 0x8000, 0x0080, 0x0ff0, 0x8001, 0x5555, 0xaaaa, 0x7ffe, 0xffff,
};

static size_t put_guards(char *map, unsigned int pattern)
{
	size_t i, guards = 0;

	for (i = 0; i < PAGES; i++) {
		if (!(pattern & 1 << i))
			continue;
		xmadvise(map + i * page_size(), page_size(),
			 MADV_GUARD_INSTALL);
		guards++;
	}
	return guards;
}

TEST_F(locked, mlockall_populates_all_but_guards)
{
	size_t guards, i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		/* Without a page, whatever was there before. */
		backing_map(variant->backing, self->map, self->len, self->fd,
			    0);
		guards = put_guards(self->map, patterns[i]);
		ASSERT_EQ(0, mlockall(MCL_CURRENT));
		EXPECT_EQ(PAGES - guards, present_in(self->map, self->len))
			TH_LOG("guards %#x", patterns[i]);
		EXPECT_EQ(guards, markers_in(self->map, self->len));
		ASSERT_EQ(0, munlockall());
	}
}

TEST_F(locked, mlockall_on_fault_populates_nothing)
{
	put_guards(self->map, 1);
	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_ONFAULT));
	EXPECT_EQ(0, present_in(self->map, self->len));
}

/* A mapping that nobody may use, and the end of a file, are as they were. */
TEST_F(locked, mlockall_populates_what_it_did)
{
	put_guards(self->map, 0x0005);
	if (self->fd >= 0) {
		ASSERT_EQ(0, ftruncate(self->fd, 8 * self->page));
		ASSERT_EQ(0, mlockall(MCL_CURRENT));
		EXPECT_EQ(6, present_in(self->map, self->len));
		ASSERT_EQ(0, munlockall());
		xmadvise(self->map, self->len, MADV_DONTNEED);
	}
	xmprotect(self->map, self->len, PROT_NONE);
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	EXPECT_EQ(0, present_in(self->map, self->len));
	EXPECT_EQ(2, markers_in(self->map, self->len));
}

TEST_F(locked, mlock_ends_at_guard)
{
	put_guards(self->map, 0x0110);
	EXPECT_EQ(-1, mlock(self->map, self->len));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(4, present_in(self->map, 4 * self->page));
	/* Of files a page fault brings the pages around it, too. */
	if (!backing_is_file(variant->backing))
		EXPECT_EQ(4, present_in(self->map, self->len));
	EXPECT_EQ(2, markers_in(self->map, self->len));
	EXPECT_TRUE(vma_has_flag(self->map, "lo"));
}

TEST_F(locked, populate_ends_at_guard)
{
	static const int advice[] = { MADV_POPULATE_READ, MADV_POPULATE_WRITE };
	size_t i;

	put_guards(self->map, 0x0110);
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		xmadvise(self->map, self->len, MADV_DONTNEED);
		EXPECT_EQ(EFAULT, madvise_errno(self->map, self->len,
						advice[i]));
		EXPECT_EQ(4, present_in(self->map, 4 * self->page));
		EXPECT_EQ(2, markers_in(self->map, self->len));
	}
}

/* A run of guards ends in the middle of a page table, or there is nothing else. */
TEST(mlockall_and_many_guards)
{
	size_t page = page_size(), len = 4 * PMD_BYTES, huge = 512UL << 20;
	char *map = backing_map(ANON_PRIVATE, reserve(len, PMD_BYTES), len, -1,
				0);
	char *all = backing_map(ANON_PRIVATE, NULL, huge, -1, 0);

	xmadvise(map + page, PMD_BYTES + page, MADV_GUARD_INSTALL);
	xmadvise(map + 3 * PMD_BYTES, PMD_BYTES - page, MADV_GUARD_INSTALL);
	xmadvise(all, huge, MADV_GUARD_INSTALL);
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	EXPECT_EQ((len - 2 * PMD_BYTES) / page, present_in(map, len));
	EXPECT_EQ(2 * PMD_BYTES / page, markers_in(map, len));
	EXPECT_EQ(0, present_in(all, huge));
	EXPECT_EQ(huge / page, markers_in(all, huge));
	munlockall();
}

TEST_HARNESS_MAIN
