// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages never take a guard away: neither a collapse of the mapping with
 * the guard, nor one done through another mapping of the same file, nor
 * khugepaged. A collapse through another mapping frees the page tables of all
 * mappings of the file that it thinks empty.
 */
#include <err.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define THP		"/sys/kernel/mm/transparent_hugepage/"

/* The pages that get a guard: at both ends of a page table and within. */
static const size_t guard_pages[] = { 0, 1, 100, PMD_BYTES / 4096 - 1 };

static const char *no_thp(void)
{
	char size[32] = "";
	int fd = open(THP "hpage_pmd_size", O_RDONLY);

	if (fd < 0)
		return "no transparent huge pages";
	if (read(fd, size, sizeof(size) - 1) < 0)
		err(KSFT_FAIL, "hpage_pmd_size");
	close(fd);
	if (strtoul(size, NULL, 10) != PMD_BYTES || page_size() != 4096)
		return "huge pages are not of 2 MiB";
	return NULL;
}

static char *map_huge(enum backing backing, int fd)
{
	return backing_map(backing, reserve(PMD_BYTES, PMD_BYTES), PMD_BYTES,
			   fd, 0);
}

static void fill(char *map)
{
	size_t i;

	for (i = 0; i < PMD_BYTES / 4096; i++)
		map[i * 4096] = 'a' + i % 26;
}

static bool is_guard_page(size_t page)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guard_pages); i++) {
		if (guard_pages[i] == page)
			return true;
	}
	return false;
}

static void install_guards(char *map)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(guard_pages); i++)
		xmadvise(map + guard_pages[i] * 4096, 4096, MADV_GUARD_INSTALL);
}

/* All guards are there, and all other pages have what fill() wrote. */
static bool intact(char *map)
{
	size_t i;

	if (markers_in(map, PMD_BYTES) != ARRAY_SIZE(guard_pages))
		return false;
	for (i = 0; i < PMD_BYTES / 4096; i++) {
		if (is_guard_page(i) ? !guarded(map + i * 4096) :
				       map[i * 4096] != (char)('a' + i % 26))
			return false;
	}
	return vma_has_gu(map);
}

/* Pages that are busy for a moment make a collapse fail with EAGAIN. */
static int collapse_errno(char *map)
{
	int tries, error = EAGAIN;

	for (tries = 0; tries < 20 && error == EAGAIN; tries++) {
		error = madvise_errno(map, PMD_BYTES, MADV_COLLAPSE);
		if (error == EAGAIN)
			usleep(10000);
	}
	return error;
}

static bool pmd_mapped(char *map)
{
	struct vma vma;

	if (!vma_find(map, &vma))
		errx(KSFT_FAIL, "no mapping at %p", map);
	return vma.anon_huge_kb || vma.shmem_pmd_kb || vma.file_pmd_kb;
}

FIXTURE(other_mapping)
{
	char *map;	/* the one with guards */
	char *other;	/* the one that is collapsed */
	int fd;
};

FIXTURE_VARIANT(other_mapping)
{
	enum backing backing;
	/* The mapping with guards has other pages in its page table. */
	bool touched;
};

FIXTURE_VARIANT_ADD(other_mapping, shared) {
	.backing = MEMFD_SHARED,
};

FIXTURE_VARIANT_ADD(other_mapping, private) {
	.backing = MEMFD_PRIVATE,
};

FIXTURE_VARIANT_ADD(other_mapping, shared_touched) {
	.backing = MEMFD_SHARED,
	.touched = true,
};

FIXTURE_VARIANT_ADD(other_mapping, private_touched) {
	.backing = MEMFD_PRIVATE,
	.touched = true,
};

FIXTURE_SETUP(other_mapping)
{
	const char *reason = no_thp();
	size_t i;

	if (reason)
		SKIP(return, "%s", reason);
	self->fd = backing_open(variant->backing, PMD_BYTES);
	self->map = map_huge(variant->backing, self->fd);
	self->other = map_huge(MEMFD_SHARED, self->fd);
	xmadvise(self->other, PMD_BYTES, MADV_NOHUGEPAGE);
	fill(self->other);
	xmadvise(self->other, PMD_BYTES, MADV_HUGEPAGE);
	for (i = 0; variant->touched && i < PMD_BYTES / 4096; i += 7)
		ASSERT_TRUE(try_read(self->map + i * 4096));
	ASSERT_FALSE(pmd_mapped(self->other));
}

FIXTURE_TEARDOWN(other_mapping)
{
	close(self->fd);
}

TEST_F(other_mapping, collapse)
{
	install_guards(self->map);
	ASSERT_EQ(0, collapse_errno(self->other));
	ASSERT_TRUE(pmd_mapped(self->other));
	EXPECT_TRUE(intact(self->map));
	EXPECT_TRUE(guarded_in_child(self->map));

	/* The huge page is there now: mapping it whole must fail. */
	EXPECT_NE(0, collapse_errno(self->map));
	EXPECT_TRUE(intact(self->map));

	xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
	EXPECT_TRUE(try_read(self->map));
	EXPECT_EQ(0, markers_in(self->map, PMD_BYTES));
}

