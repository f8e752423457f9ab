// SPDX-License-Identifier: GPL-2.0
/* Guards by process_madvise(): byte counts, partial work, other processes. */
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	12

/* Three mappings of four pages each: writable, read only, writable. */
FIXTURE(guard_process_madvise)
{
	char *map[3];
	struct iovec vec[3];
	size_t page;
	int pidfd;
};

FIXTURE_SETUP(guard_process_madvise)
{
	char *base;
	int i;

	self->page = page_size();
	base = reserve((PAGES + 2) * self->page, 1) + self->page;
	base = backing_map(ANON_PRIVATE, base, PAGES * self->page, -1, 0);
	for (i = 0; i < 3; i++) {
		self->map[i] = base + 4 * i * self->page;
		self->vec[i].iov_base = self->map[i] + self->page;
		self->vec[i].iov_len = 2 * self->page;
	}
	xmprotect(self->map[1], 4 * self->page, PROT_READ);
	ASSERT_EQ(3, vma_count(base, PAGES * self->page));
	self->pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	ASSERT_LE(0, self->pidfd);
}

FIXTURE_TEARDOWN(guard_process_madvise)
{
	close(self->pidfd);
}

/* The bytes worked on, or minus errno. */
static ssize_t advise(int pidfd, const struct iovec *vec, size_t count,
		      int advice, unsigned int flags)
{
	ssize_t bytes = syscall(SYS_process_madvise, pidfd, vec, count, advice,
				flags);

	return bytes < 0 ? -errno : bytes;
}

TEST_F(guard_process_madvise, three_mappings)
{
	ssize_t bytes = 6 * self->page;
	int i;

	EXPECT_EQ(bytes, advise(self->pidfd, self->vec, 3,
				MADV_GUARD_INSTALL, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(vma_has_gu(self->map[i]));
		EXPECT_EQ(2, markers_in(self->map[i], 4 * self->page));
		EXPECT_TRUE(guarded(self->vec[i].iov_base));
	}
	EXPECT_EQ(bytes, advise(self->pidfd, self->vec, 3,
				MADV_GUARD_REMOVE, 0));
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(vma_has_gu(self->map[i]));
		EXPECT_EQ(0, markers_in(self->map[i], 4 * self->page));
		EXPECT_TRUE(try_read(self->vec[i].iov_base));
	}
}

TEST_F(guard_process_madvise, one_entry_over_three_mappings)
{
	struct iovec all = {
		.iov_base = self->map[0],
		.iov_len = PAGES * self->page,
	};
	int i;

	EXPECT_EQ((ssize_t)all.iov_len,
		  advise(self->pidfd, &all, 1, MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(PAGES, markers_in(self->map[0], PAGES * self->page));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(vma_has_gu(self->map[i]));
}

TEST_F(guard_process_madvise, empty_entries_and_populated_pages)
{
	struct iovec vec[3] = {
		{ self->map[0], self->page },
		{ self->map[0], 0 },
		{ self->map[2], self->page },
	};

	self->map[0][0] = 'x';
	self->map[2][0] = 'x';
	EXPECT_EQ((ssize_t)(2 * self->page),
		  advise(self->pidfd, vec, 3, MADV_GUARD_INSTALL, 0));
	EXPECT_TRUE(guarded(self->map[0]));
	EXPECT_TRUE(guarded(self->map[2]));
	EXPECT_EQ(0, advise(self->pidfd, vec, 0, MADV_GUARD_INSTALL, 0));
}

TEST_F(guard_process_madvise, stops_at_a_locked_mapping)
{
	ASSERT_EQ(0, mlock2(self->map[1], 4 * self->page, MLOCK_ONFAULT));
	EXPECT_EQ((ssize_t)(2 * self->page),
		  advise(self->pidfd, self->vec, 3, MADV_GUARD_INSTALL, 0));
	EXPECT_TRUE(vma_has_gu(self->map[0]));
	EXPECT_FALSE(vma_has_gu(self->map[1]));
	EXPECT_FALSE(vma_has_gu(self->map[2]));
	EXPECT_EQ(2, markers_in(self->map[0], PAGES * self->page));

	EXPECT_EQ(-EINVAL, advise(self->pidfd, self->vec + 1, 2,
				  MADV_GUARD_INSTALL, 0));
	EXPECT_FALSE(vma_has_gu(self->map[2]));
}

/* The entry with the hole is worked on but not counted, and is the last. */
TEST_F(guard_process_madvise, stops_at_a_hole)
{
	xmunmap(self->map[1] + 2 * self->page, self->page);
	EXPECT_EQ((ssize_t)(2 * self->page),
		  advise(self->pidfd, self->vec, 3, MADV_GUARD_INSTALL, 0));
	EXPECT_TRUE(guarded(self->vec[1].iov_base));
	EXPECT_FALSE(vma_has_gu(self->map[2]));
	EXPECT_EQ(-ENOMEM, advise(self->pidfd, self->vec + 1, 2,
				  MADV_GUARD_INSTALL, 0));
	EXPECT_FALSE(vma_has_gu(self->map[2]));
}

TEST_F(guard_process_madvise, stops_at_an_unaligned_entry)
{
	self->vec[1].iov_base = self->map[1] + 1;
	EXPECT_EQ((ssize_t)(2 * self->page),
		  advise(self->pidfd, self->vec, 3, MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(-EINVAL, advise(self->pidfd, self->vec + 1, 2,
				  MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(2, markers_in(self->map[0], PAGES * self->page));
	EXPECT_FALSE(vma_has_gu(self->map[1]));
	EXPECT_FALSE(vma_has_gu(self->map[2]));
}

TEST_F(guard_process_madvise, bad_arguments)
{
	EXPECT_EQ(-EINVAL, advise(self->pidfd, self->vec, 3,
				  MADV_GUARD_INSTALL, 1));
	EXPECT_EQ(-EINVAL, advise(self->pidfd, self->vec, 3, 104, 0));
	EXPECT_EQ(-EINVAL, advise(self->pidfd, self->vec, IOV_MAX + 1,
				  MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(-EFAULT, advise(self->pidfd, NULL, 3,
				  MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(-EBADF, advise(-1, self->vec, 3, MADV_GUARD_INSTALL, 0));
	EXPECT_EQ(0, markers_in(self->map[0], PAGES * self->page));
	EXPECT_FALSE(vma_has_gu(self->map[0]));
}

/* Nobody puts guards into another process, nor takes them away there. */
TEST_F(guard_process_madvise, other_process)
{
	int go[2], pidfd, status;
	pid_t pid;
	char c;

	xmadvise(self->map[0], self->page, MADV_GUARD_INSTALL);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(2);
		_exit(markers_in(self->map[0], PAGES * self->page) == 1 &&
		      guarded(self->map[0]) ? 0 : 1);
	}
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, pidfd);
	EXPECT_EQ(-EINVAL, advise(pidfd, self->vec, 3, MADV_GUARD_INSTALL, 0));
	self->vec[0].iov_base = self->map[0];
	EXPECT_EQ(-EINVAL, advise(pidfd, self->vec, 1, MADV_GUARD_REMOVE, 0));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
