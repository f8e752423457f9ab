// SPDX-License-Identifier: GPL-2.0
/*
 * MADV_HWPOISON and MADV_SOFT_OFFLINE: what is lost, what is kept, how advice
 * and guards deal with an entry of lost memory, and that the page can be given
 * back to the kernel (unpoison).
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES		4
#define UNPOISON	"/sys/kernel/debug/hwpoison/unpoison-pfn"
#define PM_PRESENT	(1ULL << 63)
#define PM_PFN		((1ULL << 55) - 1)
#define KPF_HWPOISON	(1ULL << 19)

static sigjmp_buf env;
static volatile sig_atomic_t code;
static void *volatile where;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	code = info->si_code;
	where = info->si_addr;
	siglongjmp(env, 1);
}

/* Poison that madvise() makes is reported to the caller, by the same signal. */
static int advise(void *addr, size_t len, int advice)
{
	if (sigsetjmp(env, 1))
		return 0;
	return madvise_errno(addr, len, advice);
}

/* The byte at the address, or minus the code of the signal. */
static int peek(void *addr)
{
	if (sigsetjmp(env, 1))
		return -code;
	return *(volatile char *)addr;
}

static uint64_t number_in(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY);
	uint64_t value;

	if (fd < 0 || pread(fd, &value, 8, index * 8) != 8)
		err(KSFT_FAIL, "%s", path);
	close(fd);
	return value;
}

static uint64_t pfn_of(void *addr)
{
	uint64_t entry = number_in("/proc/self/pagemap",
				   (uintptr_t)addr / page_size());

	return entry & PM_PRESENT ? entry & PM_PFN : 0;
}

static bool is_poisoned(uint64_t pfn)
{
	return number_in("/proc/kpageflags", pfn) & KPF_HWPOISON;
}

static int unpoison(uint64_t pfn)
{
	int fd = open(UNPOISON, O_WRONLY);
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", pfn);
	int error;

	if (fd < 0)
		err(KSFT_FAIL, UNPOISON);
	error = write(fd, text, len) == len ? 0 : errno;
	close(fd);
	return error;
}

FIXTURE(memory_failure)
{
	char *map;
	size_t page;
	uint64_t pfn;
};

FIXTURE_SETUP(memory_failure)
{
	const struct sigaction action = {
		.sa_sigaction = on_bus,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	size_t i;

	/* Unmapped address 0: known advice finds nothing there. */
	if (madvise_errno(NULL, 1, MADV_HWPOISON) == EINVAL)
		SKIP(return, "no CONFIG_MEMORY_FAILURE");
	ASSERT_EQ(sigaction(SIGBUS, &action, NULL), 0);
	self->page = page_size();
	self->map = reserve((PAGES + 2) * self->page, 1) + self->page;
	self->map = backing_map(ANON_PRIVATE, self->map, PAGES * self->page,
				-1, 0);
	ASSERT_EQ(madvise_errno(self->map, PAGES * self->page,
				MADV_NOHUGEPAGE), 0);
	for (i = 0; i < PAGES; i++)
		self->map[i * self->page] = 'a' + i;
	self->pfn = pfn_of(self->map);
	ASSERT_NE(self->pfn, 0);
}

/* The kernel takes back what the test lost. */
FIXTURE_TEARDOWN(memory_failure)
{
	munmap(self->map, PAGES * self->page);
	if (is_poisoned(self->pfn))
		EXPECT_EQ(unpoison(self->pfn), 0);
	EXPECT_FALSE(is_poisoned(self->pfn));
}

TEST_F(memory_failure, lost_page_is_fatal)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_TRUE(is_poisoned(self->pfn));
	EXPECT_EQ(peek(self->map), -BUS_MCEERR_AR);
	EXPECT_EQ((char *)where, self->map);
	EXPECT_EQ(peek(self->map + self->page), 'b');
}

TEST_F(memory_failure, faultin_says_ehwpoison)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_POPULATE_READ),
		  EHWPOISON);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_POPULATE_WRITE),
		  EHWPOISON);
}

TEST_F(memory_failure, discard_makes_a_new_page)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_DONTNEED), 0);
	EXPECT_EQ(peek(self->map), 0);
	EXPECT_NE(pfn_of(self->map), self->pfn);
}

