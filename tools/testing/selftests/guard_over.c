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

FIXTURE(over)
{
	char *map;
	size_t page;
	int uffd;
};

FIXTURE_VARIANT(over)
{
	enum backing backing;
	/* Puts it there; false if the kernel cannot. */
	bool (*put)(FIXTURE_DATA(over) *self);
	/* Whether the file has the data still when the guard is gone. */
	bool stays;
};

static bool nothing(FIXTURE_DATA(over) *self)
{
	madvise(self->map + FIRST * self->page, COUNT * self->page, MADV_DONTNEED);
	return true;
}

static bool pages(FIXTURE_DATA(over) *self)
{
	return true;
}

static bool zero_pages(FIXTURE_DATA(over) *self)
{
	size_t i;

	nothing(self);
	for (i = FIRST; i < FIRST + COUNT; i++)
		(void)*(volatile char *)(self->map + i * self->page);
	return true;
}

static bool swap(FIXTURE_DATA(over) *self)
{
	return !madvise(self->map + FIRST * self->page, COUNT * self->page,
			MADV_PAGEOUT);
}

static bool uffd_open(FIXTURE_DATA(over) *self, unsigned long long features,
		      unsigned long long mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range.start = (unsigned long)self->map,
		.range.len = PAGES * self->page,
		.mode = mode,
	};

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return self->uffd >= 0 && !ioctl(self->uffd, UFFDIO_API, &api) &&
	       !ioctl(self->uffd, UFFDIO_REGISTER, &reg);
}

static bool protect(FIXTURE_DATA(over) *self)
{
	struct uffdio_writeprotect wp = {
		.range.start = (unsigned long)self->map + FIRST * self->page,
		.range.len = COUNT * self->page,
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return uffd_open(self, UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			 UFFD_FEATURE_WP_UNPOPULATED, UFFDIO_REGISTER_MODE_WP) &&
	       !ioctl(self->uffd, UFFDIO_WRITEPROTECT, &wp);
}

/* The protection stays as a marker when the page goes. */
static bool protect_and_drop(FIXTURE_DATA(over) *self)
{
	return protect(self) && nothing(self);
}

static bool protect_nothing(FIXTURE_DATA(over) *self)
{
	return nothing(self) && protect(self);
}

static bool protect_swap(FIXTURE_DATA(over) *self)
{
	return protect(self) && swap(self);
}

static bool poison(FIXTURE_DATA(over) *self)
{
	struct uffdio_poison poison = {
		.range.start = (unsigned long)self->map + FIRST * self->page,
		.range.len = COUNT * self->page,
	};

	return nothing(self) &&
	       uffd_open(self, UFFD_FEATURE_POISON, UFFDIO_REGISTER_MODE_MISSING) &&
	       !ioctl(self->uffd, UFFDIO_POISON, &poison);
}

static void on_bus(int sig)
{
}

/* The process is told by SIGBUS, which cannot be ignored. */
static bool hwpoison(FIXTURE_DATA(over) *self)
{
	signal(SIGBUS, on_bus);
	return !madvise(self->map + FIRST * self->page, COUNT * self->page,
			MADV_HWPOISON);
}

static bool guards(FIXTURE_DATA(over) *self)
{
	xmadvise(self->map + FIRST * self->page, COUNT * self->page,
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

	self->page = page_size();
	self->uffd = -1;
	len = PAGES * self->page;
	self->map = backing_map(variant->backing, NULL, len,
				backing_open(variant->backing, len), 0);
	for (i = 0; i < PAGES; i++)
		self->map[i * self->page] = 'a' + i;
	alarm(SECONDS);
	if (!variant->put(self))
		SKIP(return, "the kernel cannot do that: %s", strerror(errno));
}

FIXTURE_TEARDOWN(over)
{
	close(self->uffd);
}

TEST_F(over, guards_take_its_place)
{
	char *guard = self->map + FIRST * self->page;
	size_t i, len = COUNT * self->page;

	ASSERT_EQ(madvise_errno(guard, len, MADV_GUARD_INSTALL), 0);
	for (i = FIRST; i < FIRST + COUNT; i++)
		EXPECT_TRUE(guarded(self->map + i * self->page));
	EXPECT_EQ(markers_in(self->map, PAGES * self->page), COUNT);
	for (i = 0; i < PAGES; i++) {
		if (i < FIRST || i >= FIRST + COUNT)
			EXPECT_EQ(self->map[i * self->page], (char)('a' + i));
	}
	close(self->uffd);
	self->uffd = -1;
	ASSERT_EQ(madvise_errno(guard, len, MADV_GUARD_REMOVE), 0);
	for (i = FIRST; i < FIRST + COUNT; i++) {
		/* A file that was poisoned had no page yet. */
		bool has_data = variant->stays && variant->put != poison;
		char data = self->map[i * self->page];

		if (variant->backing != MEMFD_PRIVATE && variant->put != poison)
			EXPECT_EQ(data, has_data ? (char)('a' + i) : 0);
		EXPECT_TRUE(try_write(self->map + i * self->page));
	}
}

TEST_HARNESS_MAIN
