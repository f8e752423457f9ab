// SPDX-License-Identifier: GPL-2.0
/*
 * Memory runs out at every place of a system call where the kernel asks for
 * some: the call fails as it should, changes nothing but what it may, and works
 * when it is repeated. Needs a kernel with fault injection (DEBUG=1).
 */
#include <err.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* More places than any of the calls has. */
#define MAX_FAULTS	1000
#define PAGES		32
/* The pages that a call works on; the others are bystanders. */
#define FIRST		8
#define LAST		24
#define VECTOR		9
#define NAME		"faults"
#define PARTIAL		(-1)

struct area {
	char *space;
	size_t space_len;
	char *map;
	size_t len;
	size_t page;
	/* What the call works on. */
	char *target;
	size_t target_len;
	bool shows_gu;
};

/*
 * Each fault is tried in a new area. The checks get the error of the call: 0,
 * an errno, or PARTIAL.
 */
struct scenario {
	void (*prepare)(struct area *area);
	int (*call)(struct area *area);
	bool (*check)(struct area *area, int error);
	const int allowed[4];
	enum backing backing;
	/* The call needs memory at no place, or can do without. */
	bool never_fails;
	/* The target is a huge page, or at a border of the largest page tables. */
	bool huge;
	bool deep;
	bool needs_swap;
};

static void map_area(struct area *area, const struct scenario *scenario)
{
	size_t page = page_size(), align = PMD_BYTES;
	int fd;

	if (scenario->deep && sizeof(long) == 8)
		align = PMD_BYTES << 18;
	area->page = page;
	area->len = scenario->huge ? 2 * PMD_BYTES : PAGES * page;
	area->space_len = 2 * align + area->len;
	area->space = reserve(area->space_len, align);
	area->map = area->space + align;
	area->target = area->map + FIRST * page;
	area->target_len = (LAST - FIRST) * page;
	if (scenario->deep) {
		area->map -= area->len / 2;
		area->target -= area->len / 2;
	}
	if (scenario->huge) {
		area->target = area->map + PMD_BYTES;
		area->target_len = PMD_BYTES;
	}
	fd = backing_open(scenario->backing, area->len);
	backing_map(scenario->backing, area->map, area->len, fd, 0);
	if (fd >= 0)
		close(fd);
}

static void unmap_area(struct area *area)
{
	xmunmap(area->space, area->space_len);
}

/* Nothing is there yet: no page table, no anon_vma. */
static void leave_empty(struct area *area)
{
}

/* A page table, and no anon_vma: reads find the page of zeros. */
static void read_pages(struct area *area)
{
	size_t i;

	for (i = 0; i < area->len; i += area->page)
		(void)*(volatile char *)(area->map + i);
}

static void write_pages(struct area *area)
{
	size_t i;

	for (i = 0; i < area->len; i += area->page)
		area->map[i] = 'a' + i / area->page % 26;
}

static void write_first(struct area *area)
{
	area->map[0] = 'a';
}

static void write_and_guard(struct area *area)
{
	write_pages(area);
	xmadvise(area->target, 2 * area->page, MADV_GUARD_INSTALL);
}

static void write_and_swap(struct area *area)
{
	write_pages(area);
	xmadvise(area->map, area->len, MADV_PAGEOUT);
}

static void split_and_write(struct area *area)
{
	write_pages(area);
	xmprotect(area->target + 4 * area->page, 4 * area->page, PROT_READ);
}

static int install(struct area *area)
{
	return madvise_errno(area->target, area->target_len, MADV_GUARD_INSTALL);
}

static int install_vector(struct area *area)
{
	struct iovec vec[VECTOR];
	ssize_t bytes;
	size_t i;

	for (i = 0; i < VECTOR; i++) {
		vec[i].iov_base = area->target + i * area->page;
		vec[i].iov_len = area->page;
	}
	bytes = syscall(SYS_process_madvise, -10001, vec, VECTOR,
			MADV_GUARD_INSTALL, 0);
	if (bytes < 0)
		return errno;
	return bytes == (ssize_t)(VECTOR * area->page) ? 0 : PARTIAL;
}

