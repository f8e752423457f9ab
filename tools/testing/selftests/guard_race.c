// SPDX-License-Identifier: GPL-2.0
/* Guards are installed while another thread changes or uses the mapping. */
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	10
#define SECONDS	4

static _Atomic(char *) area;
static atomic_uint turns;
static size_t page;
static void (*work)(char *map);

static void *worker(void *unused)
{
	char *map;

	while ((map = atomic_load(&area)) != MAP_FAILED) {
		if (map)
			work(map);
		atomic_fetch_add(&turns, 1);
	}
	return NULL;
}

/* Returns when the other thread has left what it did at the time of the call. */
static void wait_for_worker(void)
{
	unsigned int seen = atomic_load(&turns);

	while (atomic_load(&turns) - seen < 2)
		sched_yield();
}

static bool time_left(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec < SECONDS;
}

FIXTURE(changes)
{
	pthread_t thread;
};

FIXTURE_VARIANT(changes)
{
	void (*work)(char *map);
};

static void protect_part(char *map)
{
	xmprotect(map + 4 * page, 3 * page, PROT_READ);
	xmprotect(map + 4 * page, 3 * page, RW);
}

static void protect_whole(char *map)
{
	xmprotect(map, PAGES * page, PROT_READ);
	xmprotect(map, PAGES * page, RW);
}

static void dump_part(char *map)
{
	xmadvise(map + 4 * page, 3 * page, MADV_DONTDUMP);
	xmadvise(map + 4 * page, 3 * page, MADV_DODUMP);
}

static void dump_whole(char *map)
{
	xmadvise(map, PAGES * page, MADV_DONTDUMP);
	xmadvise(map, PAGES * page, MADV_DODUMP);
}

static void lock_part(char *map)
{
	if (mlock2(map + 4 * page, 3 * page, MLOCK_ONFAULT) ||
	    munlock(map + 4 * page, 3 * page))
		err(KSFT_FAIL, "mlock");
}

static void name_part(char *map)
{
	if (name_errno(map + 4 * page, 3 * page, "part") ||
	    name_errno(map + 4 * page, 3 * page, NULL))
		errx(KSFT_FAIL, "naming");
}

FIXTURE_VARIANT_ADD(changes, mprotect_part) { .work = protect_part };
FIXTURE_VARIANT_ADD(changes, mprotect_whole) { .work = protect_whole };
FIXTURE_VARIANT_ADD(changes, dontdump_part) { .work = dump_part };
FIXTURE_VARIANT_ADD(changes, dontdump_whole) { .work = dump_whole };
FIXTURE_VARIANT_ADD(changes, mlock_part) { .work = lock_part };
FIXTURE_VARIANT_ADD(changes, name_part) { .work = name_part };

FIXTURE_SETUP(changes)
{
	page = page_size();
	if (variant->work == name_part) {
		char *map = backing_map(ANON_PRIVATE, NULL, page, -1, 0);

		if (name_errno(map, page, "part"))
			SKIP(return, "mappings have no names");
		xmunmap(map, page);
	}
	work = variant->work;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, worker, NULL));
}

FIXTURE_TEARDOWN(changes)
{
	atomic_store(&area, MAP_FAILED);
	pthread_join(self->thread, NULL);
}

/* A change that read the flags before the install must not write them back. */
TEST_F_TIMEOUT(changes, flag_is_not_lost, 60)
{
	struct timespec start;
	unsigned int rounds = 0, lost = 0, apart = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (time_left(&start)) {
		char *space = reserve((PAGES + 2) * page, 1);
		char *map = backing_map(ANON_SHARED, space + page,
					PAGES * page, -1, 0);

		atomic_store(&area, map);
		wait_for_worker();
		xmadvise(map + page, page, MADV_GUARD_INSTALL);
		atomic_store(&area, NULL);
		wait_for_worker();
		lost += !vma_has_gu(map + page) || !guarded(map + page);
		apart += vma_count(map, PAGES * page) != 1;
		xmunmap(space, (PAGES + 2) * page);
		rounds++;
	}
	TH_LOG("%u rounds", rounds);
	EXPECT_LT(0, rounds);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, apart);
}

FIXTURE(faults)
{
	pthread_t thread;
};

FIXTURE_VARIANT(faults)
{
	enum backing backing;
	bool process_madvise;
};

FIXTURE_VARIANT_ADD(faults, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(faults, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(faults, process_madvise) {
	.backing = ANON_PRIVATE,
	.process_madvise = true,
};

static void use_pages(char *map)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		try_write(map + i * page);
}

FIXTURE_SETUP(faults)
{
	page = page_size();
	work = use_pages;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, worker, NULL));
}

FIXTURE_TEARDOWN(faults)
{
	atomic_store(&area, MAP_FAILED);
	pthread_join(self->thread, NULL);
}

/*
 * Pages come in while guards are installed: the call never fails for it, and
 * when it returns every page has its guard.
 */
TEST_F_TIMEOUT(faults, install_wins, 60)
{
	size_t len = PAGES * page;
	int fd = backing_open(variant->backing, len);
	char *map = backing_map(variant->backing, NULL, len, fd, 0);
	struct iovec vec = { map, len };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	unsigned int rounds = 0;
	struct timespec start;

	ASSERT_LE(0, pidfd);
	atomic_store(&area, map);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (time_left(&start)) {
		if (variant->process_madvise) {
			ASSERT_EQ((ssize_t)len,
				  syscall(SYS_process_madvise, pidfd, &vec, 1,
					  MADV_GUARD_INSTALL, 0));
		} else {
			ASSERT_EQ(0, madvise_errno(map, len, MADV_GUARD_INSTALL));
		}
		ASSERT_EQ(PAGES, markers_in(map, len));
		ASSERT_EQ(0, madvise_errno(map, len, MADV_GUARD_REMOVE));
		ASSERT_EQ(0, markers_in(map, len));
		rounds++;
	}
	EXPECT_LT(0, rounds);
	close(pidfd);
}

TEST_HARNESS_MAIN