TEST_F(memory_failure, lazy_free_makes_a_new_page)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_FREE), 0);
	EXPECT_EQ(peek(self->map), 0);
}

TEST_F(memory_failure, reclaim_leaves_it)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_COLD), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_PAGEOUT), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_WILLNEED), 0);
	EXPECT_EQ(peek(self->map), -BUS_MCEERR_AR);
}

TEST_F(memory_failure, guard_replaces_it)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_GUARD_INSTALL), 0);
	EXPECT_TRUE(guarded(self->map));
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_GUARD_REMOVE), 0);
	EXPECT_EQ(peek(self->map), 0);
}

TEST_F(memory_failure, guard_remove_leaves_it)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, PAGES * self->page,
				MADV_GUARD_REMOVE), 0);
	EXPECT_EQ(peek(self->map), -BUS_MCEERR_AR);
}

/* There is no page behind a guard that could fail. */
TEST_F(memory_failure, guard_cannot_fail)
{
	xmadvise(self->map, self->page, MADV_GUARD_INSTALL);
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), EFAULT);
	EXPECT_EQ(advise(self->map, self->page, MADV_SOFT_OFFLINE), EFAULT);
	EXPECT_TRUE(guarded(self->map));
}

TEST_F(memory_failure, soft_offline_keeps_content)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_SOFT_OFFLINE), 0);
	EXPECT_TRUE(is_poisoned(self->pfn));
	EXPECT_EQ(peek(self->map), 'a');
	EXPECT_NE(pfn_of(self->map), self->pfn);
}

/* The page of a file is lost, or moved, while another mapping has a guard there. */
static void check_file(struct __test_metadata *_metadata, uint64_t *pfn,
		       int advice)
{
	size_t page = page_size(), len = PAGES * page;
	int fd = backing_open(MEMFD_SHARED, len);
	char *map = backing_map(MEMFD_SHARED, NULL, len, fd, 0);
	char *other = backing_map(MEMFD_SHARED, NULL, len, fd, 0);

	xmadvise(map + page, page, MADV_GUARD_INSTALL);
	other[0] = 'a';
	other[page] = 'b';
	*pfn = pfn_of(other + page);
	EXPECT_EQ(advise(other + page, page, advice), 0);
	EXPECT_NE(pfn_of(other + page), *pfn);
	EXPECT_TRUE(guarded(map + page));
	EXPECT_TRUE(vma_has_gu(map + page));
	EXPECT_EQ(peek(map), 'a');
	/* Nobody has the page any more. */
	ASSERT_EQ(ftruncate(fd, 0), 0);
	EXPECT_TRUE(guarded(map + page));
	close(fd);
}

TEST_F(memory_failure, guard_stays_at_lost_page_of_file)
{
	check_file(_metadata, &self->pfn, MADV_HWPOISON);
}

TEST_F(memory_failure, guard_stays_at_moved_page_of_file)
{
	check_file(_metadata, &self->pfn, MADV_SOFT_OFFLINE);
}

TEST_F(memory_failure, unpoisoned_page_is_free_again)
{
	EXPECT_EQ(advise(self->map, self->page, MADV_HWPOISON), 0);
	EXPECT_EQ(madvise_errno(self->map, self->page, MADV_DONTNEED), 0);
	EXPECT_EQ(unpoison(self->pfn), 0);
	EXPECT_FALSE(is_poisoned(self->pfn));
}

/* The advice changes nothing without the capability. */
TEST_F(memory_failure, needs_cap_sys_admin)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };
	int status;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		if (syscall(__NR_capset, &header, none))
			_exit(1);
		if (advise(self->map, self->page, MADV_HWPOISON) != EPERM ||
		    advise(self->map, self->page, MADV_SOFT_OFFLINE) != EPERM)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_FALSE(is_poisoned(self->pfn));
	EXPECT_EQ(peek(self->map), 'a');
}

TEST_F(memory_failure, unmapped_range)
{
	EXPECT_EQ(advise(self->map + PAGES * self->page, self->page,
			 MADV_HWPOISON), EFAULT);
	EXPECT_EQ(advise(self->map + 1, self->page, MADV_HWPOISON), EINVAL);
	EXPECT_EQ(advise(self->map, 0, MADV_HWPOISON), 0);
	EXPECT_FALSE(is_poisoned(self->pfn));
}

TEST_HARNESS_MAIN
