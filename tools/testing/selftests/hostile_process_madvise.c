// SPDX-License-Identifier: GPL-2.0
/*
 * process_madvise() with every combination of a process, a vector, advice, and
 * flags out of lists of bad and good ones: it answers what the stock kernel
 * answers. Passes on the stock kernel, too.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "hostile_expected.h"

#define PAGES		8
#define MAX_VECTOR	1024
/* The kernel takes no more bytes than this at once. */
#define MAX_BYTES	(INT32_MAX / page_size() * page_size())
#define SELF_THREAD	(-10000)
#define SELF_GROUP	(-10001)
#define OTHER_USER	1000
/* Below it, 64-bit address space is free but for the memory of the test. */
#define LOW_ADDRESS	((size_t)(sizeof(long) == 8 ? 1ULL << 33 : 0x50000000))

struct process {
	const char *name;
	int pidfd;
	/* The error when there is no such process, or no right to see it. */
	int error;
	/* Its memory is not that of the caller. */
	bool other;
	const struct map *map;
};

struct vector {
	const char *name;
	const struct iovec *vec;
	size_t count;
	/* That of the import, which comes before all but the flags. */
	int error;
};

FIXTURE(hostile_process_madvise)
{
	size_t page;
	char *memory;
	char *locked;
	struct map own;
	struct map others;
	struct process processes[16];
	size_t process_count;
	struct vector vectors[32];
	size_t vector_count;
	pid_t children[4];
	size_t child_count;
	bool nice;
	unsigned int wrong;
	unsigned int calls;
};

#define TEST_DATA FIXTURE_DATA(hostile_process_madvise)

static const int advices[] = {
	-1, 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
	21, 22, 23, 24, 25, 26, 100, 101, 102, 103, 104, INT32_MIN, INT32_MAX,
};

static void add_process(TEST_DATA *self, const char *name, int pidfd, int error,
			const struct map *map)
{
	if (self->process_count == ARRAY_SIZE(self->processes))
		errx(KSFT_FAIL, "too many processes");
	self->processes[self->process_count++] = (struct process) {
		name, pidfd, error, map != &self->own, map
	};
}

static void add_vector(TEST_DATA *self, const char *name,
		       const struct iovec *vec, size_t count, int error)
{
	if (self->vector_count == ARRAY_SIZE(self->vectors))
		errx(KSFT_FAIL, "too many vectors");
	self->vectors[self->vector_count++] = (struct vector) {
		name, vec, count, error
	};
}

static int xpidfd_open(pid_t pid, unsigned int flags)
{
	int pidfd = syscall(SYS_pidfd_open, pid, flags);

	if (pidfd < 0)
		err(KSFT_FAIL, "pidfd_open");
	return pidfd;
}

static int idle(void *unused)
{
	while (pause())
		;
	return 0;
}

static pid_t idle_child(TEST_DATA *self, int clone_flags)
{
	static char stack[4][16384] __attribute__((aligned(16)));
	char *top = stack[self->child_count] + sizeof(stack[0]);
	pid_t pid = clone(idle, top, clone_flags | SIGCHLD, NULL);

	if (pid < 0)
		err(KSFT_FAIL, "clone");
	self->children[self->child_count++] = pid;
	return pid;
}

static void *idle_thread(void *tid)
{
	*(_Atomic(pid_t) *)tid = syscall(SYS_gettid);
	idle(NULL);
	return NULL;
}

/* The pidfd of a thread that does not lead its process. */
static int thread_pidfd(void)
{
	static _Atomic(pid_t) tid;
	pthread_t thread;

	if (pthread_create(&thread, NULL, idle_thread, (void *)&tid))
		errx(KSFT_FAIL, "pthread_create");
	while (!tid)
		sched_yield();
	return xpidfd_open(tid, O_EXCL);
}