static int name(struct area *area)
{
	return name_errno(area->target, area->target_len, NAME);
}

#define ADVISE(function, advice)					\
static int function(struct area *area)					\
{									\
	return madvise_errno(area->target, area->target_len, advice);	\
}

ADVISE(guard_remove, MADV_GUARD_REMOVE)
ADVISE(dont_dump, MADV_DONTDUMP)
ADVISE(mergeable, MADV_MERGEABLE)
ADVISE(dont_need, MADV_DONTNEED)
ADVISE(lazy_free, MADV_FREE)
ADVISE(cold, MADV_COLD)
ADVISE(page_out, MADV_PAGEOUT)
ADVISE(will_need, MADV_WILLNEED)
ADVISE(populate, MADV_POPULATE_WRITE)
ADVISE(collapse, MADV_COLLAPSE)

static int make_child(struct area *area)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return errno;
	if (!pid)
		_exit(guarded(area->target) && area->map[0] == 'a' ? 0 : 1);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(KSFT_FAIL, "child ended with status %#x", status);
	return 0;
}

static int read_smaps(struct area *area)
{
	static char text[4096];
	int fd = open("/proc/self/smaps", O_RDONLY), error;
	ssize_t len;

	if (fd < 0)
		return errno;
	do {
		len = read(fd, text, sizeof(text));
		error = len < 0 ? errno : 0;
	} while (len > 0);
	close(fd);
	return error;
}

static bool has_stray_guards(const struct vma *vma, void *data)
{
	const struct area *area = data;
	size_t start = (size_t)area->map, end = start + area->len;

	if (vma->start > start)
		start = vma->start;
	if (vma->end < end)
		end = vma->end;
	return start < end && !strstr(vma->flags, "gu ") &&
	       markers_in((void *)start, end - start);
}

/* There are no guards outside the target, nor in mappings without the flag. */
static bool sane(struct area *area)
{
	return markers_in(area->map, area->len) ==
		markers_in(area->target, area->target_len) &&
	       !(area->shows_gu && for_each_vma(getpid(), has_stray_guards, area));
}

static size_t guards(const struct area *area)
{
	return markers_in(area->target, area->target_len);
}

static bool has_data(struct area *area, bool in_target)
{
	size_t i;

	for (i = 0; i < area->len; i += area->page) {
		char *at = area->map + i;

		if (at >= area->target && at < area->target + area->target_len &&
		    !in_target)
			continue;
		if (*at != (char)('a' + i / area->page % 26))
			return false;
	}
	return true;
}

/* Without page tables to make, only the anon_vma can fail, before all else. */
static bool check_all_or_nothing(struct area *area, int error)
{
	if (!error)
		return guards(area) == area->target_len / area->page;
	return !guards(area) && !(area->shows_gu && vma_has_gu(area->target));
}

static bool check_install(struct area *area, int error)
{
	return error || guards(area) == area->target_len / area->page;
}

/* Page tables are the only thing to fail here: the flag is set already. */
static bool check_flag_stays(struct area *area, int error)
{
	return check_install(area, error) &&
	       (!area->shows_gu || vma_has_gu(area->target));
}

static bool check_install_data(struct area *area, int error)
{
	return check_install(area, error) && has_data(area, false);
}

static bool check_vector(struct area *area, int error)
{
	return error ? guards(area) < VECTOR : guards(area) == VECTOR;
}

static bool check_vector_data(struct area *area, int error)
{
	return check_vector(area, error) && has_data(area, false);
}

struct expectation {
	const struct area *area;
	const char *flag;
	const char *name;
	bool changed;
};

static bool is_unexpected(const struct vma *vma, void *data)
{
	const struct expectation *expected = data;
	const struct area *area = expected->area;
	size_t start = (size_t)area->map, end = start + area->len;
	size_t target = (size_t)area->target;
	size_t target_end = target + area->target_len;
	bool has, want;

	if (vma->end <= start || vma->start >= end)
		return false;
	has = expected->flag ? !!strstr(vma->flags, expected->flag) :
			       !strcmp(vma->name, expected->name);
	want = expected->changed && vma->start >= target && vma->end <= target_end;
	if (expected->changed && !want && vma->start < target_end &&
	    vma->end > target)
		return true;
	return has != want || (area->shows_gu && !strstr(vma->flags, "gu "));
}

