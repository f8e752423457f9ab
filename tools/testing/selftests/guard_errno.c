// SPDX-License-Identifier: GPL-2.0
/*
 * What MADV_GUARD_INSTALL and MADV_GUARD_REMOVE refuse, with which error, and
 * that a refused call changes nothing.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define PAGES	10

FIXTURE(guard_errno)
{
	char *map;
	size_t page;
	size_t len;
};

FIXTURE_VARIANT(guard_errno)
{
	int advice;
};

FIXTURE_VARIANT_ADD(guard_errno, install) { .advice = MADV_GUARD_INSTALL };
FIXTURE_VARIANT_ADD(guard_errno, remove) { .advice = MADV_GUARD_REMOVE };

static bool is_install(int advice)
{
	return advice == MADV_GUARD_INSTALL;
}

/* A call that works on "pages" pages leaves this number of guards there. */
static size_t guards_after(int advice, size_t pages)
{
	return is_install(advice) ? pages : 0;
}

/*
 * For MADV_GUARD_INSTALL the area is written and has no guard, for
 * MADV_GUARD_REMOVE it has nothing but guards: any effect can be seen.
 */
FIXTURE_SETUP(guard_errno)
{
	size_t i;

	self->page = page_size();
	self->len = PAGES * self->page;
	self->map = reserve(self->len + 2 * self->page, 1) + self->page;
	self->map = backing_map(ANON_PRIVATE, self->map, self->len, -1, 0);
	if (!is_install(variant->advice)) {
		xmadvise(self->map, self->len, MADV_GUARD_INSTALL);
		return;
	}
	for (i = 0; i < PAGES; i++)
		self->map[i * self->page] = 'x';
}

FIXTURE_TEARDOWN(guard_errno)
{
}

#define EXPECT_UNCHANGED(start, size) do {				\
	size_t off_;							\
	bool install_ = is_install(variant->advice);			\
									\
	EXPECT_EQ(install_ ? 0 : (size) / self->page,			\
		  markers_in(start, size));				\
	for (off_ = 0; off_ < (size); off_ += self->page) {		\
		EXPECT_NE(install_, vma_has_gu((start) + off_));	\
		if (install_)						\
			EXPECT_EQ('x', (start)[off_]);			\
	}								\
} while (0)

TEST_F(guard_errno, unaligned_start)
{
	EXPECT_EQ(EINVAL, madvise_errno(self->map + 1, self->page,
					variant->advice));
	EXPECT_EQ(EINVAL, madvise_errno(self->map + 1, 0, variant->advice));
	EXPECT_EQ(EINVAL, madvise_errno(self->map + self->page - 1, 1,
					variant->advice));
	EXPECT_EQ(1, vma_count(self->map, self->len));
	EXPECT_UNCHANGED(self->map, self->len);
}

/* The length is rounded up to pages, and must not become zero by that. */
TEST_F(guard_errno, length_wraps)
{
	EXPECT_EQ(EINVAL, madvise_errno(self->map, SIZE_MAX, variant->advice));
	EXPECT_EQ(EINVAL, madvise_errno(self->map, SIZE_MAX - self->page + 2,
					variant->advice));
	EXPECT_UNCHANGED(self->map, self->len);
}

TEST_F(guard_errno, end_wraps)
{
	EXPECT_EQ(EINVAL, madvise_errno(self->map, SIZE_MAX - self->page + 1,
					variant->advice));
	EXPECT_EQ(EINVAL, madvise_errno(self->map,
					-(size_t)self->map + self->page,
					variant->advice));
	EXPECT_UNCHANGED(self->map, self->len);
}

TEST_F(guard_errno, length_is_rounded_up)
{
	EXPECT_EQ(0, madvise_errno(self->map, 1, variant->advice));
	EXPECT_EQ(is_install(variant->advice), guarded(self->map));
	EXPECT_EQ(is_install(variant->advice) ? 1 : PAGES - 1,
		  markers_in(self->map, self->len));
}

TEST_F(guard_errno, zero_length)
{
	EXPECT_EQ(0, madvise_errno(self->map, 0, variant->advice));
	EXPECT_EQ(0, madvise_errno(self->map - self->page, 0, variant->advice));
	xmunmap(self->map + self->page, self->page);
	EXPECT_EQ(0, madvise_errno(self->map + self->page, 0, variant->advice));
	EXPECT_UNCHANGED(self->map, self->page);
}

TEST_F(guard_errno, unknown_advice)
{
	EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len, 104));
	EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len, -1));
	EXPECT_EQ(EINVAL, madvise_errno(self->map, 0, 104));
	EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len,
					variant->advice | INT_MIN));
	EXPECT_UNCHANGED(self->map, self->len);
}

