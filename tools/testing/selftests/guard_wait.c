// SPDX-License-Identifier: GPL-2.0
/*
 * A call that works for long lets others have the locks: counted is what a
 * second thread begins when the call works on the first page already and ends
 * before the last page is done.
 */
#include <err.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "guard_worker.h"

/* In one round the second thread may get no processor. */
#define ROUNDS	20

static atomic_uint got_through;
static size_t page;
static bool install;
static bool populated;
static const char *first, *last;
static void (*beside)(char *map);

static void read_cmdline(char *unused)
{
	int fd = open("/proc/self/cmdline", O_RDONLY);
	char text[64];

	if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
		err(KSFT_FAIL, "/proc/self/cmdline");
	close(fd);
}

/* Splits a mapping, and merges it again. */
static void protect(char *map)
{
	xmprotect(map, page, PROT_READ);
	xmprotect(map, page, RW);
}

static void guard(char *map)
{
	xmadvise(map, page, MADV_GUARD_INSTALL);
	xmadvise(map, page, MADV_GUARD_REMOVE);
}

static void work(char *map)
{
	bool begun = populated ? !present_at(first) :
				 marker_at(first) == install;

	beside(map);
	if (begun && marker_at(last) != install)
		atomic_fetch_add(&got_through, 1);
}

static atomic_bool running;

static void protect_meanwhile(char *map)
{
	bool begun = atomic_load(&running);

	protect(map);
	if (begun && atomic_load(&running))
		atomic_fetch_add(&got_through, 1);
}

/* The call, for "len" bytes at "map" in a mapping from "start" to "end". */
struct call {
	int advice;
	bool populated;
	/* The mapping has the flag before. */
	bool again;
	/* The mapping has no page before the range and none behind it. */
	bool all;
	char *start;
	char *end;
	char *map;
	size_t len;
};

FIXTURE(guard_wait)
{
	struct call call;
	char *other;
};

FIXTURE_VARIANT(guard_wait)
{
	struct call call;
};

FIXTURE_VARIANT_ADD(guard_wait, install_first_populated) {
	.call.advice = MADV_GUARD_INSTALL,
	.call.populated = true,
};
FIXTURE_VARIANT_ADD(guard_wait, install_first_empty) {
	.call.advice = MADV_GUARD_INSTALL,
};
FIXTURE_VARIANT_ADD(guard_wait, install_again_populated) {
	.call.advice = MADV_GUARD_INSTALL,
	.call.populated = true,
	.call.again = true,
};
FIXTURE_VARIANT_ADD(guard_wait, install_again_empty) {
	.call.advice = MADV_GUARD_INSTALL,
	.call.again = true,
};
FIXTURE_VARIANT_ADD(guard_wait, remove_a_part) {
	.call.advice = MADV_GUARD_REMOVE,
};
FIXTURE_VARIANT_ADD(guard_wait, remove_all) {
	.call.advice = MADV_GUARD_REMOVE,
	.call.all = true,
};

FIXTURE_SETUP(guard_wait)
{
	struct call *call = &self->call;

	page = page_size();
	*call = variant->call;
	call->len = call->populated ? POPULATED_BYTES : LARGE_BYTES;
	call->start = reserve(call->len + 4 * page, 1) + page;
	call->map = call->start + (call->all ? 0 : page);
	call->end = call->map + call->len + (call->all ? 0 : page);
	self->other = backing_map(ANON_PRIVATE, reserve(3 * page, 1) + page,
				  page, -1, 0);
}

FIXTURE_TEARDOWN(guard_wait)
{
	worker_stop();
}

static void prepare(const struct call *call)
{
	size_t size = call->end - call->start;

	map_large(call->start, size);
	if (call->populated)
		xmadvise(call->map, call->len, MADV_POPULATE_WRITE);
	if (call->again)
		xmadvise(call->start, page, MADV_GUARD_INSTALL);
	if (call->advice == MADV_GUARD_REMOVE)
		xmadvise(call->start, size, MADV_GUARD_INSTALL);
}

/* The second thread does "worker" with the page "map" again and again. */
static void call_beside(struct __test_metadata *_metadata,
			const struct call *call,
			void (*worker)(char *map), char *map)
{
	unsigned int round;

	install = call->advice == MADV_GUARD_INSTALL;
	populated = call->populated;
	first = call->map;
	last = call->map + call->len - page;
	beside = worker;
	worker_start(work, false);
	for (round = 0; round < ROUNDS && !atomic_load(&got_through); round++) {
		prepare(call);
		worker_set_map(map);
		worker_wait();
		ASSERT_EQ(0, madvise_errno(call->map, call->len,
					   call->advice));
		worker_set_map(NULL);
		worker_wait();
		ASSERT_EQ(install ? call->len / page : 0,
			  markers_in(call->map, call->len));
		/* Guards that come elsewhere meanwhile may keep the flag. */
		if (call->all && worker == guard)
			xmadvise(call->start, call->len, MADV_GUARD_REMOVE);
		ASSERT_NE(call->all, vma_has_gu(call->start));
		ASSERT_NE(call->all, vma_has_gu(call->end - page));
	}
	EXPECT_LT(0, atomic_load(&got_through));
	TH_LOG("%u times, round %u", atomic_load(&got_through), round);
}

TEST_F(guard_wait, cmdline)
{
	call_beside(_metadata, &self->call, read_cmdline, self->other);
}

/* Behind the range, in the same mapping if that goes on. */
TEST_F(guard_wait, mprotect)
{
	call_beside(_metadata, &self->call, protect,
		    self->call.all ? self->other : self->call.end - page);
}

/* The range is two mappings, or one. */
TEST_F(guard_wait, mprotect_in_the_range)
{
	call_beside(_metadata, &self->call, protect,
		    self->call.map + self->call.len - page);
}

/* Sets and clears the flag of that mapping. */
TEST_F(guard_wait, guards_in_another_mapping)
{
	call_beside(_metadata, &self->call, guard, self->other);
}

/*
 * With the lock held all the time the second thread gets through before and
 * after that. In a good round it does many times in between.
 */
TEST(mlockall_behind_guards)
{
	unsigned int round, times, most = 0;
	char *map, *other;

	page = page_size();
	map = reserve(LARGE_BYTES + 2 * page, 1) + page;
	map_large(map, LARGE_BYTES);
	xmadvise(map, LARGE_BYTES, MADV_GUARD_INSTALL);
	other = backing_map(ANON_PRIVATE, reserve(3 * page, 1) + page, page, -1,
			    0);
	worker_start(protect_meanwhile, false);
	worker_set_map(other);
	for (round = 0; round < ROUNDS && most <= 5; round++) {
		worker_wait();
		times = atomic_load(&got_through);
		atomic_store(&running, true);
		ASSERT_EQ(0, mlockall(MCL_CURRENT));
		atomic_store(&running, false);
		times = atomic_load(&got_through) - times;
		if (times > most)
			most = times;
		ASSERT_EQ(0, munlockall());
	}
	worker_stop();
	EXPECT_LT(5, most);
	TH_LOG("%u times, round %u", most, round);
}

TEST_HARNESS_MAIN
