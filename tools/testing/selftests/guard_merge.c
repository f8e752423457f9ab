// SPDX-License-Identifier: GPL-2.0
/*
 * A mapping with guards merges wherever it merges without guards, and what
 * comes out has the flag: a forked child must find the guard.
 *
 * Every sequence runs twice: once with a guard, once without. Both must give
 * the same number of mappings.
 */
#include <err.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	10
#define RWX	(RW | PROT_EXEC)

struct area {
	enum backing backing;
	bool guard;
	int fd;
	char *base;
	size_t page;
	/* Set by a sequence that this kernel cannot run. */
	const char *skip;
};

static char *at(const struct area *area, size_t page)
{
	return area->base + page * area->page;
}

static size_t bytes(const struct area *area, size_t pages)
{
	return pages * area->page;
}

static void map_pages(const struct area *area, size_t from, size_t to)
{
	backing_map(area->backing, at(area, from), bytes(area, to - from),
		    area->fd, bytes(area, from));
}

/*
 * Puts a guard, or does without a guard what comes nearest: private anonymous
 * memory gets its anon_vma from a guard as from a write.
 */
static char *mark(const struct area *area, size_t page)
{
	char *addr = at(area, page);

	if (area->guard)
		xmadvise(addr, area->page, MADV_GUARD_INSTALL);
	else if (area->backing == ANON_PRIVATE && !try_write(addr))
		errx(KSFT_FAIL, "cannot write to page %zu", page);
	return addr;
}

static int run(struct area *area, enum backing backing, bool guard,
	       char *(*sequence)(struct area *area), char **marked)
{
	memset(area, 0, sizeof(*area));
	area->backing = backing;
	area->guard = guard;
	area->page = page_size();
	area->fd = backing_open(backing, bytes(area, PAGES));
	area->base = reserve(bytes(area, 3 * PAGES), 1) + bytes(area, PAGES);
	*marked = sequence(area);
	return vma_count(area->base, bytes(area, PAGES));
}

/*
 * "expected" is the number of mappings at the end, without those of the
 * reserved space around them. False: the kernel cannot run the sequence.
 */
static bool check(struct __test_metadata *_metadata, enum backing backing,
		  char *(*sequence)(struct area *area), int expected)
{
	struct area area;
	char *marked;
	int vmas;

	vmas = run(&area, backing, false, sequence, &marked);
	if (area.skip)
		SKIP(return false, "not possible here: %s", area.skip);
	EXPECT_EQ(expected, vmas)
		TH_LOG("without a guard");
	vmas = run(&area, backing, true, sequence, &marked);
	EXPECT_EQ(expected, vmas)
		TH_LOG("with a guard");
	EXPECT_TRUE(vma_has_gu(marked));
	EXPECT_TRUE(guarded(marked));
	EXPECT_TRUE(guarded_in_child(marked));
	return true;
}

/* Sequences that map the area piece by piece. */
FIXTURE(pieces)
{
};

