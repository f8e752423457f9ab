// SPDX-License-Identifier: GPL-2.0
/*
 * Guards come and go while another thread's write faults insert pages of DAX.
 * A fault that finds a guard begins anew, and ends there: it is an error of the
 * access, never a warning of the kernel, which the test of its log sees.
 *
 * Needs a file system on /dax that maps pages straight from its storage.
 */
#include <err.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "guard_worker.h"

#define ROUNDS	20000

static size_t page;
static int zeros;
static atomic_uint written, faulted;

/* A write fault of a page that is not mapped, by the kernel. */
static void fault(char *map)
{
	ssize_t len;

	xmadvise(map, page, MADV_DONTNEED);
	len = read(zeros, map, 8);
	if (len == 8)
		atomic_fetch_add(&written, 1);
	else if (len < 0 && errno == EFAULT)
		atomic_fetch_add(&faulted, 1);
	else
		err(KSFT_FAIL, "read");
}

static bool is_dax(int fd)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) &&
	       (stx.stx_attributes & STATX_ATTR_DAX);
}

TEST(write_faults)
{
	unsigned int round;
	char *map;
	int fd;

	page = page_size();
	fd = open("/dax/guard_dax", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || !is_dax(fd))
		SKIP(return, "there is no file system with DAX on /dax");
	ASSERT_EQ(0, ftruncate(fd, 4 * page));
	ASSERT_EQ(0, posix_fallocate(fd, 0, 4 * page));
	map = mmap(NULL, 4 * page, RW, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	zeros = open("/dev/zero", O_RDONLY);
	ASSERT_LE(0, zeros);
	/* It keeps the flag, so that the others need a read lock only. */
	xmadvise(map, page, MADV_GUARD_INSTALL);

	worker_start(fault, false);
	worker_set_map(map + page);
	for (round = 0; round < ROUNDS; round++) {
		xmadvise(map + page, page, MADV_GUARD_INSTALL);
		xmadvise(map + page, page, MADV_GUARD_REMOVE);
	}
	worker_stop();
	EXPECT_LT(0, atomic_load(&written));
	EXPECT_LT(0, atomic_load(&faulted));
	TH_LOG("%u writes, %u met a guard", atomic_load(&written),
	       atomic_load(&faulted));
	EXPECT_TRUE(guarded(map));
	EXPECT_TRUE(try_write(map + page));
	unlink("/dax/guard_dax");
}

TEST_HARNESS_MAIN
