// SPDX-License-Identifier: GPL-2.0
/* What a forked child gets from a mapping with guards. */
#include <err.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	10

FIXTURE(guard_fork)
{
	char *map;
	size_t page;
	size_t len;
};

FIXTURE_VARIANT(guard_fork)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(guard_fork, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(guard_fork, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(guard_fork, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(guard_fork, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(guard_fork, file_private) { .backing = FILE_PRIVATE };
FIXTURE_VARIANT_ADD(guard_fork, file_shared) { .backing = FILE_SHARED };
FIXTURE_VARIANT_ADD(guard_fork, devzero_private) { .backing = DEVZERO_PRIVATE };
FIXTURE_VARIANT_ADD(guard_fork, sysv_shared) { .backing = SYSV_SHARED };

FIXTURE_SETUP(guard_fork)
{
	int fd;

	self->page = page_size();
	self->len = PAGES * self->page;
	fd = backing_open(variant->backing, self->len);
	self->map = backing_map(variant->backing, NULL, self->len, fd, 0);
	if (fd >= 0)
		close(fd);
}

FIXTURE_TEARDOWN(guard_fork)
{
}

/*
 * Runs check() in a child. Returns 0, or the line of the CHECK() that failed:
 * a child cannot report through the harness by itself.
 */
static int in_child(int (*check)(char *map, size_t page), char *map, size_t page)
{
	int pipefd[2], line = -1, status;
	pid_t pid;

	if (pipe(pipefd))
		err(KSFT_FAIL, "pipe");
	pid = fork();
	if (pid < 0)
		err(KSFT_FAIL, "fork");
	if (!pid) {
		line = check(map, page);
		if (write(pipefd[1], &line, sizeof(line)) != sizeof(line))
			_exit(1);
		_exit(0);
	}
	close(pipefd[1]);
	if (read(pipefd[0], &line, sizeof(line)) != sizeof(line))
		line = -1;
	close(pipefd[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(KSFT_FAIL, "child ended with status %#x", status);
	return line;
}

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

static int check_guard_at_page_2(char *map, size_t page)
{
	CHECK(vma_has_gu(map));
	CHECK(markers_in(map, PAGES * page) == 1);
	CHECK(guarded(map + 2 * page));
	CHECK(try_write(map + page));
	CHECK(try_write(map + 3 * page));
	return 0;
}

TEST_F(guard_fork, untouched_mapping)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(0, in_child(check_guard_at_page_2, self->map, self->page));
	EXPECT_TRUE(guarded(self->map + 2 * self->page));
}

TEST_F(guard_fork, populated_mapping)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(try_write(self->map + i * self->page));
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(0, in_child(check_guard_at_page_2, self->map, self->page));
}

static int check_data(char *map, size_t page)
{
	CHECK(map[page] == 'p');
	map[page] = 'c';
	return 0;
}

TEST_F(guard_fork, data_beside_a_guard)
{
	self->map[self->page] = 'p';
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(0, in_child(check_data, self->map, self->page));
	EXPECT_EQ(backing_is_shared(variant->backing) ? 'c' : 'p',
		  self->map[self->page]);
}

static int check_grandchild(char *map, size_t page)
{
	return in_child(check_guard_at_page_2, map, page);
}

TEST_F(guard_fork, grandchild)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(0, in_child(check_grandchild, self->map, self->page));
}

static int check_no_guard(char *map, size_t page)
{
	CHECK(markers_in(map, PAGES * page) == 0);
	CHECK(try_write(map + 2 * page));
	return 0;
}

TEST_F(guard_fork, removed_guard)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, in_child(check_no_guard, self->map, self->page));
}

static int check_remove(char *map, size_t page)
{
	CHECK(guarded(map + 2 * page));
	CHECK(madvise_errno(map, PAGES * page, MADV_GUARD_REMOVE) == 0);
	CHECK(try_write(map + 2 * page));
	return 0;
}

TEST_F(guard_fork, child_removes_its_own_guard)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(0, in_child(check_remove, self->map, self->page));
	EXPECT_TRUE(guarded(self->map + 2 * self->page));
}

static int check_install(char *map, size_t page)
{
	CHECK(madvise_errno(map, page, MADV_GUARD_INSTALL) == 0);
	CHECK(guarded(map));
	CHECK(vma_has_gu(map));
	return 0;
}

TEST_F(guard_fork, child_installs_its_own_guard)
{
	ASSERT_TRUE(try_write(self->map));
	EXPECT_EQ(0, in_child(check_install, self->map, self->page));
	EXPECT_FALSE(vma_has_gu(self->map));
	EXPECT_TRUE(try_write(self->map));
}

TEST_F(guard_fork, moved_guard)
{
	char *to = reserve(self->len, 1);

	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(to, mremap(self->map, self->len, self->len,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(0, in_child(check_guard_at_page_2, to, self->page));
}

/* Guards of the part that got the flag only because its mapping was split. */
TEST_F(guard_fork, split_mapping)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	xmprotect(self->map + 6 * self->page, self->page, PROT_READ);
	EXPECT_EQ(0, in_child(check_guard_at_page_2, self->map, self->page));
}

static int check_not_mapped(char *map, size_t page)
{
	CHECK(vma_count(map, PAGES * page) == 0);
	return 0;
}

TEST_F(guard_fork, dontfork)
{
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map, self->len, MADV_DONTFORK);
	EXPECT_EQ(0, in_child(check_not_mapped, self->map, self->page));
	EXPECT_TRUE(guarded(self->map + 2 * self->page));
	xmadvise(self->map, self->len, MADV_DOFORK);
	EXPECT_EQ(0, in_child(check_guard_at_page_2, self->map, self->page));
}

static int check_wiped(char *map, size_t page)
{
	CHECK(markers_in(map, PAGES * page) == 0);
	CHECK(!vma_has_gu(map));
	CHECK(map[page] == 0);
	CHECK(try_write(map + 2 * page));
	return 0;
}

TEST_F(guard_fork, wipeonfork)
{
	if (variant->backing != ANON_PRIVATE) {
		EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len,
						MADV_WIPEONFORK));
		return;
	}
	self->map[self->page] = 'p';
	xmadvise(self->map + 2 * self->page, self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map, self->len, MADV_WIPEONFORK);
	EXPECT_EQ(0, in_child(check_wiped, self->map, self->page));
	EXPECT_TRUE(guarded(self->map + 2 * self->page));
	EXPECT_EQ('p', self->map[self->page]);
	xmadvise(self->map, self->len, MADV_KEEPONFORK);
	EXPECT_EQ(0, in_child(check_guard_at_page_2, self->map, self->page));
}

TEST_HARNESS_MAIN