/* The pidfd of a child that has ended, and has been waited for if "reaped". */
static int ended_pidfd(bool reaped)
{
	pid_t pid = fork();
	siginfo_t info;
	int pidfd;

	if (pid < 0)
		err(KSFT_FAIL, "fork");
	if (!pid)
		_exit(0);
	pidfd = xpidfd_open(pid, 0);
	if (waitid(P_PID, pid, &info, WEXITED | (reaped ? 0 : WNOWAIT)))
		err(KSFT_FAIL, "waitid");
	return pidfd;
}

static void find_processes(TEST_DATA *self)
{
	pid_t pid = idle_child(self, 0);
	int other = xpidfd_open(pid, 0);

	map_read(&self->others, pid);
	add_process(self, "other process", other, 0, &self->others);
	pid = idle_child(self, CLONE_VM);
	add_process(self, "other process with our memory", xpidfd_open(pid, 0),
		    0, &self->own);
	add_process(self, "not waited for", ended_pidfd(false), ESRCH, NULL);
	add_process(self, "dead", ended_pidfd(true), ESRCH, NULL);
	add_process(self, "kernel thread", xpidfd_open(2, 0), ESRCH, NULL);
	add_process(self, "thread", thread_pidfd(), ESRCH, NULL);
	add_process(self, "self", xpidfd_open(getpid(), 0), 0, &self->own);
	add_process(self, "PIDFD_SELF_THREAD", SELF_THREAD, 0, &self->own);
	add_process(self, "PIDFD_SELF_THREAD_GROUP", SELF_GROUP, 0, &self->own);
	add_process(self, "/dev/null", open("/dev/null", O_RDWR), EBADF, NULL);
	add_process(self, "/proc/self", open("/proc/self", O_RDONLY), EBADF, NULL);
	add_process(self, "-1", -1, EBADF, NULL);
	add_process(self, "AT_FDCWD", AT_FDCWD, EBADF, NULL);
	add_process(self, "PIDFD_SELF - 1", SELF_GROUP - 1, EBADF, NULL);
	add_process(self, "closed", 1000, EBADF, NULL);
}

static struct iovec *new_vector(size_t count)
{
	struct iovec *vec = calloc(count, sizeof(*vec));

	if (!vec)
		err(KSFT_FAIL, "calloc");
	return vec;
}

static void add_pair(TEST_DATA *self, const char *name, void *start1, size_t len1,
		     void *start2, size_t len2, int error)
{
	struct iovec *vec = new_vector(2);

	vec[0] = (struct iovec) { start1, len1 };
	vec[1] = (struct iovec) { start2, len2 };
	add_vector(self, name, vec, 2, error);
}

/* Where the vector itself cannot be read, or not as a whole. */
static void find_bad_vectors(TEST_DATA *self, const struct iovec *good)
{
	char *edge = reserve(2 * self->page, self->page);
	struct iovec *vec = (struct iovec *)(edge + self->page) - 4;
	size_t i;

	backing_map(ANON_PRIVATE, edge, self->page, -1, 0);
	for (i = 0; i < 4; i++)
		vec[i] = good[0];
	add_vector(self, "up to an unmapped page", vec, 4, 0);
	add_vector(self, "into an unmapped page", vec, 5, EFAULT);
	add_vector(self, "on the heap, into an unmapped page", vec - 8, 13, EFAULT);
	add_vector(self, "NULL", NULL, 1, EFAULT);
	add_vector(self, "NULL, empty", NULL, 0, 0);
	add_vector(self, "NULL, 1025", NULL, MAX_VECTOR + 1, EINVAL);
	add_vector(self, "in the kernel", (void *)-(16 * self->page), 1, EFAULT);
	add_vector(self, "end of the address space", (void *)-sizeof(*vec), 2, EFAULT);
	add_vector(self, "unaligned", (void *)1, 3, EFAULT);
	add_vector(self, "1024", good, MAX_VECTOR, 0);
	add_vector(self, "1025", good, MAX_VECTOR + 1, EINVAL);
	add_vector(self, "UINT_MAX", good, UINT32_MAX, EINVAL);
#if __SIZEOF_LONG__ == 8
	/* Only the lower half of the number counts. */
	add_vector(self, "1 and a high bit", good, 1UL << 32 | 1, 0);
	add_vector(self, "0 and a high bit", NULL, 1UL << 32, 0);
#endif
}

