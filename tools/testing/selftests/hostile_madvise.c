// SPDX-License-Identifier: GPL-2.0
/*
 * madvise() with every advice from -1 to 255 and with random numbers, on every
 * kind of memory and range: it answers what the stock kernel answers, and what
 * it refuses it leaves as it was. Passes on the stock kernel, too.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "guard_util.h"
#include "hostile_expected.h"

#define RANDOM_ADVICE	300
/* A zone is in the middle of its slot; its first and last page are bystanders. */
#define ZONE_PAGES	6
#define SLOT_PAGES	8
#define MAX_TARGETS	96
/* In the place of a file descriptor: the kernel does not have it. */
#define MISSING		(-2)
/* Address space without memory beside the zones, and such of the kernel. */
#define HOLE_BYTES	((SIZE_MAX >> (sizeof(long) == 8 ? 30 : 6)) + 1)
#define KERNEL_BYTES	((SIZE_MAX >> (sizeof(long) == 8 ? 18 : 2)) + 1)

struct target {
	const char *name;
	unsigned long start;
	size_t len;
};

struct zone {
	const char *name;
	enum backing backing;
	int prot;
	int flags;
	bool locked;
	bool read_only_file;
	bool device;
	int fd;
};

static struct zone zones[] = {
	{ "anonymous", ANON_PRIVATE, RW },
	{ "read only", ANON_PRIVATE, PROT_READ },
	{ "no access", ANON_PRIVATE, PROT_NONE },
	{ "locked", ANON_PRIVATE, RW, .locked = true },
	{ "stack", ANON_PRIVATE, RW, .flags = MAP_GROWSDOWN },
	{ "shared", ANON_SHARED, RW },
	{ "memfd private", MEMFD_PRIVATE, RW },
	{ "memfd shared", MEMFD_SHARED, RW },
	{ "file private", FILE_PRIVATE, RW },
	{ "file shared", FILE_SHARED, RW },
	{ "file shared, locked", FILE_SHARED, RW, .locked = true },
	{ "file shared, read only", FILE_SHARED, PROT_READ,
	  .read_only_file = true },
#if __SIZEOF_LONG__ == 8
	{ "droppable", ANON_PRIVATE, RW, .flags = MAP_DROPPABLE },
#endif
	{ "device", FILE_SHARED, PROT_READ, .device = true },
};

#define ZONES	ARRAY_SIZE(zones)

FIXTURE(hostile_madvise)
{
	size_t page;
	char *arena;
	size_t arena_len;
	char *huge;
	char *sealed;
	bool shows_gu;
	struct map before;
	struct map after;
	struct target targets[MAX_TARGETS];
	size_t count;
	unsigned int wrong;
	unsigned int calls;
};

#define TEST_DATA FIXTURE_DATA(hostile_madvise)

static char *zone_start(TEST_DATA *self, size_t zone)
{
	return self->arena + (zone * SLOT_PAGES + 1) * self->page;
}

static void map_zone(TEST_DATA *self, struct zone *zone, char *start)
{
	size_t len = ZONE_PAGES * self->page, i;
	int flags = MAP_FIXED;
	char *map;

	if (zone->flags & MAP_DROPPABLE)
		flags |= MAP_ANONYMOUS | zone->flags;
	else
		flags |= zone->flags |
			(backing_is_shared(zone->backing) ? MAP_SHARED : MAP_PRIVATE) |
			(zone->fd < 0 ? MAP_ANONYMOUS : 0);
	map = mmap(start, len, zone->device || zone->read_only_file ?
		   zone->prot : RW, flags, zone->fd, 0);
	if (map == MAP_FAILED)
		err(KSFT_FAIL, "mmap: %s", zone->name);
	if (zone->device)
		return;
	for (i = 0; i < ZONE_PAGES && !zone->read_only_file; i++)
		map[i * self->page] = 'a' + i;
	if (zone->prot != RW)
		xmprotect(map, len, zone->prot);
	if (zone->locked && mlock(map, len))
		err(KSFT_FAIL, "mlock: %s", zone->name);
}

