// SPDX-License-Identifier: GPL-2.0
/*
 * A file loses pages, or has new ones, while a thread or another process faults
 * them in again through a mapping of its own. Guards at these pages stay.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "guard_worker.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE	0x80
#endif

#define PAGES		128
#define ROUNDS		40

/* A disk in memory that nothing else uses. */
#define DISK		"/dev/ram1"

/* True if the kernel did it. */
typedef bool (*change_t)(void);

static change_t change;
/* What the others do meanwhile. */
static void (*fault)(char *map);
static size_t len;
static int fd;
/* The mapping of those who fault the pages in. */
static char *other;
/* How many faults that took. */
static atomic_ulong *faults;

static bool punch_hole(void)
{
	return !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			  len);
}

static bool truncate_file(void)
{
	return !ftruncate(fd, 0) && !ftruncate(fd, len);
}

static bool remove_pages(void)
{
	return !madvise(other, len, MADV_REMOVE);
}

static bool write_whole(int file, int flags)
{
	struct iovec vec = { .iov_len = len };
	bool written;

	if (posix_memalign(&vec.iov_base, page_size(), len))
		err(KSFT_FAIL, "posix_memalign");
	memset(vec.iov_base, 'x', len);
	written = pwritev2(file, &vec, 1, 0, flags) == (ssize_t)len;
	free(vec.iov_base);
	return written;
}

static bool write_direct(void)
{
	struct statfs statfs;
	struct stat stat;
	char path[32];
	bool written;
	int direct;

	if (fstat(fd, &stat) || fstatfs(fd, &statfs))
		return false;
	if (S_ISREG(stat.st_mode) && statfs.f_type == TMPFS_MAGIC) {
		/* There it is an ordinary write. */
		errno = EOPNOTSUPP;
		return false;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	direct = open(path, O_RDWR | O_DIRECT);
	if (direct < 0)
		return false;
	written = write_whole(direct, 0);
	close(direct);
	return written;
}

/* Pages that are new to the page cache go as soon as they are on the disk. */
static bool write_dontcache(void)
{
	return truncate_file() && write_whole(fd, RWF_DONTCACHE) &&
	       !fdatasync(fd);
}

static bool invalidate(void)
{
	return !fdatasync(fd) &&
	       !posix_fadvise(fd, 0, len, POSIX_FADV_DONTNEED);
}

static bool drop_clean_pages(void)
{
	int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
	bool done = !fdatasync(fd) && file >= 0 && write(file, "1", 1) == 1;

	close(file);
	return done;
}

static void fault_in(char *map)
{
	struct rusage usage;

	/* Fails behind the end of the file. */
	madvise(map, len, MADV_POPULATE_READ);
	if (getrusage(RUSAGE_THREAD, &usage))
		err(KSFT_FAIL, "getrusage");
	atomic_store(faults, usage.ru_minflt + usage.ru_majflt);
}

/* What is not mapped at that moment can be taken out of the page cache. */
static void fault_in_anew(char *map)
{
	madvise(map, len, MADV_DONTNEED);
	fault_in(map);
}

static int open_disk(void)
{
	return open(DISK, O_RDWR);
}

static int open_memfd(void)
{
	return backing_open(MEMFD_SHARED, len);
}

static int open_file(void)
{
	return backing_open(FILE_SHARED, len);
}

FIXTURE(changes)
{
	char *guards;
};

FIXTURE_VARIANT(changes)
{
	int (*open)(void);
	change_t change;
	/* It does not take pages out of mappings, or those of a moment only. */
	bool anew;
};

#define CHANGES(name, opener, function, ...)				\
	FIXTURE_VARIANT_ADD(changes, name) {				\
		.open = opener,						\
		.change = function,					\
		__VA_ARGS__						\
	}

CHANGES(memfd_punch_hole, open_memfd, punch_hole);
CHANGES(memfd_truncate, open_memfd, truncate_file, .anew = true);
CHANGES(memfd_remove, open_memfd, remove_pages);
CHANGES(file_punch_hole, open_file, punch_hole);
CHANGES(file_truncate, open_file, truncate_file, .anew = true);
CHANGES(file_remove, open_file, remove_pages);
CHANGES(file_write_direct, open_file, write_direct);
CHANGES(file_write_dontcache, open_file, write_dontcache);
CHANGES(file_invalidate, open_file, invalidate, .anew = true);
CHANGES(file_drop_caches, open_file, drop_clean_pages,
	.anew = true);
CHANGES(disk_write_direct, open_disk, write_direct);
CHANGES(disk_invalidate, open_disk, invalidate, .anew = true);

FIXTURE_SETUP(changes)
{
	len = PAGES * page_size();
	fd = variant->open();
	if (fd < 0)
		SKIP(return, "%s: %s", DISK, strerror(errno));
	faults = mmap(NULL, sizeof(*faults), RW, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	other = mmap(NULL, len, RW, MAP_SHARED, fd, 0);
	self->guards = reserve(len + 2 * page_size(), 1) + page_size();
	ASSERT_NE(MAP_FAILED, (void *)faults);
	ASSERT_NE(MAP_FAILED, other);
	change = variant->change;
	fault = variant->anew ? fault_in_anew : fault_in;
	if (!change())
		SKIP(return, "not possible for this file: %s", strerror(errno));
}

FIXTURE_TEARDOWN(changes)
{
	worker_stop();
}

static void check(struct __test_metadata *_metadata, char *guards,
		  int sharing, bool process)
{
	unsigned int round, came_back = 0, meanwhile = 0;
	unsigned long last;

	ASSERT_EQ(guards, mmap(guards, len, RW, sharing | MAP_FIXED, fd, 0));
	xmadvise(guards, len, MADV_GUARD_INSTALL);
	worker_start(fault, process);
	worker_set_map(other);
	worker_wait();
	for (round = 0; round < ROUNDS; round++) {
		last = atomic_load(faults);
		ASSERT_TRUE(change());
		meanwhile += atomic_load(faults) != last;
		worker_wait();
		came_back += atomic_load(faults) != last;
		ASSERT_EQ(PAGES, markers_in(guards, len))
			TH_LOG("lost in round %u", round);
	}
	TH_LOG("pages came back in %u rounds, in %u meanwhile", came_back,
	       meanwhile);
	EXPECT_EQ(ROUNDS, came_back);
	EXPECT_TRUE(vma_has_gu(guards));
	EXPECT_FALSE(try_read(guards));
	EXPECT_FALSE(try_write(guards + len - 1));
}

TEST_F(changes, shared_beside_thread)
{
	check(_metadata, self->guards, MAP_SHARED, false);
}

TEST_F(changes, shared_beside_process)
{
	check(_metadata, self->guards, MAP_SHARED, true);
}

TEST_F(changes, private_beside_thread)
{
	check(_metadata, self->guards, MAP_PRIVATE, false);
}

TEST_F(changes, private_beside_process)
{
	check(_metadata, self->guards, MAP_PRIVATE, true);
}

TEST_HARNESS_MAIN
