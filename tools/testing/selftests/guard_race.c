// SPDX-License-Identifier: GPL-2.0
/*
 * Guards are installed while another thread changes or uses the mapping, or
 * while the process forks.
 */
#include <err.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "guard_worker.h"

#define PAGES		10
#define CHANGE_ROUNDS	100
#define FAULT_ROUNDS	500
#define REMAP_ROUNDS	100
#define FORK_ROUNDS	40
#define CLEAR_ROUNDS	200

static size_t page;

FIXTURE(changes)
{
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
	worker_start(variant->work, false);
}

FIXTURE_TEARDOWN(changes)
{
	worker_stop();
}

/* A change that read the flags before the install must not write them back. */
TEST_F(changes, flag_is_not_lost)
{
	unsigned int round, lost = 0, apart = 0;

	for (round = 0; round < CHANGE_ROUNDS; round++) {
		char *space = reserve((PAGES + 2) * page, 1);
		char *map = backing_map(ANON_SHARED, space + page,
					PAGES * page, -1, 0);

		worker_set_map(map);
		worker_wait();
		xmadvise(map + page, page, MADV_GUARD_INSTALL);
		worker_set_map(NULL);
		worker_wait();
		lost += !vma_has_gu(map + page) || !guarded(map + page);
		apart += vma_count(map, PAGES * page) != 1;
		xmunmap(space, (PAGES + 2) * page);
	}
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, apart);
	TH_LOG("lost: %u of %u", lost, CHANGE_ROUNDS);
}

FIXTURE(faults)
{
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
	worker_start(use_pages, false);
}

FIXTURE_TEARDOWN(faults)
{
	worker_stop();
}

/*
 * Pages come in while guards are installed: the call never fails for it, and
 * when it returns every page has its guard.
 */
TEST_F(faults, install_wins)
{
	size_t len = PAGES * page;
	int fd = backing_open(variant->backing, len);
	char *map = backing_map(variant->backing, NULL, len, fd, 0);
	struct iovec vec = { map, len };
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	unsigned int round;

	ASSERT_LE(0, pidfd);
	worker_set_map(map);
	for (round = 0; round < FAULT_ROUNDS; round++) {
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
	}
	close(pidfd);
}

/* Odd while the page of the reader has a guard for certain. */
static atomic_uint phase;
static atomic_uint reads_of_guards;
static atomic_uint checked_reads;

static void read_page(char *map)
{
	unsigned int before = atomic_load(&phase);
	bool ok = try_read(map);

	if (before % 2 == 0 || atomic_load(&phase) != before)
		return;
	atomic_fetch_add(&checked_reads, 1);
	atomic_fetch_add(&reads_of_guards, ok);
}

/* From the end of an install to the start of a removal, nobody gets in. */
TEST_F(faults, guard_is_never_readable)
{
	size_t len = PAGES * page;
	int fd = backing_open(variant->backing, len);
	char *map = backing_map(variant->backing, NULL, len, fd, 0);
	unsigned int round;

	worker_stop();
	worker_start(read_page, false);
	worker_set_map(map);
	for (round = 0; round < FAULT_ROUNDS; round++) {
		xmadvise(map, page, MADV_GUARD_INSTALL);
		atomic_fetch_add(&phase, 1);
		worker_wait();
		atomic_fetch_add(&phase, 1);
		xmadvise(map, page, MADV_GUARD_REMOVE);
	}
	EXPECT_LE(FAULT_ROUNDS, checked_reads);
	EXPECT_EQ(0, reads_of_guards);
}

FIXTURE(remap)
{
};

FIXTURE_VARIANT(remap)
{
	void (*work)(char *map);
};

static void replace(char *map)
{
	backing_map(ANON_PRIVATE, map, PAGES * page, -1, 0);
}

static void replace_shared(char *map)
{
	backing_map(ANON_SHARED, map, PAGES * page, -1, 0);
}

static void unmap_and_map(char *map)
{
	xmunmap(map, PAGES * page);
	replace(map);
}

static void unmap_part_and_map(char *map)
{
	xmunmap(map + 2 * page, 4 * page);
	backing_map(ANON_PRIVATE, map + 2 * page, 4 * page, -1, 0);
}

FIXTURE_VARIANT_ADD(remap, replace) { .work = replace };
FIXTURE_VARIANT_ADD(remap, replace_shared) { .work = replace_shared };
FIXTURE_VARIANT_ADD(remap, unmap_and_map) { .work = unmap_and_map };
FIXTURE_VARIANT_ADD(remap, unmap_part_and_map) { .work = unmap_part_and_map };

FIXTURE_SETUP(remap)
{
	page = page_size();
	worker_start(variant->work, false);
}

FIXTURE_TEARDOWN(remap)
{
	worker_stop();
}

/* Marked pages without the flag around them: there must be none. */
static size_t stray_guards(char *map)
{
	size_t i, stray = 0;

	for (i = 0; i < PAGES; i++)
		stray += marker_at(map + i * page) && !vma_has_gu(map + i * page);
	return stray;
}