/* Without the flag the page table goes, and a page fault maps the huge page. */
TEST_F(other_mapping, collapse_after_the_removal_of_all)
{
	if (!backing_is_shared(variant->backing))
		SKIP(return, "private mappings of files may keep page tables");
	install_guards(self->map);
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
	ASSERT_FALSE(vma_has_gu(self->map));
	ASSERT_EQ(0, collapse_errno(self->other));
	ASSERT_TRUE(try_read(self->map));
	EXPECT_TRUE(pmd_mapped(self->map));
}

/* What protects the guards does not depend on access. */
TEST_F(other_mapping, collapse_without_write_access)
{
	install_guards(self->map);
	xmprotect(self->map, PMD_BYTES, PROT_READ);
	ASSERT_EQ(0, collapse_errno(self->other));
	xmprotect(self->map, PMD_BYTES, RW);
	EXPECT_TRUE(intact(self->map));
}

/* Pages of the guarded mapping stay, whoever of the two is collapsed. */
TEST_F(other_mapping, collapse_of_the_guarded_one)
{
	install_guards(self->map);
	EXPECT_NE(0, collapse_errno(self->map));
	EXPECT_TRUE(intact(self->map));
	EXPECT_FALSE(pmd_mapped(self->map));
	EXPECT_EQ(0, collapse_errno(self->other));
	EXPECT_TRUE(intact(self->map));
}

/* The other way round: guards over a huge page that is mapped as one. */
TEST_F(other_mapping, install_over_a_huge_page)
{
	ASSERT_EQ(0, collapse_errno(self->other));
	ASSERT_TRUE(pmd_mapped(self->other));
	install_guards(self->other);
	EXPECT_FALSE(pmd_mapped(self->other));
	EXPECT_TRUE(intact(self->other));
	xmadvise(self->other, PMD_BYTES, MADV_GUARD_INSTALL);
	EXPECT_EQ(PMD_BYTES / 4096, markers_in(self->other, PMD_BYTES));
	EXPECT_EQ('a', self->map[0]);
}

/* The guards are those of a child, the collapse is done by its parent. */
TEST_F(other_mapping, collapse_by_another_process)
{
	int ready[2], go[2], status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		install_guards(self->map);
		if (write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) != 0)
			_exit(2);
		_exit(intact(self->map) ? 0 : 1);
	}
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	EXPECT_EQ(0, collapse_errno(self->other));
	EXPECT_TRUE(pmd_mapped(self->other));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* A child that got its guards by fork() must not lose them either. */
TEST_F(other_mapping, collapse_with_a_forked_guard)
{
	int go[2], status;
	pid_t pid;
	char c;

	install_guards(self->map);
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(2);
		_exit(intact(self->map) ? 0 : 1);
	}
	EXPECT_EQ(0, collapse_errno(self->other));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(intact(self->map));
}

/* A file of a real file system, as programs and libraries are mapped. */
FIXTURE(read_only_file)
{
	char *map;
	char *other;
};

FIXTURE_VARIANT(read_only_file)
{
	int flags;
};

FIXTURE_VARIANT_ADD(read_only_file, private) { .flags = MAP_PRIVATE };
FIXTURE_VARIANT_ADD(read_only_file, shared) { .flags = MAP_SHARED };

static char *map_read_only(int fd, int flags)
{
	char *map = mmap(reserve(PMD_BYTES, PMD_BYTES), PMD_BYTES,
			 PROT_READ | PROT_EXEC, flags | MAP_FIXED, fd, 0);

	if (map == MAP_FAILED)
		err(KSFT_FAIL, "mmap");
	return map;
}

FIXTURE_SETUP(read_only_file)
{
	const char *reason = no_thp();
	char path[] = "guard.XXXXXX";
	char *map;
	int fd;

	if (reason)
		SKIP(return, "%s", reason);
	fd = mkstemp(path);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PMD_BYTES));
	map = backing_map(FILE_SHARED, NULL, PMD_BYTES, fd, 0);
	fill(map);
	xmunmap(map, PMD_BYTES);
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	unlink(path);
	self->map = map_read_only(fd, variant->flags);
	self->other = map_read_only(fd, variant->flags);
	close(fd);
}

FIXTURE_TEARDOWN(read_only_file)
{
}

TEST_F(read_only_file, collapse)
{
	install_guards(self->map);
	if (collapse_errno(self->other) == EINVAL)
		SKIP(return, "no huge pages for files (READ_ONLY_THP_FOR_FS)");
	EXPECT_TRUE(pmd_mapped(self->other));
	EXPECT_TRUE(intact(self->map));
	EXPECT_TRUE(guarded_in_child(self->map));
	EXPECT_NE(0, collapse_errno(self->map));
	EXPECT_TRUE(intact(self->map));
}

FIXTURE(anonymous)
{
	char *map;
};

FIXTURE_SETUP(anonymous)
{
	const char *reason = no_thp();

	if (reason)
		SKIP(return, "%s", reason);
	self->map = map_huge(ANON_PRIVATE, -1);
}