/* Makes all zones anew. */
static void map_zones(TEST_DATA *self)
{
	size_t i;

	if (mmap(self->arena, self->arena_len, PROT_NONE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		err(KSFT_FAIL, "mmap");
	for (i = 0; i < ZONES; i++) {
		if (zones[i].fd != MISSING)
			map_zone(self, &zones[i], zone_start(self, i));
	}
	if (!self->huge)
		return;
	xmunmap(self->huge, PMD_BYTES);
	if (mmap(self->huge, PMD_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0) == MAP_FAILED)
		err(KSFT_FAIL, "mmap of a huge page");
}

static void open_zone(TEST_DATA *self, struct zone *zone)
{
	char path[40];

	if (zone->device) {
		zone->fd = open("/dev/mem", O_RDONLY);
		if (zone->fd < 0)
			zone->fd = MISSING;
		return;
	}
	zone->fd = backing_open(zone->backing, ZONE_PAGES * self->page);
	if (zone->read_only_file) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", zone->fd);
		zone->fd = open(path, O_RDONLY);
		if (zone->fd < 0)
			err(KSFT_FAIL, "%s", path);
	}
}

/* Sealed for good, so it is made but once. */
static char *map_sealed(size_t page)
{
	char *map = reserve(ZONE_PAGES * page, page);

	if (sizeof(long) != 8)
		return NULL;
	map = backing_map(ANON_PRIVATE, map + page, 4 * page, -1, 0);
	map[0] = 's';
	xmprotect(map, 4 * page, PROT_READ);
	if (syscall(__NR_mseal, map, 4 * page, 0UL))
		err(KSFT_FAIL, "mseal");
	return map;
}

static char *map_huge_page(void)
{
	char *map = mmap(NULL, PMD_BYTES, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

FIXTURE_SETUP(hostile_madvise)
{
	char *scratch;
	size_t i;

	self->page = page_size();
	self->arena_len = ZONES * SLOT_PAGES * self->page;
	self->arena = reserve(self->arena_len + HOLE_BYTES, 1);
	scratch = backing_map(ANON_PRIVATE, NULL, self->page, -1, 0);
	xmadvise(scratch, self->page, MADV_GUARD_INSTALL);
	self->shows_gu = vma_has_gu(scratch);
	xmunmap(scratch, self->page);
	for (i = 0; i < ZONES; i++)
		open_zone(self, &zones[i]);
	self->sealed = map_sealed(self->page);
	self->huge = map_huge_page();
	map_zones(self);
	/* Last, for the next mapping without an address may be put there. */
	xmunmap(self->arena + self->arena_len, HOLE_BYTES);
	drop_capability(CAP_SYS_ADMIN);
}

FIXTURE_TEARDOWN(hostile_madvise)
{
	TH_LOG("%u calls", self->calls);
}

static void add_target(TEST_DATA *self, const char *name, const void *start,
		       size_t len)
{
	if (self->count == MAX_TARGETS)
		errx(KSFT_FAIL, "too many targets");
	self->targets[self->count++] = (struct target) {
		name, (unsigned long)start, len
	};
}

/* Ranges within one mapping each. */
static void add_zones(TEST_DATA *self)
{
	static const char *const special[] = { "[vdso]", "[vvar]", "[sigpage]" };
	size_t page = self->page, i;
	struct vma vma;

	for (i = 0; i < ZONES; i++) {
		char *start = zone_start(self, i);

		add_target(self, zones[i].name, start + page, 1);
		add_target(self, zones[i].name, start + 2 * page, 2 * page);
		add_target(self, zones[i].name, start + page,
			   (ZONE_PAGES - 2) * page);
	}
	for (i = 0; i < ARRAY_SIZE(special); i++) {
		if (vma_find_named(special[i], &vma))
			add_target(self, special[i], (void *)vma.start, page);
	}
	if (self->sealed)
		add_target(self, "sealed", self->sealed, page);
	if (self->huge) {
		add_target(self, "huge page, first page", self->huge, page);
		add_target(self, "huge page, other page", self->huge + page, page);
		add_target(self, "huge page", self->huge, PMD_BYTES);
	}
}

/* Ranges that are wrong by themselves, and such without memory. */
static void add_bad_ranges(TEST_DATA *self)
{
	char *map = zone_start(self, 0) + self->page;
	char *hole = self->arena + self->arena_len;
	/* Above the vectors page of 32-bit ARM and the vsyscall page of x86. */
	char *kernel = (char *)-(4 * self->page);
	char *low_kernel = (char *)-KERNEL_BYTES;
	size_t page = self->page;

	add_target(self, "unaligned", map + 1, page);
	add_target(self, "unaligned, last byte", map + page - 1, 1);
	add_target(self, "unaligned, empty", map + 1, 0);
	add_target(self, "empty", map, 0);
	add_target(self, "empty, unmapped", hole, 0);
	add_target(self, "empty, kernel", kernel, 0);
	add_target(self, "length SIZE_MAX", map, SIZE_MAX);
	add_target(self, "length rounds to 0", map, -page + 1);
	add_target(self, "length -page", map, -page);
	add_target(self, "end wraps to 0", map, -(size_t)map);
	add_target(self, "end wraps to map", map, page - (size_t)map);
	add_target(self, "end is the last page", kernel, 3 * page);
	add_target(self, "kernel end wraps", kernel, 4 * page);
	add_target(self, "kernel", low_kernel, page);
	add_target(self, "kernel, huge", low_kernel, KERNEL_BYTES / 2);
	add_target(self, "unmapped", hole + page, page);
	add_target(self, "unmapped, huge", hole, HOLE_BYTES);
#ifdef __aarch64__
	add_target(self, "tagged", (char *)((size_t)map | 0x2aUL << 56), page);
	add_target(self, "tagged as kernel", (char *)((size_t)map | 1UL << 55), page);
#endif
}

/* Ranges over several mappings and holes; bystanders are hit by these. */
static void add_wide_ranges(TEST_DATA *self)
{
	size_t page = self->page, slot = SLOT_PAGES * page;
	size_t last = (ZONES - 1) * slot;

	add_target(self, "two zones", self->arena, 2 * slot);
	add_target(self, "with a locked one", self->arena, 5 * slot);
	add_target(self, "all but the device", self->arena, last);
	add_target(self, "all zones", self->arena, self->arena_len);
	add_target(self, "zone and hole", self->arena + last + 3 * page,
		   slot - 2 * page);
	add_target(self, "zone and huge hole", self->arena + 5 * slot,
		   HOLE_BYTES);
}

static int sys_madvise(unsigned long start, size_t len, unsigned long advice)
{
	return syscall(SYS_madvise, start, len, advice) ? errno : 0;
}

static void check_targets(TEST_DATA *self, int advice)
{
	size_t i;

	for (i = 0; i < self->count; i++) {
		struct target *target = &self->targets[i];
		int expected = expected_madvise(&self->before, target->start,
						target->len, advice);
		int error = sys_madvise(target->start, target->len, advice);

		self->calls++;
		if (error == expected)
			continue;
		self->wrong++;
		ksft_print_msg("advice %d on %s, %#zx bytes at %#lx: errno %d, expected %d\n",
		       advice, target->name, target->len, target->start, error,
		       expected);
	}
	self->count = 0;
}

/* The pages at both ends of each zone, to which no advice was given. */
static void check_bystanders(TEST_DATA *self, int advice)
{
	size_t i;

	for (i = 0; i < ZONES; i++) {
		char *first = zone_start(self, i);
		char *last = first + (ZONE_PAGES - 1) * self->page;

		if (zones[i].prot != RW || zones[i].flags & MAP_DROPPABLE)
			continue;
		if (first[0] == 'a' && last[0] == 'a' + ZONE_PAGES - 1 &&
		    !marker_at(first) && !marker_at(last))
			continue;
		self->wrong++;
		ksft_print_msg("advice %d changed memory beside %s\n", advice,
		       zones[i].name);
	}
}

/* A zone that refused the advice is as it was; guards show as they should. */
static void check_zones(TEST_DATA *self, int advice)
{
	size_t i;

	map_read(&self->after, getpid());
	for (i = 0; i < ZONES; i++) {
		char *middle = zone_start(self, i) + 2 * self->page;
		const struct vma *old = map_find(&self->before, (size_t)middle);
		const struct vma *new = map_find(&self->after, (size_t)middle);
		int expected = expected_madvise(&self->before, (size_t)middle,
						self->page, advice);
		bool guards = advice == MADV_GUARD_INSTALL && !expected;
		bool same = !memcmp(old, new, sizeof(*old));

		if ((!expected || same) && marker_at(middle) == guards &&
		    (!self->shows_gu || has_flag(new, "gu") == guards))
			continue;
		self->wrong++;
		ksft_print_msg("advice %d: %s is %#lx-%#lx %s, was %#lx-%#lx %s\n", advice,
		       zones[i].name, new->start, new->end, new->flags,
		       old->start, old->end, old->flags);
	}
}

static void check_known(TEST_DATA *self, int advice)
{
	map_zones(self);
	map_read(&self->before, getpid());
	add_zones(self);
	add_bad_ranges(self);
	check_targets(self, advice);
	check_bystanders(self, advice);
	check_zones(self, advice);
	add_wide_ranges(self);
	check_targets(self, advice);
}

/* Unknown advice is to change nothing: see check_untouched(). */
static void check_unknown(TEST_DATA *self, int advice)
{
	add_zones(self);
	add_bad_ranges(self);
	add_wide_ranges(self);
	check_targets(self, advice);
}

static void check_untouched(TEST_DATA *self)
{
	check_bystanders(self, -1);
	check_zones(self, -1);
	if (memcmp(&self->before, &self->after, sizeof(self->before))) {
		self->wrong++;
		ksft_print_msg("unknown advice changed a mapping\n");
	}
}

TEST_F(hostile_madvise, unknown_advice)
{
	uint32_t random = 2463534242;
	int advice;

	map_read(&self->before, getpid());
	for (advice = -1; advice < 256; advice++) {
		if (!advice_is_known(advice))
			check_unknown(self, advice);
	}
	for (advice = 0; advice < RANDOM_ADVICE; advice++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		ASSERT_FALSE(advice_is_known(random));
		check_unknown(self, random);
	}
	check_untouched(self);
	EXPECT_EQ(self->wrong, 0);
}

TEST_F(hostile_madvise, known_advice)
{
	int advice;

	for (advice = 0; advice < 256; advice++) {
		if (advice_is_known(advice))
			check_known(self, advice);
	}
	EXPECT_EQ(self->wrong, 0);
}

#if __SIZEOF_LONG__ == 8
/* Only the lower half of the register counts. */
TEST_F(hostile_madvise, advice_of_64_bits)
{
	unsigned long high = 1UL << 60;
	unsigned long map = (unsigned long)zone_start(self, 0);

	EXPECT_EQ(sys_madvise(map, 1, high | 104), EINVAL);
	EXPECT_EQ(sys_madvise(map, 1, high | MADV_GUARD_INSTALL), 0);
	EXPECT_TRUE(guarded((char *)map));
	EXPECT_EQ(sys_madvise(map, 1, high | MADV_DONTNEED), 0);
	EXPECT_TRUE(guarded((char *)map));
	EXPECT_EQ(sys_madvise(map, 1, -1UL << 32 | MADV_GUARD_REMOVE), 0);
	EXPECT_TRUE(try_write((char *)map));
}
#endif

TEST_HARNESS_MAIN