/* Where a range is bad. */
static void find_vectors(TEST_DATA *self)
{
	struct iovec *good = new_vector(MAX_VECTOR + 1);
	char *map = self->memory, *locked = self->locked;
	char *kernel = (char *)-(4 * self->page);
	size_t page = self->page, i;
	bool wide = sizeof(long) == 8;

	for (i = 0; i <= MAX_VECTOR; i++)
		good[i] = (struct iovec) { map + i % PAGES * page, page };
	find_bad_vectors(self, good);

	add_vector(self, "one", good, 1, 0);
	add_vector(self, "eight", good, 8, 0);
	add_vector(self, "nine", good, 9, 0);
	add_pair(self, "empty ones", map, 0, map, 0, 0);
	add_pair(self, "empty, unaligned", map + 1, 0, map, page, 0);
	add_pair(self, "then empty, unaligned", map, page, map + 1, 0, 0);
	add_pair(self, "then unaligned", map, page, map + 1, page, 0);
	add_pair(self, "then odd length", map, page, map + page, 1, 0);
	add_pair(self, "then locked", map, page, locked, page, 0);
	add_pair(self, "locked", locked, page, map, page, 0);
	add_pair(self, "then a hole", map, page, map + (PAGES - 1) * page,
		 4 * page, 0);
	add_pair(self, "then kernel", map, page, kernel, page, EFAULT);
	add_pair(self, "kernel, then negative", kernel, page, map, -1, EINVAL);
	add_pair(self, "then negative", map, page, map, -page, EINVAL);
	add_pair(self, "then the longest", map, page, map, SIZE_MAX / 2, EFAULT);
	add_pair(self, "3 GB", map, 3UL << 29, map, 3UL << 29, 0);
	good = new_vector(3);
	good[0] = (struct iovec) { map, page };
	good[1] = (struct iovec) { map + 1, 0 };
	good[2] = (struct iovec) { map + page, page };
	add_vector(self, "empty, unaligned, between others", good, 3, 0);
	/* A single range is shortened before it is looked at. */
	good = new_vector(1);
	*good = (struct iovec) { map, SIZE_MAX / 2 };
	add_vector(self, "the longest alone", good, 1, wide ? 0 : EFAULT);
}