/* Either the whole target has what the call gives, or nothing has. */
static bool uniform(struct expectation expected)
{
	return guards(expected.area) == 2 &&
	       !for_each_vma(getpid(), is_unexpected, &expected);
}

static bool check_dump(struct area *area, int error)
{
	return uniform((struct expectation) { area, .flag = "dd ",
					      .changed = !error });
}

static bool check_mergeable(struct area *area, int error)
{
	return uniform((struct expectation) { area, .flag = "mg ",
					      .changed = !error });
}

static bool check_name(struct area *area, int error)
{
	return uniform((struct expectation) { area, .name = "[anon:" NAME "]",
					      .changed = !error });
}

static bool check_two_guards(struct area *area, int error)
{
	return guards(area) == 2 && has_data(area, false);
}

static bool check_removed(struct area *area, int error)
{
	return !guards(area) && has_data(area, false);
}

static bool check_data(struct area *area, int error)
{
	return has_data(area, true);
}

static bool check_nothing(struct area *area, int error)
{
	return true;
}

FIXTURE(guard_faults)
{
	int fail_nth;
};

FIXTURE_VARIANT(guard_faults)
{
	struct scenario scenario;
};

#define SCENARIO(name, ...)						\
	FIXTURE_VARIANT_ADD(guard_faults, name) { .scenario = { __VA_ARGS__ } }

SCENARIO(install_without_anon_vma, read_pages, install, check_all_or_nothing,
	 { ENOMEM });
SCENARIO(install_in_empty_memory, leave_empty, install, check_install,
	 { ENOMEM });
SCENARIO(install_without_page_table, write_first, install, check_flag_stays,
	 { ENOMEM }, .huge = true);
SCENARIO(install_between_page_tables, leave_empty, install, check_flag_stays,
	 { ENOMEM }, .deep = true, .backing = ANON_SHARED);
SCENARIO(install_over_data, write_pages, install, check_install_data,
	 .never_fails = true);
SCENARIO(install_in_shared, leave_empty, install, check_install,
	 { ENOMEM }, .backing = ANON_SHARED);
SCENARIO(install_in_shared_file, write_pages, install, check_install_data,
	 .backing = MEMFD_SHARED, .never_fails = true);
SCENARIO(install_in_private_file, leave_empty, install, check_install,
	 { ENOMEM }, .backing = MEMFD_PRIVATE);
SCENARIO(install_in_three_mappings, split_and_write, install,
	 check_install_data, .never_fails = true);
SCENARIO(install_vector, write_pages, install_vector, check_vector_data,
	 { ENOMEM });
SCENARIO(install_vector_in_empty_memory, leave_empty, install_vector,
	 check_vector, { ENOMEM, PARTIAL });
SCENARIO(remove, write_and_guard, guard_remove, check_removed,
	 .never_fails = true);
SCENARIO(dont_dump, write_and_guard, dont_dump, check_dump, { EAGAIN });
SCENARIO(mergeable, write_and_guard, mergeable, check_mergeable, { EAGAIN });
SCENARIO(name, write_and_guard, name, check_name, { ENOMEM, EAGAIN });
SCENARIO(dont_need, write_and_guard, dont_need, check_two_guards,
	 .never_fails = true);
SCENARIO(lazy_free, write_and_guard, lazy_free, check_two_guards,
	 .never_fails = true);
SCENARIO(cold, write_and_guard, cold, check_two_guards, .never_fails = true);
SCENARIO(page_out, write_pages, page_out, check_data, .never_fails = true,
	 .needs_swap = true);
SCENARIO(will_need, write_and_swap, will_need, check_data, .never_fails = true,
	 .needs_swap = true);
