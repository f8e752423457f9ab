// SPDX-License-Identifier: GPL-2.0
/*
 * The flag VM_MAYBE_GUARD, shown as "gu" in /proc/PID/smaps: it appears with
 * the first guard of a mapping and only then, it stays until the guards of all
 * of the mapping are removed, and both parts of a split mapping have it. Where
 * it is, the line "Guard" says how much of the mapping is guards.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	10

/* The VmFlags line with "gu" put in the place of its bit. */
static void line_with_gu(const char *line, char *out, size_t size)
{
	static const char lower[] = "rd wr ex sh mr mw me ms gd um pf ";
	const char *p = line;

	while (strlen(p) >= 3) {
		char flag[4] = { p[0], p[1], ' ', '\0' };

		if (!strstr(lower, flag))
			break;
		p += 3;
	}
	snprintf(out, size, "%.*sgu %s", (int)(p - line), line, p);
}

FIXTURE(maybe_guard)
{
	char *map;
	size_t page;
	int fd;
};

FIXTURE_VARIANT(maybe_guard)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(maybe_guard, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(maybe_guard, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(maybe_guard, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(maybe_guard, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(maybe_guard, file_private) { .backing = FILE_PRIVATE };
FIXTURE_VARIANT_ADD(maybe_guard, file_shared) { .backing = FILE_SHARED };
FIXTURE_VARIANT_ADD(maybe_guard, devzero_private) { .backing = DEVZERO_PRIVATE };
FIXTURE_VARIANT_ADD(maybe_guard, sysv_shared) { .backing = SYSV_SHARED };

FIXTURE_SETUP(maybe_guard)
{
	size_t len;

	self->page = page_size();
	len = PAGES * self->page;
	self->fd = backing_open(variant->backing, len);
	/* Reserved space keeps the mapping apart from its neighbours. */
	if (variant->backing == SYSV_SHARED)
		self->map = backing_map(SYSV_SHARED, NULL, len, -1, 0);
	else
		self->map = backing_map(variant->backing,
					reserve(len + 2 * self->page, 1) + self->page,
					len, self->fd, 0);
	ASSERT_FALSE(vma_has_gu(self->map));
}

FIXTURE_TEARDOWN(maybe_guard)
{
	if (self->fd >= 0)
		close(self->fd);
}

TEST_F(maybe_guard, only_install_sets_it)
{
	static const int advice[] = {
		MADV_GUARD_REMOVE, MADV_DONTNEED, MADV_NORMAL, MADV_WILLNEED,
		MADV_COLD, MADV_POPULATE_READ,
	};
	size_t i;

	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(try_write(self->map + i * self->page));
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		xmadvise(self->map, PAGES * self->page, advice[i]);
		EXPECT_FALSE(vma_has_gu(self->map))
			TH_LOG("advice %d", advice[i]);
	}
	xmprotect(self->map, self->page, PROT_NONE);
	EXPECT_FALSE(vma_has_gu(self->map));
}

TEST_F(maybe_guard, first_install)
{
	struct vma before, after;
	char expected[300];

	ASSERT_TRUE(vma_find(self->map, &before));
	xmadvise(self->map + 4 * self->page, self->page, MADV_GUARD_INSTALL);
	ASSERT_TRUE(vma_find(self->map, &after));
	line_with_gu(before.flags, expected, sizeof(expected));
	EXPECT_STREQ(expected, after.flags);
	EXPECT_EQ(before.start, after.start);
	EXPECT_EQ(before.end, after.end);
	EXPECT_TRUE(guarded(self->map + 4 * self->page));
	EXPECT_EQ(1, markers_in(self->map, PAGES * self->page));

	xmadvise(self->map + 3 * self->page, 3 * self->page, MADV_GUARD_INSTALL);
	ASSERT_TRUE(vma_find(self->map, &after));
	EXPECT_STREQ(expected, after.flags);
	EXPECT_EQ(3, markers_in(self->map, PAGES * self->page));
}

TEST_F(maybe_guard, removal_of_a_part_keeps_it)
{
	size_t most = (PAGES - 1) * self->page;
	struct vma before, after;

	xmadvise(self->map, PAGES * self->page, MADV_GUARD_INSTALL);
	ASSERT_TRUE(vma_find(self->map, &before));
	xmadvise(self->map, most, MADV_GUARD_REMOVE);
	xmadvise(self->map + self->page, most, MADV_GUARD_REMOVE);
	ASSERT_TRUE(vma_find(self->map, &after));
	EXPECT_STREQ(before.flags, after.flags);
	EXPECT_EQ(0, markers_in(self->map, PAGES * self->page));
}

TEST_F(maybe_guard, removal_of_all_clears_it)
{
	struct vma before, after;
	size_t i, round;

	ASSERT_TRUE(vma_find(self->map, &before));
	for (round = 0; round < 3; round++) {
		xmadvise(self->map + round * self->page, 3 * self->page,
			 MADV_GUARD_INSTALL);
		ASSERT_TRUE(vma_has_gu(self->map));
		xmadvise(self->map, PAGES * self->page, MADV_GUARD_REMOVE);
		ASSERT_TRUE(vma_find(self->map, &after));
		EXPECT_STREQ(before.flags, after.flags);
		EXPECT_EQ(0, markers_in(self->map, PAGES * self->page));
	}
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(try_write(self->map + i * self->page));
}

/* Each mapping of the range for itself: all of that in the middle is in it. */
TEST_F(maybe_guard, removal_over_three_mappings)
{
	xmadvise(self->map, PAGES * self->page, MADV_GUARD_INSTALL);
	xmprotect(self->map + 4 * self->page, 2 * self->page, PROT_READ);
	xmadvise(self->map + self->page, 8 * self->page, MADV_GUARD_REMOVE);
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_FALSE(vma_has_gu(self->map + 4 * self->page));
	EXPECT_TRUE(vma_has_gu(self->map + 6 * self->page));
	/* The result has what the parts have; System V memory stays apart. */
	xmprotect(self->map + 4 * self->page, 2 * self->page, RW);
	EXPECT_EQ(variant->backing != SYSV_SHARED,
		  vma_has_gu(self->map + 4 * self->page));
	EXPECT_EQ(2, markers_in(self->map, PAGES * self->page));
}

TEST_F(maybe_guard, hole_beside_all_of_a_mapping)
{
	size_t len = PAGES * self->page;

	/* What is around it here has no page that could be mapped. */
	if (variant->backing == SYSV_SHARED)
		SKIP(return, "its neighbours are not known");
	xmunmap(self->map + len, self->page);
	xmadvise(self->map, len, MADV_GUARD_INSTALL);
	EXPECT_EQ(ENOMEM, madvise_errno(self->map, len + self->page,
					MADV_GUARD_REMOVE));
	EXPECT_FALSE(vma_has_gu(self->map));
	EXPECT_EQ(0, markers_in(self->map, len));
}

TEST_F(maybe_guard, removal_of_all_of_what_is_locked)
{
	size_t len = PAGES * self->page;

	xmadvise(self->map, len, MADV_GUARD_INSTALL);
	ASSERT_EQ(0, mlock2(self->map, len, MLOCK_ONFAULT));
	xmadvise(self->map, len, MADV_GUARD_REMOVE);
	EXPECT_FALSE(vma_has_gu(self->map));
	EXPECT_EQ(0, markers_in(self->map, len));
}

TEST_F(maybe_guard, smaps_counts_guards)
{
	struct vma vma;
	size_t i;

	for (i = 0; i < PAGES; i += 2)
		ASSERT_TRUE(try_write(self->map + i * self->page));
	ASSERT_TRUE(vma_find(self->map, &vma));
	EXPECT_EQ(0, vma.guard_kb);
	xmadvise(self->map + self->page, 4 * self->page, MADV_GUARD_INSTALL);
	ASSERT_TRUE(vma_find(self->map, &vma));
	EXPECT_EQ(4 * self->page / 1024, vma.guard_kb);
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_REMOVE);
	ASSERT_TRUE(vma_find(self->map, &vma));
	EXPECT_EQ(3 * self->page / 1024, vma.guard_kb);
	xmadvise(self->map, 5 * self->page, MADV_GUARD_REMOVE);
	ASSERT_TRUE(vma_find(self->map, &vma));
	EXPECT_EQ(0, vma.guard_kb);
	xmadvise(self->map, PAGES * self->page, MADV_GUARD_REMOVE);
	ASSERT_TRUE(vma_find(self->map, &vma));
	EXPECT_EQ(0, vma.guard_kb);
}

static bool lacks_guard_line(const struct vma *vma, void *data)
{
	return vma->guard_kb == NO_LINE;
}

/* The vsyscall page and the vectors of ARM, which are no mappings of the process, too. */
TEST_F(maybe_guard, every_mapping_has_the_line)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	EXPECT_FALSE(for_each_vma(getpid(), lacks_guard_line, NULL));
}

/* A guard takes the place of one page; the data of the others stays. */
TEST_F(maybe_guard, populated)
{
	bool keeps_data = backing_is_shared(variant->backing);
	char *hole = self->map + 3 * self->page;
	size_t i;

	for (i = 0; i < PAGES; i++)
		self->map[i * self->page] = 'a' + i;
	xmadvise(hole, 2 * self->page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(guarded(hole));
	EXPECT_TRUE(guarded(hole + self->page));
	EXPECT_EQ(2, markers_in(self->map, PAGES * self->page));
	for (i = 0; i < PAGES; i++) {
		if (i != 3 && i != 4)
			EXPECT_EQ((char)('a' + i), self->map[i * self->page]);
	}
	xmadvise(hole, 2 * self->page, MADV_GUARD_REMOVE);
	EXPECT_EQ(keeps_data ? 'd' : 0, hole[0]);
	EXPECT_EQ(keeps_data ? 'e' : 0, hole[self->page]);
}

TEST_F(maybe_guard, munmap_splits)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	if (munmap(self->map + 4 * self->page, 2 * self->page))
		SKIP(return, "this mapping cannot be split");
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_TRUE(vma_has_gu(self->map + 6 * self->page));
	EXPECT_EQ(1, markers_in(self->map, PAGES * self->page));
}

TEST_F(maybe_guard, mprotect_splits)
{
	size_t i;

	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	xmprotect(self->map + 4 * self->page, 2 * self->page, PROT_READ);
	EXPECT_EQ(3, vma_count(self->map, PAGES * self->page));
	for (i = 0; i < PAGES; i++)
		EXPECT_TRUE(vma_has_gu(self->map + i * self->page));
	EXPECT_TRUE(guarded(self->map));
}

/* Guards of a page without access stay guards when access is given. */
TEST_F(maybe_guard, mprotect_keeps_guards)
{
	xmprotect(self->map, PAGES * self->page, PROT_NONE);
	xmadvise(self->map, 2 * self->page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(vma_has_gu(self->map));
	xmprotect(self->map, PAGES * self->page, RW);
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_TRUE(guarded(self->map));
	EXPECT_TRUE(try_write(self->map + 2 * self->page));
}

TEST_F(maybe_guard, mremap_moves)
{
	size_t half = PAGES / 2 * self->page;
	char *to = reserve(half + 2 * self->page, 1) + self->page;

	xmadvise(self->map + half + self->page, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(to, mremap(self->map + half, half, half,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_TRUE(vma_has_gu(to));
	EXPECT_TRUE(guarded(to + self->page));
	EXPECT_TRUE(try_write(to));
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_EQ(0, markers_in(self->map, half));
}

/* What stays behind has no page tables, and so no guards. */
TEST_F(maybe_guard, mremap_dontunmap)
{
	size_t len = PAGES * self->page;
	char *to = reserve(len + 2 * self->page, 1) + self->page;

	xmadvise(self->map + self->page, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(to, mremap(self->map, len, len,
			     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to));
	EXPECT_TRUE(vma_has_gu(to));
	EXPECT_TRUE(guarded(to + self->page));
	EXPECT_FALSE(vma_has_gu(self->map));
	EXPECT_EQ(0, markers_in(self->map, len));
	EXPECT_TRUE(try_write(self->map + self->page));
}

TEST_F(maybe_guard, mremap_dontunmap_of_a_part)
{
	size_t half = PAGES / 2 * self->page;
	char *to = reserve(half + 2 * self->page, 1) + self->page;

	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(to, mremap(self->map + half, half, half,
			     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to));
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_TRUE(guarded(self->map));
	EXPECT_EQ(0, markers_in(to, half));
}

TEST_F(maybe_guard, mremap_shrinks_and_grows)
{
	size_t half = PAGES / 2 * self->page;

	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(self->map, mremap(self->map, 2 * half, half, 0));
	EXPECT_TRUE(vma_has_gu(self->map));
	ASSERT_EQ(self->map, mremap(self->map, half, 2 * half, 0));
	EXPECT_EQ(1, vma_count(self->map, 2 * half));
	EXPECT_TRUE(vma_has_gu(self->map + half));
	EXPECT_TRUE(guarded(self->map));
	EXPECT_EQ(1, markers_in(self->map, 2 * half));
}

/* Mappings that stay apart from the one with the guard do not show it. */
TEST_F(maybe_guard, neighbours_do_not_get_it)
{
	char *middle = self->map + 4 * self->page;

	xmprotect(middle, 2 * self->page, PROT_READ);
	ASSERT_EQ(3, vma_count(self->map, PAGES * self->page));
	xmadvise(middle, self->page, MADV_GUARD_INSTALL);
	EXPECT_FALSE(vma_has_gu(middle - self->page));
	EXPECT_TRUE(vma_has_gu(middle));
	EXPECT_TRUE(vma_has_gu(middle + self->page));
	EXPECT_FALSE(vma_has_gu(middle + 2 * self->page));
	EXPECT_EQ(1, markers_in(self->map, PAGES * self->page));
}

TEST_F(maybe_guard, range_over_three_mappings)
{
	size_t i;

	xmprotect(self->map + 4 * self->page, 2 * self->page, PROT_READ);
	xmadvise(self->map + 3 * self->page, 4 * self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(3, vma_count(self->map, PAGES * self->page));
	for (i = 0; i < PAGES; i++) {
		EXPECT_TRUE(vma_has_gu(self->map + i * self->page));
		EXPECT_EQ(i >= 3 && i < 7, guarded(self->map + i * self->page));
	}
}

TEST(heap)
{
	size_t page = page_size();
	char *heap = sbrk(0);

	/* Starts on a page of its own, whatever malloc() left. */
	heap = (char *)(((unsigned long)heap + page - 1) & -page);
	ASSERT_EQ(0, brk(heap + 4 * page));
	ASSERT_FALSE(vma_has_gu(heap));
	xmadvise(heap + page, page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(vma_has_gu(heap));
	EXPECT_TRUE(guarded(heap + page));
	EXPECT_TRUE(try_write(heap));
	ASSERT_EQ(0, brk(heap + page));
	ASSERT_EQ(0, brk(heap + 4 * page));
	EXPECT_TRUE(try_write(heap + page));
}

TEST(main_stack)
{
	size_t page = page_size();
	struct vma stack;
	char *bottom;

	ASSERT_TRUE(vma_find_named("[stack]", &stack));
	bottom = (char *)stack.start;
	EXPECT_FALSE(vma_has_gu(bottom));
	xmadvise(bottom, page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(vma_has_gu(bottom));
	EXPECT_TRUE(guarded(bottom));
}

/* A mapping that grows downwards keeps the flag and the guard. */
TEST(growing_stack)
{
	size_t page = page_size();
	/* The kernel keeps 256 pages free below, for its own gap. */
	char *space = reserve(512 * page, 1);
	char *top = space + 500 * page;
	char *map;

	xmunmap(space, 500 * page);
	map = mmap(top, 2 * page, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_GROWSDOWN, -1, 0);
	ASSERT_EQ(top, map);
	xmadvise(map + page, page, MADV_GUARD_INSTALL);
	ASSERT_TRUE(try_write(map - page));
	EXPECT_EQ(1, vma_count(map - page, 3 * page));
	EXPECT_TRUE(vma_has_gu(map - page));
	EXPECT_TRUE(guarded(map + page));
}

TEST(read_only_program_text)
{
	size_t page = page_size();
	int fd = open("/proc/self/exe", O_RDONLY);
	char *text, first;

	ASSERT_LE(0, fd);
	text = mmap(NULL, 4 * page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, text);
	first = text[0];
	ASSERT_EQ(0x7f, first);
	xmadvise(text, page, MADV_GUARD_INSTALL);
	EXPECT_TRUE(vma_has_gu(text));
	EXPECT_TRUE(guarded(text));
	EXPECT_TRUE(try_read(text + page));
	xmadvise(text, page, MADV_GUARD_REMOVE);
	EXPECT_EQ(first, text[0]);
}

/* Ranges over the borders of page tables: every page once, no page more. */
FIXTURE(table_border)
{
	size_t page;
};

FIXTURE_VARIANT(table_border)
{
	unsigned int shift;
};

FIXTURE_VARIANT_ADD(table_border, pmd) { .shift = 21 };
FIXTURE_VARIANT_ADD(table_border, pud) { .shift = 30 };
FIXTURE_VARIANT_ADD(table_border, pgd) { .shift = 39 };

FIXTURE_SETUP(table_border)
{
	self->page = page_size();
}

FIXTURE_TEARDOWN(table_border)
{
}

TEST_F(table_border, install_and_remove)
{
	unsigned long long align = 1ULL << variant->shift;
	size_t len = 3 * PMD_BYTES, half = len / 2;
	char *space, *border, *start;

	if (align > SIZE_MAX / 8)
		SKIP(return, "address space of 32 bits");
	space = reserve(2 * align + len, align);
	border = space + 2 * align;
	start = border - half;
	xmprotect(start, len, RW);
	ASSERT_TRUE(try_write(border));

	xmadvise(start + self->page, len - 2 * self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(len / self->page - 2, markers_in(start, len));
	EXPECT_TRUE(try_write(start));
	EXPECT_TRUE(try_write(start + len - self->page));
	EXPECT_TRUE(guarded(border));
	EXPECT_TRUE(guarded(border - self->page));

	xmadvise(border - self->page, 2 * self->page, MADV_GUARD_REMOVE);
	EXPECT_EQ(len / self->page - 4, markers_in(start, len));
	EXPECT_TRUE(try_write(border));
	EXPECT_TRUE(try_write(border - self->page));
	EXPECT_TRUE(guarded(border + self->page));

	xmadvise(start, len, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, markers_in(start, len));
	EXPECT_EQ(1, vma_count(start, len));
}

TEST_HARNESS_MAIN