TEST_F(guard_errno, hole_in_the_middle)
{
	xmunmap(self->map + 4 * self->page, 2 * self->page);
	EXPECT_EQ(ENOMEM, madvise_errno(self->map, self->len, variant->advice));
	EXPECT_EQ(guards_after(variant->advice, 4),
		  markers_in(self->map, 4 * self->page));
	EXPECT_EQ(guards_after(variant->advice, 4),
		  markers_in(self->map + 6 * self->page, 4 * self->page));
	/* Both mappings are in the range as a whole. */
	EXPECT_EQ(is_install(variant->advice), vma_has_gu(self->map));
	EXPECT_EQ(is_install(variant->advice),
		  vma_has_gu(self->map + 6 * self->page));
}

TEST_F(guard_errno, hole_at_the_start)
{
	xmunmap(self->map, 2 * self->page);
	EXPECT_EQ(ENOMEM, madvise_errno(self->map, 5 * self->page,
					variant->advice));
	EXPECT_EQ(guards_after(variant->advice, 3),
		  markers_in(self->map + 2 * self->page, 3 * self->page));
	EXPECT_TRUE(vma_has_gu(self->map + 2 * self->page));
}

TEST_F(guard_errno, hole_at_the_end)
{
	xmunmap(self->map + 8 * self->page, 2 * self->page);
	EXPECT_EQ(ENOMEM, madvise_errno(self->map + 6 * self->page,
					4 * self->page, variant->advice));
	EXPECT_EQ(guards_after(variant->advice, 2),
		  markers_in(self->map + 6 * self->page, 2 * self->page));
	EXPECT_EQ(is_install(variant->advice) ? 0 : 6,
		  markers_in(self->map, 6 * self->page));
}

TEST_F(guard_errno, nothing_but_a_hole)
{
	xmunmap(self->map + 4 * self->page, 2 * self->page);
	EXPECT_EQ(ENOMEM, madvise_errno(self->map + 4 * self->page,
					2 * self->page, variant->advice));
	EXPECT_UNCHANGED(self->map, 4 * self->page);
	EXPECT_UNCHANGED(self->map + 6 * self->page, 4 * self->page);
}

TEST_F(guard_errno, beyond_the_last_mapping)
{
	const char *last = (char *)(SIZE_MAX - 2 * self->page + 1);

	EXPECT_EQ(ENOMEM, madvise_errno(last, self->page, variant->advice));
}

/* Guards go away from locked memory, but nothing may throw locked pages out. */
TEST_F(guard_errno, locked)
{
	int expected = is_install(variant->advice) ? EINVAL : 0;

	ASSERT_EQ(0, mlock2(self->map, self->len, MLOCK_ONFAULT));
	EXPECT_EQ(expected, madvise_errno(self->map, self->len,
					  variant->advice));
	if (expected) {
		EXPECT_UNCHANGED(self->map, self->len);
	} else {
		EXPECT_EQ(0, markers_in(self->map, self->len));
		EXPECT_TRUE(try_write(self->map));
	}
}

/* The call stops at the first mapping that cannot have guards. */
TEST_F(guard_errno, locked_between_others)
{
	char *locked = self->map + 4 * self->page;
	char *rest = self->map + 6 * self->page;

	ASSERT_EQ(0, mlock2(locked, 2 * self->page, MLOCK_ONFAULT));
	ASSERT_EQ(3, vma_count(self->map, self->len));
	if (!is_install(variant->advice)) {
		EXPECT_EQ(0, madvise_errno(self->map, self->len,
					   MADV_GUARD_REMOVE));
		EXPECT_EQ(0, markers_in(self->map, self->len));
		return;
	}
	EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len,
					MADV_GUARD_INSTALL));
	EXPECT_EQ(4, markers_in(self->map, 4 * self->page));
	EXPECT_TRUE(vma_has_gu(self->map));
	EXPECT_UNCHANGED(locked, 2 * self->page);
	EXPECT_UNCHANGED(rest, 4 * self->page);
	EXPECT_EQ(3, vma_count(self->map, self->len));
}

/* An error of a mapping counts more than a hole before it. */
TEST_F(guard_errno, hole_then_locked)
{
	xmunmap(self->map + 2 * self->page, self->page);
	ASSERT_EQ(0, mlock2(self->map + 3 * self->page, self->page,
			    MLOCK_ONFAULT));
	if (!is_install(variant->advice)) {
		EXPECT_EQ(ENOMEM, madvise_errno(self->map, self->len,
						MADV_GUARD_REMOVE));
		EXPECT_EQ(0, markers_in(self->map, 2 * self->page));
		EXPECT_EQ(0, markers_in(self->map + 3 * self->page,
					7 * self->page));
		return;
	}
	EXPECT_EQ(EINVAL, madvise_errno(self->map, self->len,
					MADV_GUARD_INSTALL));
	EXPECT_EQ(2, markers_in(self->map, 2 * self->page));
	EXPECT_UNCHANGED(self->map + 3 * self->page, 7 * self->page);
}