SCENARIO(populate, leave_empty, populate, check_nothing, { ENOMEM });
SCENARIO(collapse, write_pages, collapse, check_data,
	 { ENOMEM, EAGAIN, EBUSY, EINVAL }, .huge = true);
SCENARIO(fork, write_and_guard, make_child, check_two_guards,
	 { ENOMEM, EAGAIN });
SCENARIO(smaps, write_and_guard, read_smaps, check_two_guards, { ENOMEM });

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return ok;
}

/* Every kind of allocation is to fail, and quietly. */
static bool let_all_fail(void)
{
	static const char *const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "failslab/verbose", "0" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_page_alloc/verbose", "0" },
	};
	char path[80];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s",
			 settings[i][0]);
		if (!write_text(path, settings[i][1]))
			return false;
	}
	return true;
}

/* The settings have no effect but on a thread that arms a fault. */
FIXTURE_SETUP(guard_faults)
{
	self->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (self->fail_nth < 0)
		SKIP(return, "the kernel has no fault injection");
	ASSERT_TRUE(let_all_fail());
	if (variant->scenario.needs_swap && access("/proc/swaps", F_OK))
		SKIP(return, "no swap space");
	if (variant->scenario.call == collapse &&
	    access("/sys/kernel/mm/transparent_hugepage", F_OK))
		SKIP(return, "no transparent huge pages");
}

FIXTURE_TEARDOWN(guard_faults)
{
}

static void arm(int fail_nth, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth, text, len, 0) != len)
		err(KSFT_FAIL, "fail-nth");
}

/* True if a fault was injected since arm(). */
static bool disarm(int fail_nth)
{
	char text[16] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		err(KSFT_FAIL, "fail-nth");
	arm(fail_nth, 0);
	return !atoi(text);
}

static bool is_allowed(const struct scenario *scenario, int error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scenario->allowed); i++) {
		if (scenario->allowed[i] == error)
			return true;
	}
	return false;
}

static bool kernel_shows_gu(void)
{
	char *map = backing_map(ANON_PRIVATE, reserve(page_size(), 1),
				page_size(), -1, 0);
	bool shows;

	xmadvise(map, page_size(), MADV_GUARD_INSTALL);
	shows = vma_has_gu(map);
	xmunmap(map, page_size());
	return shows;
}

TEST_F(guard_faults, each_is_handled)
{
	const struct scenario *scenario = &variant->scenario;
	struct area area = { .shows_gu = kernel_shows_gu() };
	unsigned int n, tries, faults = 0, failed = 0;
	bool injected = true;
	int error;

	/* The first call fills caches, so that it is not like the others. */
	map_area(&area, scenario);
	scenario->prepare(&area);
	EXPECT_EQ(scenario->call(&area), 0);
	unmap_area(&area);

	/* Each of the first places, and then fewer: fork() has hundreds. */
	for (n = 1; n < MAX_FAULTS && injected; n += 1 + n / 64) {
		map_area(&area, scenario);
		scenario->prepare(&area);
		arm(self->fail_nth, n);
		error = scenario->call(&area);
		injected = disarm(self->fail_nth);
		faults += injected;
		failed += !!error;
		EXPECT_TRUE(!error || (injected && is_allowed(scenario, error)))
			TH_LOG("fault %u: error %d", n, error);
		EXPECT_TRUE(sane(&area) && scenario->check(&area, error))
			TH_LOG("fault %u, error %d: wrong state", n, error);

		/* EAGAIN: pages that a collapse needs are busy for a moment. */
		tries = 0;
		do {
			error = scenario->call(&area);
		} while (error == EAGAIN && ++tries < 20);
		EXPECT_EQ(error, 0)
			TH_LOG("fault %u: not when repeated", n);
		EXPECT_TRUE(sane(&area) && scenario->check(&area, error))
			TH_LOG("fault %u: wrong state when repeated", n);
		unmap_area(&area);
	}
	TH_LOG("%u faults, %u errors", faults, failed);
	EXPECT_FALSE(injected);
	if (!scenario->never_fails)
		EXPECT_LT(0, failed);
}

TEST_HARNESS_MAIN
