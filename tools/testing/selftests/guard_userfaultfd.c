// SPDX-License-Identifier: GPL-2.0
/*
 * Who watches memory with userfaultfd can neither fill a guard nor move it, and
 * to protect memory from writes changes none.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define PAGES	4
/* This page has a guard; that before it and those behind have not. */
#define GUARD	1

FIXTURE(uffd)
{
	size_t page;
	size_t len;
	int uffd;
	char *map;
	char *guard;
	/* Another mapping of the file. */
	char *other;
	char *source;
};

FIXTURE_VARIANT(uffd)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(uffd, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(uffd, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(uffd, memfd_shared) { .backing = MEMFD_SHARED };

static int uffd_open(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);

	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		return -1;
	}
	return uffd;
}

/* The ioctl numbers that the mapping takes, 0 when it cannot be watched so. */
static uint64_t uffd_register(int uffd, char *start, size_t len, uint64_t mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)start, len },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &reg) ? 0 : reg.ioctls;
}

FIXTURE_SETUP(uffd)
{
	int fd;

	self->page = page_size();
	self->len = PAGES * self->page;
	self->uffd = uffd_open(0);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	fd = backing_open(variant->backing, self->len);
	self->map = backing_map(variant->backing,
				reserve((PAGES + 2) * self->page, 1) +
				self->page, self->len, fd, 0);
	self->other = self->map;
	if (fd >= 0)
		self->other = backing_map(MEMFD_SHARED, NULL, self->len, fd, 0);
	self->source = backing_map(ANON_PRIVATE, NULL, self->len, -1, 0);
	memset(self->source, 's', self->len);
	self->guard = self->map + GUARD * self->page;
	xmadvise(self->guard, self->page, MADV_GUARD_INSTALL);
}

FIXTURE_TEARDOWN(uffd)
{
}

#define EXPECT_GUARD(addr)						\
	do {								\
		EXPECT_TRUE(guarded(addr));				\
		EXPECT_TRUE(vma_has_gu(addr));				\
	} while (0)

TEST_F(uffd, copy)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)self->guard,
		.src = (uintptr_t)self->source,
		.len = self->page,
	};

	ASSERT_TRUE(uffd_register(self->uffd, self->map, self->len,
				  UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_COPY, &copy));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-EEXIST, copy.copy);
	EXPECT_GUARD(self->guard);

	/* What is before the guard is filled. */
	copy.dst = (uintptr_t)self->map;
	copy.len = self->len;
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_COPY, &copy));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(GUARD * self->page, copy.copy);
	EXPECT_EQ('s', self->map[0]);
	EXPECT_EQ(GUARD, present_in(self->map, self->len));
	EXPECT_GUARD(self->guard);
}

TEST_F(uffd, copy_protected)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)self->guard,
		.src = (uintptr_t)self->source,
		.len = self->page,
		.mode = UFFDIO_COPY_MODE_WP,
	};

	if (!uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_MISSING |
			   UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no protection from writes");
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_COPY, &copy));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_GUARD(self->guard);
}

TEST_F(uffd, zeropage)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)self->guard, self->page },
	};

	ASSERT_TRUE(uffd_register(self->uffd, self->map, self->len,
				  UFFDIO_REGISTER_MODE_MISSING));
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_ZEROPAGE, &zero));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_GUARD(self->guard);
}

TEST_F(uffd, poison)
{
	struct uffdio_poison poison = {
		.range = { (uintptr_t)self->guard, self->page },
	};
	uint64_t ioctls;

	ioctls = uffd_register(self->uffd, self->map, self->len,
			       UFFDIO_REGISTER_MODE_MISSING);
	if (!(ioctls & 1ULL << _UFFDIO_POISON))
		SKIP(return, "no UFFDIO_POISON");
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_POISON, &poison));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_GUARD(self->guard);
}

TEST_F(uffd, continue)
{
	struct uffdio_continue cont = {
		.range = { (uintptr_t)self->guard, self->page },
	};

	if (self->other == self->map)
		SKIP(return, "anonymous memory has no page cache");
	memset(self->other, 'o', self->len);
	if (!uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_MINOR))
		SKIP(return, "no minor faults: %s", strerror(errno));
	EXPECT_EQ(-1, ioctl(self->uffd, UFFDIO_CONTINUE, &cont));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-EEXIST, cont.mapped);
	EXPECT_GUARD(self->guard);

	cont.range.start = (uintptr_t)self->map;
	EXPECT_EQ(0, ioctl(self->uffd, UFFDIO_CONTINUE, &cont));
	EXPECT_EQ('o', self->map[0]);
}

static int write_protect(int uffd, char *start, size_t len, bool protect)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)start, len },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(uffd, UFFDIO_WRITEPROTECT, &wp);
}