TEST_F(remap, flag_goes_with_the_mapping)
{
	char *space = reserve((PAGES + 2) * page, 1);
	char *map = space + page;
	unsigned int round, stray = 0, errors = 0, installs = 0, left = 0;
	int i;

	replace(map);
	for (round = 0; round < REMAP_ROUNDS; round++) {
		worker_set_map(map);
		for (i = 0; i < 20; i++) {
			int error = madvise_errno(map + i % 4 * page, 3 * page,
						  MADV_GUARD_INSTALL);

			installs += !error;
			errors += error && error != ENOMEM;
		}
		worker_set_map(NULL);
		worker_wait();
		stray += stray_guards(map);
		left += markers_in(map, PAGES * page);
	}
	EXPECT_LT(0, installs);
	EXPECT_EQ(0, errors);
	EXPECT_EQ(0, stray);
	TH_LOG("%u installs, %u markers at the ends of the rounds", installs, left);
}

FIXTURE(clears)
{
};

FIXTURE_VARIANT(clears)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(clears, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(clears, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(clears, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(clears, file_shared) { .backing = FILE_SHARED };

static void remove_all(char *map)
{
	xmadvise(map, PAGES * page, MADV_GUARD_REMOVE);
}

FIXTURE_SETUP(clears)
{
	page = page_size();
	worker_start(remove_all, false);
}

FIXTURE_TEARDOWN(clears)
{
	worker_stop();
}

/* The flag goes with all guards, while others come. */
TEST_F(clears, no_guard_without_flag)
{
	size_t len = PAGES * page;
	int fd = backing_open(variant->backing, len);
	char *map = backing_map(variant->backing, reserve(len + 2 * page, 1) + page,
				len, fd, 0);
	unsigned int round, i, stray = 0, left = 0, lost = 0;

	for (round = 0; round < CLEAR_ROUNDS; round++) {
		worker_set_map(map);
		for (i = 0; i < 2 * PAGES; i++)
			xmadvise(map + i % PAGES * page, page, MADV_GUARD_INSTALL);
		worker_set_map(NULL);
		worker_wait();
		stray += stray_guards(map);
		left += markers_in(map, len);
		/* Nothing takes away what comes after the last removal. */
		xmadvise(map + round % PAGES * page, page, MADV_GUARD_INSTALL);
		lost += !vma_has_gu(map) || !guarded_in_child(map + round % PAGES * page);
	}
	EXPECT_EQ(0, stray);
	EXPECT_EQ(0, lost);
	remove_all(map);
	EXPECT_FALSE(vma_has_gu(map));
	TH_LOG("%u markers at the ends of the rounds", left);
}

FIXTURE(forks)
{
};

FIXTURE_VARIANT(forks)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(forks, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(forks, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(forks, memfd_private) { .backing = MEMFD_PRIVATE };

/* Pages that have guards for certain. A child sees it as it was in fork(). */
static atomic_bool installed[PAGES];

static void toggle_guards(char *map)
{
	size_t i;

	for (i = 0; i < PAGES; i++) {
		if (atomic_load(&installed[i])) {
			atomic_store(&installed[i], false);
			xmadvise(map + i * page, page, MADV_GUARD_REMOVE);
		} else if (i % 3 || rand() % 2) {
			xmadvise(map + i * page, page, MADV_GUARD_INSTALL);
			atomic_store(&installed[i], true);
		}
	}
}

FIXTURE_SETUP(forks)
{
	page = page_size();
	worker_start(toggle_guards, false);
}

FIXTURE_TEARDOWN(forks)
{
	worker_stop();
}

enum child_result { NO_GUARD, SOME_GUARDS, LOST_GUARD, LOST_FLAG, RESULTS };

static enum child_result check_child(char *map)
{
	enum child_result result = NO_GUARD;
	size_t i;

	for (i = 0; i < PAGES; i++) {
		if (!atomic_load(&installed[i]))
			continue;
		if (!guarded(map + i * page))
			return LOST_GUARD;
		result = SOME_GUARDS;
	}
	if (markers_in(map, PAGES * page) && !vma_has_gu(map))
		return LOST_FLAG;
	return result;
}

/* Forks while the first guards, and others, come and go. */
TEST_F(forks, child_has_what_was_there)
{
	size_t len = PAGES * page;
	unsigned int results[RESULTS] = { 0 };
	int fd = backing_open(variant->backing, len), status, round;

	for (round = 0; round < FORK_ROUNDS; round++) {
		char *map = backing_map(variant->backing, NULL, len, fd, 0);
		pid_t pid;

		worker_set_map(map);
		if (round % 2)
			worker_wait();
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(check_child(map));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < RESULTS);
		results[WEXITSTATUS(status)]++;
		worker_set_map(NULL);
		worker_wait();
		xmunmap(map, len);
		memset(installed, 0, sizeof(installed));
	}
	TH_LOG("%u children with guards, %u without", results[SOME_GUARDS],
	       results[NO_GUARD]);
	EXPECT_LT(0, results[SOME_GUARDS]);
	EXPECT_EQ(0, results[LOST_GUARD]);
	EXPECT_EQ(0, results[LOST_FLAG]);
}

TEST_HARNESS_MAIN