FIXTURE_TEARDOWN(anonymous)
{
}

TEST_F(anonymous, collapse_fails)
{
	xmadvise(self->map, PMD_BYTES, MADV_NOHUGEPAGE);
	fill(self->map);
	xmadvise(self->map, PMD_BYTES, MADV_HUGEPAGE);
	install_guards(self->map);
	EXPECT_NE(0, collapse_errno(self->map));
	EXPECT_TRUE(intact(self->map));

	/* It was the guards that kept it from collapsing. */
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, collapse_errno(self->map));
	EXPECT_TRUE(pmd_mapped(self->map));
}

TEST_F(anonymous, install_over_a_huge_page)
{
	fill(self->map);
	ASSERT_EQ(0, collapse_errno(self->map));
	ASSERT_TRUE(pmd_mapped(self->map));
	install_guards(self->map);
	EXPECT_FALSE(pmd_mapped(self->map));
	EXPECT_TRUE(intact(self->map));
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_INSTALL);
	EXPECT_EQ(PMD_BYTES / 4096, markers_in(self->map, PMD_BYTES));
}

TEST_F(anonymous, install_over_a_whole_huge_page)
{
	fill(self->map);
	ASSERT_EQ(0, collapse_errno(self->map));
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_INSTALL);
	EXPECT_EQ(PMD_BYTES / 4096, markers_in(self->map, PMD_BYTES));
	EXPECT_TRUE(guarded(self->map));
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
	EXPECT_EQ(0, self->map[0]);
}

/* Removing does not touch a huge page. */
TEST_F(anonymous, remove_over_a_huge_page)
{
	fill(self->map);
	ASSERT_EQ(0, collapse_errno(self->map));
	xmadvise(self->map, PMD_BYTES, MADV_GUARD_REMOVE);
	EXPECT_TRUE(pmd_mapped(self->map));
	EXPECT_EQ('b', self->map[4096]);
}

struct setting {
	const char *path;
	const char *value;
	char old[64];
};

/* Lets khugepaged work without pauses, and on what asks for it. */
static struct setting settings[] = {
	{ THP "enabled", "madvise", "" },
	{ THP "shmem_enabled", "advise", "" },
	{ THP "khugepaged/defrag", "1", "" },
	{ THP "khugepaged/scan_sleep_millisecs", "0", "" },
	{ THP "khugepaged/alloc_sleep_millisecs", "10", "" },
	{ THP "khugepaged/pages_to_scan", "100000", "" },
};

static bool set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	ssize_t len = strlen(value);
	bool ok = fd >= 0 && write(fd, value, len) == len;

	close(fd);
	return ok;
}

/* A choice reads as "always [madvise] never". */
static bool get(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY);
	char text[64] = "", *p = text, *end;
	bool ok = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0;

	close(fd);
	if (strchr(text, '['))
		p = strchr(text, '[') + 1;
	end = p + strcspn(p, "]\n");
	snprintf(value, size, "%.*s", (int)(end - p), p);
	return ok;
}

FIXTURE(khugepaged)
{
	bool changed;
};

FIXTURE_SETUP(khugepaged)
{
	const char *reason = no_thp();
	size_t i;

	if (reason)
		SKIP(return, "%s", reason);
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		ASSERT_TRUE(get(settings[i].path, settings[i].old,
				sizeof(settings[i].old)));
	}
	self->changed = true;
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		if (!set(settings[i].path, settings[i].value))
			SKIP(return, "cannot set %s", settings[i].path);
	}
}

FIXTURE_TEARDOWN(khugepaged)
{
	size_t i;

	for (i = 0; self->changed && i < ARRAY_SIZE(settings); i++)
		EXPECT_TRUE(set(settings[i].path, settings[i].old));
}

/* khugepaged has two mappings of a file to choose from, one has guards. */
TEST_F(khugepaged, keeps_guards)
{
	int fd = backing_open(MEMFD_SHARED, PMD_BYTES);
	char *map = map_huge(MEMFD_SHARED, fd);
	char *other = map_huge(MEMFD_SHARED, fd);
	char *anon = map_huge(ANON_PRIVATE, -1);
	int tries;

	fill(other);
	ASSERT_FALSE(pmd_mapped(other));
	fill(anon);
	install_guards(map);
	install_guards(anon);
	xmadvise(map, PMD_BYTES, MADV_HUGEPAGE);
	xmadvise(anon, PMD_BYTES, MADV_HUGEPAGE);
	xmadvise(other, PMD_BYTES, MADV_HUGEPAGE);

	for (tries = 0; tries < 1000 && !pmd_mapped(other); tries++) {
		usleep(100000);
		ASSERT_TRUE(try_read(other));
	}
	EXPECT_TRUE(pmd_mapped(other))
		TH_LOG("khugepaged did nothing in 100 seconds");
	EXPECT_TRUE(intact(map));
	EXPECT_TRUE(intact(anon));
	close(fd);
}

TEST_HARNESS_MAIN
