// SPDX-License-Identifier: GPL-2.0
/*
 * An install waits for the mmap lock. A fatal signal ends the wait with EINTR,
 * at once, and nothing has changed. One that works ends with EINTR, too, before
 * all guards are there.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define ROUNDS		20
#define HELD_BYTES	(32UL << 20)
/* As much as the kernel takes at once, less than 2 GB. */
#define VECTOR		63
#define EVENT		"events/raw_syscalls/sys_exit/"

static char *held;
static char *map;
static size_t len;
static atomic_bool holding;
static atomic_bool released;
static atomic_bool go;
static atomic_bool returned;

/* The mmap lock is held for reading from the first to the last range. */
static void *hold(void *pidfd)
{
	struct iovec vec[VECTOR];
	size_t i;

	for (i = 0; i < VECTOR; i++)
		vec[i] = (struct iovec) { held, HELD_BYTES };
	atomic_store(&holding, true);
	if (syscall(SYS_process_madvise, *(int *)pidfd, vec, VECTOR, MADV_COLD,
		    0) != (ssize_t)(VECTOR * HELD_BYTES))
		err(KSFT_FAIL, "process_madvise");
	atomic_store(&released, true);
	return NULL;
}

/* A process of its own, for the signal, in the same memory. */
static int victim(void *unused)
{
	while (!atomic_load(&go))
		sched_yield();
	madvise(map, len, MADV_GUARD_INSTALL);
	atomic_store(&returned, true);
	return 0;
}

/* "D" in /proc/PID/stat: it waits, and only a fatal signal can end that. */
static bool waits(pid_t pid)
{
	char path[40], text[128] = "";
	char *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		err(KSFT_FAIL, "%s", path);
	close(fd);
	end = strrchr(text, ')');
	return end && end[2] == 'D';
}

/* Lets the kernel note what madvise() of a process returns. */
static bool trace_madvise(pid_t pid)
{
	char filter[64];

	snprintf(filter, sizeof(filter), "common_pid == %d && id == %d", pid,
		 (int)SYS_madvise);
	return trace_start(EVENT, filter);
}

static bool trace_has_eintr(void)
{
	return trace_stop(EVENT, " = -4");
}

enum outcome { TOO_LATE, KILLED, CHANGED };

static pid_t start_victim(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	pid_t pid;

	go = returned = false;
	pid = clone(victim, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	if (pid < 0)
		err(KSFT_FAIL, "clone");
	return pid;
}

static void kill_victim(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		err(KSFT_FAIL, "waitpid");
}

static enum outcome kill_one(bool *traced)
{
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	bool waited = false, ended_in_time, changed, eintr;
	pthread_t holder;
	pid_t pid;

	map = backing_map(ANON_PRIVATE, reserve(3 * page_size(), 1) + page_size(),
			  page_size(), -1, 0);
	len = page_size();
	holding = released = false;
	pid = start_victim();
	*traced = trace_madvise(pid);
	if (pthread_create(&holder, NULL, hold, &pidfd))
		errx(KSFT_FAIL, "pthread_create");
	while (!atomic_load(&holding))
		sched_yield();
	atomic_store(&go, true);
	while (!atomic_load(&released) && !atomic_load(&returned) && !waited)
		waited = waits(pid);
	kill_victim(pid);
	ended_in_time = waited && !atomic_load(&released);
	pthread_join(holder, NULL);
	close(pidfd);
	changed = marker_at(map) || vma_has_gu(map);
	eintr = *traced ? trace_has_eintr() : !returned && !changed;
	/* It may have got the lock after it was seen to wait for it. */
	if (!eintr || !ended_in_time)
		return TOO_LATE;
	return changed || returned ? CHANGED : KILLED;
}

FIXTURE(guard_killed)
{
};

FIXTURE_SETUP(guard_killed)
{
	char *probe = backing_map(ANON_PRIVATE, NULL, page_size(), -1, 0);
	size_t i;

	xmadvise(probe, page_size(), MADV_GUARD_INSTALL);
	if (!vma_has_gu(probe))
		SKIP(return, "the kernel installs guards under the read lock");
	held = backing_map(ANON_PRIVATE, NULL, HELD_BYTES, -1, 0);
	madvise(held, HELD_BYTES, MADV_NOHUGEPAGE);
	for (i = 0; i < HELD_BYTES; i += page_size())
		held[i] = 1;
}

FIXTURE_TEARDOWN(guard_killed)
{
}

TEST_F(guard_killed, while_it_waits_for_the_lock)
{
	enum outcome outcome = TOO_LATE;
	bool traced;
	int round;

	for (round = 0; round < ROUNDS && outcome == TOO_LATE; round++)
		outcome = kill_one(&traced);
	EXPECT_EQ(outcome, KILLED);
	TH_LOG("round %d, errno %s", round, traced ? "seen" : "not seen");
}

FIXTURE(guard_killed_at_work)
{
};

FIXTURE_VARIANT(guard_killed_at_work)
{
	bool populated;
	/* The mapping has the flag before. */
	bool again;
};

FIXTURE_VARIANT_ADD(guard_killed_at_work, first_populated) {
	.populated = true,
};
FIXTURE_VARIANT_ADD(guard_killed_at_work, first_empty) {
};
FIXTURE_VARIANT_ADD(guard_killed_at_work, again_populated) {
	.populated = true,
	.again = true,
};
FIXTURE_VARIANT_ADD(guard_killed_at_work, again_empty) {
	.again = true,
};

FIXTURE_SETUP(guard_killed_at_work)
{
	len = variant->populated ? POPULATED_BYTES : LARGE_BYTES;
	map = reserve(len + 3 * page_size(), 1) + page_size();
}

FIXTURE_TEARDOWN(guard_killed_at_work)
{
}

static bool begun(bool populated)
{
	return populated ? !present_at(map) : marker_at(map);
}

TEST_F(guard_killed_at_work, before_all_guards_are_there)
{
	size_t pages = len / page_size(), guards = pages;
	bool traced, eintr = false;
	int round;

	for (round = 0; round < ROUNDS && guards == pages; round++) {
		pid_t pid;

		/* With one page more, which keeps the flag. */
		map_large(map, len + page_size());
		if (variant->populated)
			xmadvise(map, len, MADV_POPULATE_WRITE);
		if (variant->again)
			xmadvise(map + len, page_size(), MADV_GUARD_INSTALL);
		pid = start_victim();
		traced = trace_madvise(pid);
		atomic_store(&go, true);
		while (!begun(variant->populated) && !atomic_load(&returned))
			sched_yield();
		kill_victim(pid);
		eintr = !traced || trace_has_eintr();
		guards = markers_in(map, len);
	}
	EXPECT_NE(pages, guards);
	EXPECT_TRUE(eintr);
	EXPECT_TRUE(vma_has_gu(map));
	TH_LOG("%zu guards, round %d, errno %s", guards, round,
	       traced ? "seen" : "not seen");
}

TEST_HARNESS_MAIN