TEST_F(guard_errno, hugetlb)
{
	char *map = mmap(NULL, PMD_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	if (map == MAP_FAILED)
		SKIP(return, "no huge page of 2 MiB: %s", strerror(errno));
	ASSERT_TRUE(try_write(map));
	EXPECT_EQ(EINVAL, madvise_errno(map, PMD_BYTES, variant->advice));
	EXPECT_EQ(EINVAL, madvise_errno(map, self->page, variant->advice));
	EXPECT_FALSE(vma_has_gu(map));
	EXPECT_TRUE(try_read(map + self->page));
}

/* Mappings that the kernel itself makes (VM_SPECIAL). */
TEST_F(guard_errno, special_mappings)
{
	static const char *const names[] = { "[vvar]", "[vdso]", "[sigpage]" };
	unsigned int found = 0;
	struct vma vma;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		char *map;

		if (!vma_find_named(names[i], &vma))
			continue;
		found++;
		map = (char *)vma.start;
		EXPECT_EQ(EINVAL, madvise_errno(map, self->page,
						variant->advice))
			TH_LOG("%s", names[i]);
		EXPECT_FALSE(vma_has_gu(map));
		EXPECT_EQ(0, markers_in(map, self->page));
	}
	if (!found)
		SKIP(return, "the process has no special mapping");
}

/* Memory of a device: VM_IO and VM_PFNMAP. */
TEST_F(guard_errno, device_memory)
{
	int fd = open("/dev/mem", O_RDONLY);
	char *map;

	if (fd < 0)
		SKIP(return, "/dev/mem: %s", strerror(errno));
	map = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		SKIP(return, "mmap of /dev/mem: %s", strerror(errno));
	ASSERT_TRUE(vma_has_flag(map, "pf"));
	EXPECT_EQ(EINVAL, madvise_errno(map, self->page, variant->advice));
	EXPECT_FALSE(vma_has_gu(map));
}

static int mseal_errno(void *addr, size_t len)
{
	return syscall(__NR_mseal, addr, len, 0UL) ? errno : 0;
}

static bool has_mseal(void)
{
	return sizeof(long) == 8;
}

/* Sealing forbids to throw data away that the process could not write. */
TEST_F(guard_errno, sealed_read_only)
{
	if (!has_mseal())
		SKIP(return, "mseal() is for 64 bits");
	xmprotect(self->map + 4 * self->page, 2 * self->page, PROT_READ);
	ASSERT_EQ(0, mseal_errno(self->map + 4 * self->page, 2 * self->page));
	if (!is_install(variant->advice)) {
		EXPECT_EQ(0, madvise_errno(self->map, self->len,
					   MADV_GUARD_REMOVE));
		EXPECT_EQ(0, markers_in(self->map, self->len));
		return;
	}
	EXPECT_EQ(EPERM, madvise_errno(self->map, self->len,
				       MADV_GUARD_INSTALL));
	EXPECT_EQ(4, markers_in(self->map, 4 * self->page));
	EXPECT_UNCHANGED(self->map + 4 * self->page, 6 * self->page);
}

TEST_F(guard_errno, sealed_writable)
{
	if (!has_mseal())
		SKIP(return, "mseal() is for 64 bits");
	ASSERT_EQ(0, mseal_errno(self->map, self->len));
	EXPECT_EQ(0, madvise_errno(self->map, self->len, variant->advice));
	EXPECT_EQ(guards_after(variant->advice, PAGES),
		  markers_in(self->map, self->len));
	EXPECT_EQ(is_install(variant->advice), vma_has_gu(self->map));
}

/* Sealing and locking at once: sealing is looked at first. */
TEST_F(guard_errno, sealed_and_locked)
{
	if (!has_mseal())
		SKIP(return, "mseal() is for 64 bits");
	ASSERT_EQ(0, mlock2(self->map, self->len, MLOCK_ONFAULT));
	xmprotect(self->map, self->len, PROT_READ);
	ASSERT_EQ(0, mseal_errno(self->map, self->len));
	EXPECT_EQ(is_install(variant->advice) ? EPERM : 0,
		  madvise_errno(self->map, self->len, variant->advice));
	EXPECT_EQ(0, markers_in(self->map, self->len));
}

TEST_F(guard_errno, sealed_file)
{
	int fd = backing_open(MEMFD_PRIVATE, self->len);
	char *map = mmap(NULL, self->len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (!has_mseal())
		SKIP(return, "mseal() is for 64 bits");
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mseal_errno(map, self->len));
	EXPECT_EQ(0, madvise_errno(map, self->page, variant->advice));
	EXPECT_EQ(is_install(variant->advice), vma_has_gu(map));
}

#ifdef __aarch64__
/* The kernel takes off the tag in the top byte of an address. */
TEST_F(guard_errno, tagged_address)
{
	char *tagged = (char *)((unsigned long)self->map | 0x2aUL << 56);

	EXPECT_EQ(0, madvise_errno(tagged, self->page, variant->advice));
	EXPECT_EQ(is_install(variant->advice), guarded(self->map));
	EXPECT_EQ(is_install(variant->advice) ? 1 : PAGES - 1,
		  markers_in(self->map, self->len));
}
#endif

TEST_HARNESS_MAIN