FIXTURE_SETUP(hostile_process_madvise)
{
	char *space;

	self->page = page_size();
	space = mmap((void *)LOW_ADDRESS, 3 * PAGES * self->page, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(space, (char *)LOW_ADDRESS);
	self->memory = backing_map(ANON_PRIVATE, space, PAGES * self->page, -1, 0);
	self->locked = space + 2 * PAGES * self->page;
	backing_map(ANON_PRIVATE, self->locked, PAGES * self->page, -1, 0);
	xmunmap(space + PAGES * self->page, PAGES * self->page);
	ASSERT_EQ(mlock(self->locked, PAGES * self->page), 0);
	find_processes(self);
	find_vectors(self);
	map_read(&self->own, getpid());
	self->nice = true;
	drop_capability(CAP_SYS_ADMIN);
}

FIXTURE_TEARDOWN(hostile_process_madvise)
{
	size_t i;

	for (i = 0; i < self->child_count; i++)
		kill(self->children[i], SIGKILL);
	TH_LOG("%u calls", self->calls);
}

/* The ranges one after the other, as far as they go. */
static ssize_t expected_of_ranges(const struct map *map, const struct iovec *vec,
				  size_t count, int advice)
{
	size_t total = 0, left, i = 0;
	int error = 0;

	for (i = 0; i < count; i++) {
		size_t room = MAX_BYTES - total;

		total += vec[i].iov_len < room ? vec[i].iov_len : room;
	}
	left = total;
	for (i = 0; left && !error;) {
		size_t len = vec[i].iov_len < left ? vec[i].iov_len : left;

		error = expected_madvise(map, (unsigned long)vec[i].iov_base,
					 len, advice);
		if (error)
			break;
		left -= len;
		/* Nobody looks at an empty range but the first. */
		for (i++; left && !vec[i].iov_len; i++)
			;
	}
	return total > left ? (ssize_t)(total - left) : -error;
}

static ssize_t expected(TEST_DATA *self, const struct process *process,
			const struct vector *vector, int advice,
			unsigned int flags)
{
	unsigned int count = vector->count;

	if (flags)
		return -EINVAL;
	if (vector->error)
		return -vector->error;
	if (process->error)
		return -process->error;
	if (process->other && !advice_is_for_others(advice))
		return -EINVAL;
	if (process->other && !self->nice)
		return -EPERM;
	return expected_of_ranges(process->map, vector->vec, count, advice);
}

static ssize_t sys_process_madvise(int pidfd, const struct vector *vector,
				   int advice, unsigned int flags)
{
	ssize_t bytes = syscall(SYS_process_madvise, pidfd, vector->vec,
				vector->count, advice, flags);

	return bytes < 0 ? -errno : bytes;
}

static void check(TEST_DATA *self, const struct process *process,
		  const struct vector *vector, int advice, unsigned int flags)
{
	ssize_t want = expected(self, process, vector, advice, flags);
	ssize_t got = sys_process_madvise(process->pidfd, vector, advice, flags);

	self->calls++;
	/* Guards would be in the way of what comes next. */
	if (advice == MADV_GUARD_INSTALL && got > 0) {
		xmadvise(self->memory, PAGES * self->page, MADV_GUARD_REMOVE);
		madvise(self->locked, PAGES * self->page, MADV_GUARD_REMOVE);
	}
	if (got == want)
		return;
	self->wrong++;
	ksft_print_msg("advice %d, flags %#x, vector \"%s\", process \"%s\": %zd, expected %zd\n",
		       advice, flags, vector->name, process->name, got, want);
}

static void check_all(TEST_DATA *self)
{
	size_t p, v, i;

	for (p = 0; p < self->process_count; p++) {
		const struct process *process = &self->processes[p];

		for (v = 0; v < self->vector_count; v++) {
			const struct vector *vector = &self->vectors[v];

			for (i = 0; i < ARRAY_SIZE(advices); i++)
				check(self, process, vector, advices[i], 0);
			check(self, process, vector, MADV_COLD, 1);
			check(self, process, vector, MADV_COLD, 1U << 31);
		}
	}
}

TEST_F(hostile_process_madvise, as_root)
{
	check_all(self);
	EXPECT_EQ(self->wrong, 0);
}

TEST_F(hostile_process_madvise, without_cap_sys_nice)
{
	drop_capability(CAP_SYS_NICE);
	self->nice = false;
	check_all(self);
	EXPECT_EQ(self->wrong, 0);
}

/* No right to see the processes of root, but all to one's own memory. */
TEST_F(hostile_process_madvise, as_another_user)
{
	size_t i;

	ASSERT_EQ(setresuid(OTHER_USER, OTHER_USER, OTHER_USER), 0);
	for (i = 0; i < self->process_count; i++) {
		struct process *process = &self->processes[i];

		if (!process->error && process->other)
			process->error = EACCES;
	}
	self->nice = false;
	check_all(self);
	EXPECT_EQ(self->wrong, 0);
}

/* Init's memory is not known here, so that only errors can be compared. */
TEST_F(hostile_process_madvise, init)
{
	struct process init = { "init", xpidfd_open(1, 0), 0, true, &self->others };
	struct vector empty = { "empty", NULL, 0, 0 };
	size_t advice;

	for (advice = 0; advice < ARRAY_SIZE(advices); advice++)
		check(self, &init, &empty, advices[advice], 0);
	EXPECT_EQ(self->wrong, 0);
}

TEST_HARNESS_MAIN
