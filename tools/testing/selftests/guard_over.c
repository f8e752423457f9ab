// SPDX-License-Identifier: GPL-2.0
/*
 * A guard takes the place of whatever an entry of a page table holds. The call
 * comes to its end, and the pages beside it stay as they were.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif

#define PAGES	8
/* The guards; what is in their place before is in all of them. */
#define FIRST	2
#define COUNT	4
/* For a call that does not end. */
#define SECONDS	60

struct area {
	char *map;
	size_t page;
	int uffd;
};

FIXTURE(over)
{
	struct area area;
};

FIXTURE_VARIANT(over)
{
	enum backing backing;
	/* Puts it there; false if the kernel cannot. */
	bool (*put)(struct area *area);
	/* Whether the file has the data still when the guard is gone. */
	bool stays;
};

static bool nothing(struct area *area)
{
	madvise(area->map + FIRST * area->page, COUNT * area->page, MADV_DONTNEED);
	return true;
}

static bool pages(struct area *area)
{
	return true;
}

static bool zero_pages(struct area *area)
{
	size_t i;

	nothing(area);
	for (i = FIRST; i < FIRST + COUNT; i++)
		(void)*(volatile char *)(area->map + i * area->page);
	return true;
}

static bool swap(struct area *area)
{
	return !madvise(area->map + FIRST * area->page, COUNT * area->page,
			MADV_PAGEOUT);
}

static bool uffd_open(struct area *area, unsigned long long features,
		      unsigned long long mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range.start = (unsigned long)area->map,
		.range.len = PAGES * area->page,
		.mode = mode,
	};

	area->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return area->uffd >= 0 && !ioctl(area->uffd, UFFDIO_API, &api) &&
	       !ioctl(area->uffd, UFFDIO_REGISTER, &reg);
}

static bool protect(struct area *area)
{
	struct uffdio_writeprotect wp = {
		.range.start = (unsigned long)area->map + FIRST * area->page,
		.range.len = COUNT * area->page,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return uffd_open(area, UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			 UFFD_FEATURE_WP_UNPOPULATED, UFFDIO_REGISTER_MODE_WP) &&
	       !ioctl(area->uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* The protection stays as a marker when the page goes. */
static bool protect_and_drop(struct area *area)
{
	return protect(area) && nothing(area);
}

static bool protect_nothing(struct area *area)
{
	return nothing(area) && protect(area);
}

static bool protect_swap(struct area *area)
{
	return protect(area) && swap(area);
}

static bool poison(struct area *area)
{
	struct uffdio_poison poison = {
		.range.start = (unsigned long)area->map + FIRST * area->page,
		.range.len = COUNT * area->page,
	};

	return nothing(area) &&
	       uffd_open(area, UFFD_FEATURE_POISON, UFFDIO_REGISTER_MODE_MISSING) &&
	       !ioctl(area->uffd, UFFDIO_POISON, &poison);
}

static void on_bus(int sig)
{
}

/* The process is told by SIGBUS, which cannot be ignored. */
static bool hwpoison(struct area *area)
{
	signal(SIGBUS, on_bus);
	return !madvise(area->map + FIRST * area->page, COUNT * area->page,
			MADV_HWPOISON);
}

static bool guards(struct area *area)
{
	xmadvise(area->map + FIRST * area->page, COUNT * area->page,
		 MADV_GUARD_INSTALL);
	return true;
}

#define OVER(name, kind, what, kept)					\
	FIXTURE_VARIANT_ADD(over, name) {				\
		.backing = kind, .put = what, .stays = kept,		\
	}

OVER(nothing, ANON_PRIVATE, nothing, false);
OVER(pages, ANON_PRIVATE, pages, false);
OVER(pages_shared, MEMFD_SHARED, pages, true);
OVER(pages_of_own, MEMFD_PRIVATE, pages, false);
OVER(zero_pages, ANON_PRIVATE, zero_pages, false);
OVER(swap, ANON_PRIVATE, swap, false);
OVER(swap_shared, MEMFD_SHARED, swap, true);
OVER(guards, ANON_PRIVATE, guards, false);
OVER(protected, ANON_PRIVATE, protect, false);
OVER(protected_shared, MEMFD_SHARED, protect, true);
OVER(protected_of_own, MEMFD_PRIVATE, protect, false);
OVER(protection, ANON_PRIVATE, protect_nothing, false);
OVER(protection_shared, MEMFD_SHARED, protect_and_drop, true);
OVER(protection_of_own, MEMFD_PRIVATE, protect_and_drop, false);
OVER(protected_swap, ANON_PRIVATE, protect_swap, false);
OVER(protected_swap_shared, MEMFD_SHARED, protect_swap, true);
OVER(poison, ANON_PRIVATE, poison, false);
OVER(poison_shared, MEMFD_SHARED, poison, true);
OVER(hwpoison, ANON_PRIVATE, hwpoison, false);

FIXTURE_SETUP(over)
{
	size_t len, i;

	self->area.page = page_size();
	self->area.uffd = -1;
	len = PAGES * self->area.page;
	self->area.map = backing_map(variant->backing, NULL, len,
				backing_open(variant->backing, len), 0);
	for (i = 0; i < PAGES; i++)
		self->area.map[i * self->area.page] = 'a' + i;
	alarm(SECONDS);
	if (!variant->put(&self->area))
		SKIP(return, "the kernel cannot do that: %s", strerror(errno));
}

FIXTURE_TEARDOWN(over)
{
	close(self->area.uffd);
}

TEST_F(over, guards_take_its_place)
{
	char *guard = self->area.map + FIRST * self->area.page;
	size_t i, len = COUNT * self->area.page;

	ASSERT_EQ(madvise_errno(guard, len, MADV_GUARD_INSTALL), 0);
	for (i = FIRST; i < FIRST + COUNT; i++)
		EXPECT_TRUE(guarded(self->area.map + i * self->area.page));
	EXPECT_EQ(markers_in(self->area.map, PAGES * self->area.page), COUNT);
	for (i = 0; i < PAGES; i++) {
		if (i < FIRST || i >= FIRST + COUNT)
			EXPECT_EQ(self->area.map[i * self->area.page], (char)('a' + i));
	}
	close(self->area.uffd);
	self->area.uffd = -1;
	ASSERT_EQ(madvise_errno(guard, len, MADV_GUARD_REMOVE), 0);
	for (i = FIRST; i < FIRST + COUNT; i++) {
		/* A file that was poisoned had no page yet. */
		bool has_data = variant->stays && variant->put != poison;
		char data = self->area.map[i * self->area.page];

		if (variant->backing != MEMFD_PRIVATE && variant->put != poison)
			EXPECT_EQ(data, has_data ? (char)('a' + i) : 0);
		EXPECT_TRUE(try_write(self->area.map + i * self->area.page));
	}
}

TEST_HARNESS_MAIN