TEST_F(uffd, writeprotect)
{
	if (!uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no protection from writes");
	EXPECT_EQ(0, write_protect(self->uffd, self->map, self->len, true));
	EXPECT_GUARD(self->guard);
	EXPECT_EQ(0, write_protect(self->uffd, self->map, self->len, false));
	EXPECT_GUARD(self->guard);
	EXPECT_TRUE(try_write(self->map));
}

/* The other way to protect memory from writes, which finds those meanwhile. */
TEST_F(uffd, pagemap_scan)
{
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.flags = PM_SCAN_WP_MATCHING,
		.start = (uintptr_t)self->map,
		.end = (uintptr_t)self->map + self->len,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};
	int fd = open("/proc/self/pagemap", O_RDONLY);

	close(self->uffd);
	self->uffd = uffd_open(UFFD_FEATURE_WP_ASYNC |
			       UFFD_FEATURE_WP_UNPOPULATED);
	if (self->uffd < 0 ||
	    !uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no asynchronous protection from writes");
	/* Once more for entries that have been protected. */
	EXPECT_LE(0, ioctl(fd, PAGEMAP_SCAN, &scan));
	EXPECT_LE(0, ioctl(fd, PAGEMAP_SCAN, &scan));
	EXPECT_GUARD(self->guard);
	xmadvise(self->guard, self->page, MADV_GUARD_INSTALL);
	EXPECT_GUARD(self->guard);
	xmadvise(self->guard, self->page, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, markers_in(self->map, self->len));
	EXPECT_TRUE(try_write(self->guard));
}

/* To end a registration takes the protection away in one walk. */
TEST_F(uffd, unregister)
{
	struct uffdio_range range = { (uintptr_t)self->map, self->len };

	if (!uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no protection from writes");
	EXPECT_EQ(0, write_protect(self->uffd, self->map, self->len, true));
	EXPECT_EQ(0, ioctl(self->uffd, UFFDIO_UNREGISTER, &range));
	EXPECT_GUARD(self->guard);
	EXPECT_TRUE(try_write(self->map));
}

TEST_F(uffd, close)
{
	if (!uffd_register(self->uffd, self->map, self->len,
			   UFFDIO_REGISTER_MODE_WP))
		SKIP(return, "no protection from writes");
	EXPECT_EQ(0, write_protect(self->uffd, self->map, self->len, true));
	close(self->uffd);
	EXPECT_GUARD(self->guard);
	EXPECT_TRUE(try_write(self->map));
}

/* Only private anonymous memory can be moved. */
FIXTURE(move)
{
	size_t page;
	int uffd;
	char *from;
	char *to;
};

FIXTURE_VARIANT(move)
{
	uint64_t mode;
};

FIXTURE_VARIANT_ADD(move, strict) { };
FIXTURE_VARIANT_ADD(move, holes) { .mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES };

FIXTURE_SETUP(move)
{
	uint64_t ioctls;

	self->page = page_size();
	self->uffd = uffd_open(0);
	if (self->uffd < 0)
		SKIP(return, "no userfaultfd: %s", strerror(errno));
	self->from = backing_map(ANON_PRIVATE, reserve(PMD_BYTES, PMD_BYTES),
				 PMD_BYTES, -1, 0);
	self->to = backing_map(ANON_PRIVATE, reserve(PMD_BYTES, PMD_BYTES),
			       PMD_BYTES, -1, 0);
	ioctls = uffd_register(self->uffd, self->to, PMD_BYTES,
			       UFFDIO_REGISTER_MODE_MISSING);
	if (!(ioctls & 1ULL << _UFFDIO_MOVE))
		SKIP(return, "no UFFDIO_MOVE");
	memset(self->from, 'f', PMD_BYTES);
}

FIXTURE_TEARDOWN(move)
{
}

/* Returns what the kernel says that it has moved. */
static int64_t move(int uffd, char *to, char *from, size_t len, uint64_t mode)
{
	struct uffdio_move move = {
		.dst = (uintptr_t)to,
		.src = (uintptr_t)from,
		.len = len,
		.mode = mode,
	};

	ioctl(uffd, UFFDIO_MOVE, &move);
	return move.move;
}

TEST_F(move, onto_guard)
{
	char *guard = self->to + self->page;

	xmadvise(guard, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(-EEXIST, move(self->uffd, guard, self->from, self->page,
				variant->mode));
	EXPECT_EQ(self->page, move(self->uffd, self->to, self->from,
				   3 * self->page, variant->mode));
	EXPECT_EQ('f', *self->to);
	EXPECT_EQ('f', self->from[self->page]);
	EXPECT_GUARD(guard);
}

TEST_F(move, guard)
{
	char *guard = self->from + self->page;

	xmadvise(guard, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(-EFAULT, move(self->uffd, self->to, guard, self->page,
				variant->mode));
	EXPECT_EQ(self->page, move(self->uffd, self->to, self->from,
				   3 * self->page, variant->mode));
	EXPECT_EQ('f', *self->to);
	EXPECT_EQ(1, present_in(self->to, PMD_BYTES));
	EXPECT_GUARD(guard);
}

/* A huge page does not replace the page table that has the guard. */
TEST_F(move, huge_page_onto_guards)
{
	char *guard = self->to + PMD_BYTES - self->page;

	if (madvise_errno(self->from, PMD_BYTES, MADV_COLLAPSE))
		SKIP(return, "no huge pages of 2 MiB");
	xmadvise(guard, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(PMD_BYTES - self->page,
		  move(self->uffd, self->to, self->from, PMD_BYTES,
		       variant->mode));
	EXPECT_EQ('f', guard[-1]);
	EXPECT_EQ('f', self->from[PMD_BYTES - 1]);
	EXPECT_GUARD(guard);
}

TEST_HARNESS_MAIN