FIXTURE_VARIANT(pieces)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(pieces, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(pieces, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(pieces, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(pieces, file_private) { .backing = FILE_PRIVATE };
FIXTURE_VARIANT_ADD(pieces, file_shared) { .backing = FILE_SHARED };

FIXTURE_SETUP(pieces)
{
}

FIXTURE_TEARDOWN(pieces)
{
}

#define PIECES_TEST(name, expected)					\
	TEST_F(pieces, name)						\
	{								\
		check(_metadata, variant->backing, name, expected);	\
	}

static char *mmap_after(struct area *area)
{
	char *marked;

	map_pages(area, 0, 5);
	marked = mark(area, 2);
	map_pages(area, 5, PAGES);
	return marked;
}
PIECES_TEST(mmap_after, 1)

static char *mmap_before(struct area *area)
{
	char *marked;

	map_pages(area, 5, PAGES);
	marked = mark(area, 7);
	map_pages(area, 0, 5);
	return marked;
}
PIECES_TEST(mmap_before, 1)

static char *mmap_into_hole_guard_left(struct area *area)
{
	char *marked;

	map_pages(area, 0, 3);
	map_pages(area, 7, PAGES);
	marked = mark(area, 1);
	map_pages(area, 3, 7);
	return marked;
}
PIECES_TEST(mmap_into_hole_guard_left, 1)

static char *mmap_into_hole_guard_right(struct area *area)
{
	char *marked;

	map_pages(area, 0, 3);
	map_pages(area, 7, PAGES);
	marked = mark(area, 8);
	map_pages(area, 3, 7);
	return marked;
}
PIECES_TEST(mmap_into_hole_guard_right, 1)

/*
 * Two anonymous mappings made apart have an anon_vma each and stay two. Guards
 * give none to file mappings: those become one.
 */
static char *mmap_into_hole_guard_both(struct area *area)
{
	map_pages(area, 0, 3);
	map_pages(area, 7, PAGES);
	mark(area, 8);
	mark(area, 1);
	map_pages(area, 3, 7);
	return at(area, 1);
}

TEST_F(pieces, mmap_into_hole_guard_both)
{
	check(_metadata, variant->backing, mmap_into_hole_guard_both,
	      backing_is_file(variant->backing) ? 1 : 2);
}

/* New pages over the middle: its guard goes, that of the side stays. */
static char *mmap_over_the_middle(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	mark(area, 4);
	marked = mark(area, 8);
	map_pages(area, 3, 6);
	if (markers_in(at(area, 3), bytes(area, 3)))
		errx(KSFT_FAIL, "guards of a mapping that is gone");
	return marked;
}
PIECES_TEST(mmap_over_the_middle, 1)

static char *munmap_and_mmap_again(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	marked = mark(area, 1);
	xmunmap(at(area, 4), bytes(area, 2));
	map_pages(area, 4, 6);
	return marked;
}
PIECES_TEST(munmap_and_mmap_again, 1)

/* Moves pages 5 to 9 from another place to where they belong. */
static void move_in(struct area *area, char *from)
{
	size_t len = bytes(area, 5);

	if (mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   at(area, 5)) != at(area, 5))
		err(KSFT_FAIL, "mremap");
}

static char *map_elsewhere(struct area *area)
{
	char *space = reserve(bytes(area, 15), 1) + bytes(area, 5);

	return backing_map(area->backing, space, bytes(area, 5), area->fd,
			   bytes(area, 5));
}

static char *mremap_plain_beside_guard(struct area *area)
{
	char *other, *marked;

	map_pages(area, 0, 5);
	other = map_elsewhere(area);
	marked = mark(area, 2);
	move_in(area, other);
	return marked;
}
PIECES_TEST(mremap_plain_beside_guard, 1)

static char *mremap_guard_beside_plain(struct area *area)
{
	char *other;

	map_pages(area, 0, 5);
	other = map_elsewhere(area);
	if (area->guard)
		xmadvise(other + bytes(area, 2), area->page,
			 MADV_GUARD_INSTALL);
	else if (!backing_is_file(area->backing) &&
		 !try_write(other + bytes(area, 2)))
		errx(KSFT_FAIL, "cannot write");
	move_in(area, other);
	return at(area, 7);
}

/* Anonymous pages that were used keep their offset, which does not fit here. */
TEST_F(pieces, mremap_guard_beside_plain)
{
	check(_metadata, variant->backing, mremap_guard_beside_plain,
	      backing_is_file(variant->backing) ? 1 : 2);
}

/* Sequences that start with one mapping of the whole area. */
FIXTURE(whole)
{
};

FIXTURE_VARIANT(whole)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(whole, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(whole, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(whole, memfd_private) { .backing = MEMFD_PRIVATE };
FIXTURE_VARIANT_ADD(whole, memfd_shared) { .backing = MEMFD_SHARED };
FIXTURE_VARIANT_ADD(whole, file_private) { .backing = FILE_PRIVATE };
FIXTURE_VARIANT_ADD(whole, file_shared) { .backing = FILE_SHARED };

FIXTURE_SETUP(whole)
{
}

FIXTURE_TEARDOWN(whole)
{
}

/* A change of a part of a mapping that splits it, and the way back. */
struct change {
	bool (*there)(struct area *area, char *addr, size_t len);
	bool (*back)(struct area *area, char *addr, size_t len);
	/* No guard can be put into the part while it is changed. */
	bool closed;
	/* A kernel may be built without it. */
	bool optional;
};

static const struct change *change;

/*
 * Changes pages 4 to 6 and changes them back. The guard is put into the part
 * or beside it, before the change or while it lasts.
 */
static char *there_and_back(struct area *area, size_t page, bool early)
{
	char *part = at(area, 4), *marked = at(area, page);
	size_t len = bytes(area, 3);

	map_pages(area, 0, PAGES);
	if (early)
		mark(area, page);
	if (!change->there(area, part, len)) {
		if (!change->optional)
			err(KSFT_FAIL, "the change");
		area->skip = strerror(errno);
		return marked;
	}
	if (vma_count(area->base, bytes(area, PAGES)) != 3)
		errx(KSFT_FAIL, "the change does not split the mapping");
	/* Without a guard, pages are not touched while they are changed. */
	if (!early && area->guard)
		mark(area, page);
	if (!change->back(area, part, len))
		err(KSFT_FAIL, "the way back");
	return marked;
}

static char *guard_in_part_before(struct area *area)
{
	return there_and_back(area, 5, true);
}

static char *guard_left_before(struct area *area)
{
	return there_and_back(area, 1, true);
}

static char *guard_right_before(struct area *area)
{
	return there_and_back(area, 8, true);
}

static char *guard_in_part_between(struct area *area)
{
	return there_and_back(area, 5, false);
}

static char *guard_left_between(struct area *area)
{
	return there_and_back(area, 1, false);
}

static char *guard_right_between(struct area *area)
{
	return there_and_back(area, 8, false);
}

static void check_change(struct __test_metadata *_metadata,
			 enum backing backing, const struct change *tested)
{
	change = tested;
	if (!check(_metadata, backing, guard_in_part_before, 1))
		return;
	ASSERT_TRUE(check(_metadata, backing, guard_left_before, 1));
	ASSERT_TRUE(check(_metadata, backing, guard_right_before, 1));
	if (!tested->closed)
		ASSERT_TRUE(check(_metadata, backing, guard_in_part_between, 1));
	ASSERT_TRUE(check(_metadata, backing, guard_left_between, 1));
	ASSERT_TRUE(check(_metadata, backing, guard_right_between, 1));
}

/* The end of a mapping, with the guard in it, becomes part of the next one. */
static char *border_moves_left(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	xmprotect(at(area, 5), bytes(area, 5), RWX);
	marked = mark(area, 4);
	xmprotect(at(area, 3), bytes(area, 2), RWX);
	return marked;
}

/* Likewise its start, and the mapping before it. */
static char *border_moves_right(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	xmprotect(at(area, 0), bytes(area, 5), RWX);
	marked = mark(area, 5);
	xmprotect(at(area, 5), bytes(area, 2), RWX);
	return marked;
}

TEST_F(whole, border_moves)
{
	check(_metadata, variant->backing, border_moves_left, 2);
	check(_metadata, variant->backing, border_moves_right, 2);
}

static bool make_read_only(struct area *area, char *addr, size_t len)
{
	return !mprotect(addr, len, PROT_READ);
}

static bool make_inaccessible(struct area *area, char *addr, size_t len)
{
	return !mprotect(addr, len, PROT_NONE);
}

static bool make_writable(struct area *area, char *addr, size_t len)
{
	return !mprotect(addr, len, RW);
}

TEST_F(whole, mprotect_read)
{
	static const struct change read_only = { make_read_only, make_writable };

	check_change(_metadata, variant->backing, &read_only);
}

TEST_F(whole, mprotect_none)
{
	static const struct change none = { make_inaccessible, make_writable };

	check_change(_metadata, variant->backing, &none);
}

static bool lock(struct area *area, char *addr, size_t len)
{
	return !mlock2(addr, len, MLOCK_ONFAULT);
}

static bool unlock(struct area *area, char *addr, size_t len)
{
	return !munlock(addr, len);
}

static bool unlock_all(struct area *area, char *addr, size_t len)
{
	return !munlockall();
}

TEST_F(whole, mlock_munlock)
{
	static const struct change locked = { lock, unlock, .closed = true };

	check_change(_metadata, variant->backing, &locked);
}

TEST_F(whole, mlock_munlockall)
{
	static const struct change locked = { lock, unlock_all, .closed = true };

	check_change(_metadata, variant->backing, &locked);
}

#define DEFINE_ADVICE(name, advice)					\
	static bool name(struct area *area, char *addr, size_t len)	\
	{								\
		return !madvise(addr, len, advice);			\
	}

DEFINE_ADVICE(dontdump, MADV_DONTDUMP)
DEFINE_ADVICE(dodump, MADV_DODUMP)
DEFINE_ADVICE(dontfork, MADV_DONTFORK)
DEFINE_ADVICE(dofork, MADV_DOFORK)
DEFINE_ADVICE(sequential, MADV_SEQUENTIAL)
DEFINE_ADVICE(random_order, MADV_RANDOM)
DEFINE_ADVICE(normal, MADV_NORMAL)
DEFINE_ADVICE(wipeonfork, MADV_WIPEONFORK)
DEFINE_ADVICE(keeponfork, MADV_KEEPONFORK)
DEFINE_ADVICE(mergeable, MADV_MERGEABLE)
DEFINE_ADVICE(unmergeable, MADV_UNMERGEABLE)
DEFINE_ADVICE(hugepage, MADV_HUGEPAGE)
DEFINE_ADVICE(nohugepage, MADV_NOHUGEPAGE)

TEST_F(whole, dontdump_dodump)
{
	static const struct change advice = { dontdump, dodump };

	check_change(_metadata, variant->backing, &advice);
}

TEST_F(whole, dontfork_dofork)
{
	static const struct change advice = { dontfork, dofork };

	check_change(_metadata, variant->backing, &advice);
}

TEST_F(whole, sequential_normal)
{
	static const struct change advice = { sequential, normal };

	check_change(_metadata, variant->backing, &advice);
}

TEST_F(whole, random_normal)
{
	static const struct change advice = { random_order, normal };

	check_change(_metadata, variant->backing, &advice);
}

TEST(wipeonfork_keeponfork)
{
	static const struct change advice = { wipeonfork, keeponfork };

	check_change(_metadata, ANON_PRIVATE, &advice);
}

TEST(mergeable_unmergeable)
{
	static const struct change advice = {
		mergeable, unmergeable, .optional = true,
	};

	check_change(_metadata, ANON_PRIVATE, &advice);
}

/* There is no way back to "neither": the rest is made alike instead. */
static bool hugepage_all(struct area *area, char *addr, size_t len)
{
	return !madvise(area->base, bytes(area, PAGES), MADV_HUGEPAGE);
}

TEST_F(whole, nohugepage_hugepage)
{
	static const struct change advice = {
		nohugepage, hugepage_all, .optional = true,
	};

	check_change(_metadata, variant->backing, &advice);
}

static bool nohugepage_all(struct area *area, char *addr, size_t len)
{
	return !madvise(area->base, bytes(area, PAGES), MADV_NOHUGEPAGE);
}

TEST_F(whole, hugepage_nohugepage)
{
	static const struct change advice = {
		hugepage, nohugepage_all, .optional = true,
	};

	check_change(_metadata, variant->backing, &advice);
}

/* Any memory policy but the default one; there is a node 0 everywhere. */
static bool bind_to_node(struct area *area, char *addr, size_t len)
{
	unsigned long nodes = 1;

	return !syscall(SYS_mbind, addr, len, MPOL_PREFERRED, &nodes,
			8 * sizeof(nodes), 0);
}

static bool unbind(struct area *area, char *addr, size_t len)
{
	return !syscall(SYS_mbind, addr, len, MPOL_DEFAULT, NULL, 0, 0);
}

TEST_F(whole, mbind)
{
	static const struct change policy = {
		bind_to_node, unbind, .optional = true,
	};

	check_change(_metadata, variant->backing, &policy);
}

static char *moved_to;

static bool move_away(struct area *area, char *addr, size_t len)
{
	moved_to = reserve(len, 1);
	if (mremap(addr, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   moved_to) == MAP_FAILED)
		return false;
	/* What is counted as the part between the two others. */
	return mmap(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED, -1, 0) == addr;
}

static bool move_back(struct area *area, char *addr, size_t len)
{
	return mremap(moved_to, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		      addr) == addr;
}

/* "between" would put the guard into what lies there instead of the part. */
TEST_F(whole, mremap_away_and_back)
{
	static const struct change moved = {
		move_away, move_back, .closed = true,
	};

	check_change(_metadata, variant->backing, &moved);
}

static int uffd = -1;

static bool uffd_register(struct area *area, char *addr, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (unsigned long)addr, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (uffd < 0) {
		uffd = syscall(SYS_userfaultfd, 0);
		if (uffd < 0)
			return false;
		if (ioctl(uffd, UFFDIO_API, &api))
			err(KSFT_FAIL, "UFFDIO_API");
	}
	return !ioctl(uffd, UFFDIO_REGISTER, &reg);
}

static bool uffd_unregister(struct area *area, char *addr, size_t len)
{
	struct uffdio_range range = { (unsigned long)addr, len };

	return !ioctl(uffd, UFFDIO_UNREGISTER, &range);
}

/* Closing takes the registration away by another way. */
static bool uffd_close(struct area *area, char *addr, size_t len)
{
	int fd = uffd;

	uffd = -1;
	return !close(fd);
}

FIXTURE(userfaultfd)
{
};

FIXTURE_VARIANT(userfaultfd)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(userfaultfd, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(userfaultfd, anon_shared) { .backing = ANON_SHARED };
FIXTURE_VARIANT_ADD(userfaultfd, memfd_shared) { .backing = MEMFD_SHARED };

FIXTURE_SETUP(userfaultfd)
{
}

FIXTURE_TEARDOWN(userfaultfd)
{
}

TEST_F(userfaultfd, register_unregister)
{
	static const struct change registered = {
		uffd_register, uffd_unregister, .optional = true,
	};

	check_change(_metadata, variant->backing, &registered);
}

TEST_F(userfaultfd, register_close)
{
	static const struct change registered = {
		uffd_register, uffd_close, .optional = true,
	};

	check_change(_metadata, variant->backing, &registered);
}

/* Names: two halves that are named alike become one mapping. */
FIXTURE(named)
{
};

FIXTURE_VARIANT(named)
{
	enum backing backing;
};

FIXTURE_VARIANT_ADD(named, anon_private) { .backing = ANON_PRIVATE };
FIXTURE_VARIANT_ADD(named, anon_shared) { .backing = ANON_SHARED };

FIXTURE_SETUP(named)
{
}

FIXTURE_TEARDOWN(named)
{
}

static bool name(struct area *area, size_t from, size_t to, const char *as)
{
	int error = name_errno(at(area, from), bytes(area, to - from), as);

	/* CONFIG_ANON_VMA_NAME=n */
	if (error == EINVAL)
		area->skip = "mappings have no names";
	else if (error)
		errx(KSFT_FAIL, "naming: %s", strerror(error));
	return !error;
}

#define NAMED_TEST(test)						\
	TEST_F(named, test)						\
	{								\
		check(_metadata, variant->backing, test, 1);		\
	}

static char *guard_second_name_first(struct area *area)
{
	char *marked = at(area, 7);

	map_pages(area, 0, PAGES);
	if (!name(area, 0, 5, "half"))
		return marked;
	mark(area, 7);
	name(area, 5, PAGES, "half");
	return marked;
}
NAMED_TEST(guard_second_name_first)

static char *guard_first_name_first(struct area *area)
{
	char *marked = at(area, 2);

	map_pages(area, 0, PAGES);
	if (!name(area, 0, 5, "half"))
		return marked;
	mark(area, 2);
	name(area, 5, PAGES, "half");
	return marked;
}
NAMED_TEST(guard_first_name_first)

static char *guard_first_name_second(struct area *area)
{
	char *marked = at(area, 2);

	map_pages(area, 0, PAGES);
	if (!name(area, 5, PAGES, "half"))
		return marked;
	mark(area, 2);
	name(area, 0, 5, "half");
	return marked;
}
NAMED_TEST(guard_first_name_second)

static char *guard_second_name_second(struct area *area)
{
	char *marked = at(area, 7);

	map_pages(area, 0, PAGES);
	if (!name(area, 5, PAGES, "half"))
		return marked;
	mark(area, 7);
	name(area, 0, 5, "half");
	return marked;
}
NAMED_TEST(guard_second_name_second)

static char *name_between_two_named(struct area *area)
{
	char *marked = at(area, 1);

	map_pages(area, 0, PAGES);
	if (!name(area, 0, 3, "part") || !name(area, 7, PAGES, "part"))
		return marked;
	mark(area, 1);
	name(area, 3, 7, "part");
	return marked;
}
NAMED_TEST(name_between_two_named)

static char *unname(struct area *area)
{
	char *marked = at(area, 2);

	map_pages(area, 0, PAGES);
	if (!name(area, 0, 5, "half"))
		return marked;
	mark(area, 2);
	name(area, 0, 5, NULL);
	return marked;
}
NAMED_TEST(unname)

static char *rename_over_both(struct area *area)
{
	char *marked = at(area, 2);

	map_pages(area, 0, PAGES);
	if (!name(area, 0, 5, "half"))
		return marked;
	mark(area, 2);
	name(area, 0, PAGES, "whole");
	return marked;
}
NAMED_TEST(rename_over_both)

static void seal(const struct area *area, size_t page, size_t pages)
{
	if (syscall(__NR_mseal, at(area, page), bytes(area, pages), 0UL))
		err(KSFT_FAIL, "mseal");
}

static char *seal_halves(struct area *area, size_t page)
{
	map_pages(area, 0, PAGES);
	seal(area, 5, 5);
	mark(area, page);
	seal(area, 0, 5);
	return at(area, page);
}

static char *seal_guarded_half(struct area *area)
{
	return seal_halves(area, 2);
}

static char *seal_plain_half(struct area *area)
{
	return seal_halves(area, 7);
}

TEST_F(whole, mseal)
{
	if (sizeof(long) == 4)
		SKIP(return, "mseal() is for 64 bits");
	check(_metadata, variant->backing, seal_guarded_half, 1);
	check(_metadata, variant->backing, seal_plain_half, 1);
}

/* Each part that is not sealed yet is merged with those on both sides. */
static char *seal_all_but_gaps(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	xmprotect(at(area, 0), bytes(area, 2), PROT_NONE);
	xmprotect(at(area, 7), bytes(area, 3), PROT_NONE);
	seal(area, 2, 1);
	seal(area, 4, 1);
	seal(area, 6, 1);
	marked = mark(area, 4);
	seal(area, 2, 5);
	if (!vma_has_flag(marked, "sl"))
		errx(KSFT_FAIL, "it is not sealed");
	if (!munmap(marked, area->page) || errno != EPERM)
		errx(KSFT_FAIL, "what is sealed can be unmapped");
	return marked;
}

TEST_F(whole, mseal_of_gaps)
{
	if (sizeof(long) == 4)
		SKIP(return, "mseal() is for 64 bits");
	check(_metadata, variant->backing, seal_all_but_gaps, 3);
}

/*
 * Neighbours that differ in access only share an anon_vma, so that they can
 * merge later. The guard must not keep them from sharing.
 */
static char *write_beside_guard(struct area *area)
{
	char *marked;

	map_pages(area, 0, PAGES);
	xmprotect(at(area, 5), bytes(area, 5), RWX);
	marked = mark(area, 2);
	if (!try_write(at(area, 7)))
		errx(KSFT_FAIL, "cannot write");
	xmprotect(at(area, 5), bytes(area, 5), RW);
	return marked;
}

static char *guard_beside_written(struct area *area)
{
	map_pages(area, 0, PAGES);
	xmprotect(at(area, 5), bytes(area, 5), RWX);
	if (!try_write(at(area, 7)))
		errx(KSFT_FAIL, "cannot write");
	mark(area, 2);
	xmprotect(at(area, 5), bytes(area, 5), RW);
	return at(area, 2);
}

TEST(shared_anon_vma)
{
	check(_metadata, ANON_PRIVATE, write_beside_guard, 1);
	check(_metadata, ANON_PRIVATE, guard_beside_written, 1);
}

/* mlockall() sets the flags of every mapping anew. */
static char *lock_all(struct area *area)
{
	map_pages(area, 0, PAGES);
	mark(area, 2);
	if (mlockall(MCL_CURRENT | MCL_ONFAULT) || munlockall())
		err(KSFT_FAIL, "mlockall");
	return at(area, 2);
}

TEST_F(whole, mlockall)
{
	check(_metadata, variant->backing, lock_all, 1);
}

TEST(many_guards)
{
	size_t page = page_size(), len = 20000 * page, i;
	char *map = backing_map(ANON_PRIVATE, reserve(len + 2 * page, 1) + page,
				len, -1, 0);

	for (i = 0; i < len; i += 2 * page)
		xmadvise(map + i, page, MADV_GUARD_INSTALL);
	EXPECT_EQ(10000, markers_in(map, len));
	EXPECT_EQ(1, vma_count(map, len));
}

#define CHUNK	4
#define CHUNKS	300

/* Chunks are mapped anew side by side; in every other one there is a guard. */
static int churn(enum backing backing, bool guard)
{
	size_t page = page_size(), len = CHUNKS * CHUNK * page, round, i;
	int fd = backing_open(backing, len);
	char *base = reserve(len + 2 * page, 1) + page;

	for (round = 0; round < 4; round++) {
		for (i = 0; i < CHUNKS; i++) {
			size_t offset = i * CHUNK * page;
			char *marked = base + offset + (round + i) % CHUNK * page;

			if (round && i % 3 != round % 3)
				continue;
			xmunmap(base + offset, CHUNK * page);
			backing_map(backing, base + offset, CHUNK * page, fd,
				    offset);
			if (i % 2 && guard)
				xmadvise(marked, page, MADV_GUARD_INSTALL);
			else if (i % 2 && !try_write(marked))
				errx(KSFT_FAIL, "cannot write");
		}
	}
	if (fd >= 0)
		close(fd);
	return vma_count(base, len);
}

TEST_F(pieces, churn)
{
	int plain = churn(variant->backing, false);

	EXPECT_EQ(plain, churn(variant->backing, true));
	TH_LOG("%d mappings", plain);
}

/* A guard low in the heap must not stop the heap from growing as one. */
TEST(brk_growth)
{
	size_t page = page_size();
	char *start = (char *)(((unsigned long)sbrk(0) + page - 1) & -page);

	/* The old heap, shared with the parent, does not take new pages. */
	ASSERT_EQ(0, brk(start + 4 * page));
	ASSERT_TRUE(try_write(start + page));
	ASSERT_EQ(0, brk(start + 8 * page));
	ASSERT_EQ(1, vma_count(start, 8 * page));

	ASSERT_EQ(0, brk(start + 4 * page));
	xmadvise(start + page, page, MADV_GUARD_INSTALL);
	ASSERT_EQ(0, brk(start + 8 * page));
	EXPECT_EQ(1, vma_count(start, 8 * page));
	EXPECT_TRUE(vma_has_gu(start + 7 * page));
	EXPECT_TRUE(guarded(start + page));
	EXPECT_TRUE(guarded_in_child(start + page));
}

TEST_HARNESS_MAIN
