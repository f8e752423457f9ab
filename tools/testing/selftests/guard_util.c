// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/prctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "guard_util.h"

#define PM_SOFT_DIRTY	(1ULL << 55)
#define PM_GUARD_REGION	(1ULL << 58)
#define PM_PRESENT	(1ULL << 63)
#define TRACING		"/sys/kernel/tracing/"

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

/* Reads the number of a line "KEY: NUMBER kB". */
static void read_kb(const char *line, const char *key, unsigned long *kb)
{
	size_t len = strlen(key);

	if (!strncmp(line, key, len))
		*kb = strtoul(line + len, NULL, 10);
}

/* Calls visit() for every mapping until it returns true. */
bool for_each_vma(pid_t pid, bool (*visit)(const struct vma *vma, void *data),
		  void *data)
{
	struct vma vma = { 0 };
	bool found = false;
	char *line = NULL;
	size_t size = 0;
	char path[32];
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "r");
	if (!smaps)
		err(KSFT_FAIL, "%s", path);

	while (!found && getline(&line, &size, smaps) > 0) {
		struct vma next = { .guard_kb = NO_LINE };

		line[strcspn(line, "\n")] = '\0';
		/* A mapping may have no name. */
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63[^\n]",
			   &next.start, &next.end, next.name) >= 2) {
			vma = next;
		} else if (!strncmp(line, "VmFlags: ", 9)) {
			snprintf(vma.flags, sizeof(vma.flags), "%s", line + 9);
			found = visit(&vma, data);
		} else {
			read_kb(line, "AnonHugePages:", &vma.anon_huge_kb);
			read_kb(line, "ShmemPmdMapped:", &vma.shmem_pmd_kb);
			read_kb(line, "FilePmdMapped:", &vma.file_pmd_kb);
			read_kb(line, "Guard:", &vma.guard_kb);
		}
	}
	if (!vma.flags[0])
		errx(KSFT_FAIL, "%s has no VmFlags line", path);
	free(line);
	fclose(smaps);
	return found;
}

struct find {
	unsigned long addr;
	const char *name;
	struct vma *vma;
};

static bool has_address(const struct vma *vma, void *data)
{
	struct find *find = data;

	if (find->addr < vma->start || find->addr >= vma->end)
		return false;
	*find->vma = *vma;
	return true;
}

bool vma_find(const void *addr, struct vma *vma)
{
	struct find find = { .addr = (unsigned long)addr, .vma = vma };

	return for_each_vma(getpid(), has_address, &find);
}

static bool has_name(const struct vma *vma, void *data)
{
	struct find *find = data;

	if (strcmp(vma->name, find->name))
		return false;
	*find->vma = *vma;
	return true;
}

bool vma_find_named(const char *name, struct vma *vma)
{
	struct find find = { .name = name, .vma = vma };

	return for_each_vma(getpid(), has_name, &find);
}

struct count {
	unsigned long start;
	unsigned long end;
	int vmas;
};

static bool count_overlap(const struct vma *vma, void *data)
{
	struct count *count = data;

	if (vma->start < count->end && vma->end > count->start)
		count->vmas++;
	return false;
}

/* The number of mappings that overlap the range. */
int vma_count(const void *start, size_t len)
{
	struct count count = {
		.start = (unsigned long)start,
		.end = (unsigned long)start + len,
	};

	for_each_vma(getpid(), count_overlap, &count);
	return count.vmas;
}

/* Each flag in a VmFlags line has two letters and a space after it. */
bool vma_has_flag(const void *addr, const char *flag)
{
	struct vma vma;
	char *p;

	if (!vma_find(addr, &vma))
		errx(KSFT_FAIL, "no mapping at %p", addr);
	for (p = vma.flags; strlen(p) >= 2; p += 3) {
		if (!strncmp(p, flag, 2))
			return true;
	}
	return false;
}

bool vma_has_gu(const void *addr)
{
	return vma_has_flag(addr, "gu");
}

/* The number of pages of the range that have a bit in pagemap. */
static size_t count_pages(const void *start, size_t len, uint64_t bit)
{
	size_t pages = len / page_size(), found = 0, i;
	uint64_t *entries = calloc(pages, sizeof(*entries));
	off_t offset = (uintptr_t)start / page_size() * sizeof(*entries);
	ssize_t bytes = pages * sizeof(*entries);
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (!entries || fd < 0 || pread(fd, entries, bytes, offset) != bytes)
		err(KSFT_FAIL, "/proc/self/pagemap");
	for (i = 0; i < pages; i++)
		found += !!(entries[i] & bit);
	close(fd);
	free(entries);
	return found;
}

/* The number of guard markers in the page tables of the range. */
size_t markers_in(const void *start, size_t len)
{
	return count_pages(start, len, PM_GUARD_REGION);
}

size_t present_in(const void *start, size_t len)
{
	return count_pages(start, len, PM_PRESENT);
}

size_t soft_dirty_in(const void *start, size_t len)
{
	return count_pages(start, len, PM_SOFT_DIRTY);
}

bool marker_at(const void *addr)
{
	return markers_in(addr, page_size()) == 1;
}

bool present_at(const void *addr)
{
	return present_in(addr, page_size()) == 1;
}

static __thread volatile sig_atomic_t touching;
static __thread sigjmp_buf touch_env;

static void on_segv(int sig)
{
	if (touching)
		siglongjmp(touch_env, 1);
	signal(sig, SIG_DFL);
}

static bool touch(volatile char *p, bool write)
{
	const struct sigaction action = {
		.sa_handler = on_segv,
		.sa_flags = SA_NODEFER,
	};
	bool ok = false;

	if (sigaction(SIGSEGV, &action, NULL))
		err(KSFT_FAIL, "sigaction");
	touching = true;
	if (!sigsetjmp(touch_env, 1)) {
		if (write)
			*p = 'w';
		else
			(void)*p;
		ok = true;
	}
	touching = false;
	return ok;
}

bool try_read(const void *addr)
{
	return touch((volatile char *)addr, false);
}

bool try_write(void *addr)
{
	return touch(addr, true);
}

/* A guard has a marker in the page table, and no access gets past it. */
bool guarded(void *addr)
{
	return marker_at(addr) && !try_read(addr) && !try_write(addr);
}

/* True if a new child is stopped by a guard at the same address. */
bool guarded_in_child(void *addr)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(KSFT_FAIL, "fork");
	if (!pid)
		_exit(guarded(addr) ? 0 : 1);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) > 1)
		errx(KSFT_FAIL, "child ended with status %#x", status);
	return !WEXITSTATUS(status);
}

bool backing_is_file(enum backing backing)
{
	return backing != ANON_PRIVATE && backing != DEVZERO_PRIVATE;
}

bool backing_is_shared(enum backing backing)
{
	return backing == ANON_SHARED || backing == MEMFD_SHARED ||
	       backing == FILE_SHARED || backing == SYSV_SHARED;
}

/* The descriptor to map, -1 for a backing without one. */
int backing_open(enum backing backing, size_t len)
{
	char path[] = "guard.XXXXXX";
	int fd;

	switch (backing) {
	case MEMFD_PRIVATE:
	case MEMFD_SHARED:
		fd = memfd_create("guard", 0);
		break;
	case FILE_PRIVATE:
	case FILE_SHARED:
		fd = mkstemp(path);
		unlink(path);
		break;
	case DEVZERO_PRIVATE:
		fd = open("/dev/zero", O_RDWR);
		if (fd < 0)
			err(KSFT_FAIL, "/dev/zero");
		return fd;
	default:
		return -1;
	}
	if (fd < 0 || ftruncate(fd, len))
		err(KSFT_FAIL, "cannot make a file of %zu bytes", len);
	return fd;
}

static char *sysv_map(size_t len)
{
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
	void *map;

	if (id < 0)
		err(KSFT_FAIL, "shmget");
	map = shmat(id, NULL, 0);
	if (map == (void *)-1 || shmctl(id, IPC_RMID, NULL))
		err(KSFT_FAIL, "shmat");
	return map;
}

/* Maps readable and writable; at the address "fixed" if that is not NULL. */
char *backing_map(enum backing backing, void *fixed, size_t len, int fd,
		  size_t offset)
{
	int flags = backing_is_shared(backing) ? MAP_SHARED : MAP_PRIVATE;
	char *map;

	if (backing == SYSV_SHARED)
		return sysv_map(len);
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	if (fixed)
		flags |= MAP_FIXED;
	map = mmap(fixed, len, RW, flags, fd, fd < 0 ? 0 : offset);
	if (map == MAP_FAILED)
		err(KSFT_FAIL, "mmap");
	return map;
}

/* Address space that no neighbour of the test can merge with. */
char *reserve(size_t len, size_t align)
{
	char *map = mmap(NULL, len + align, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		err(KSFT_FAIL, "mmap of %zu bytes", len + align);
	return map + -(uintptr_t)map % align;
}

/* Private memory of small pages, which may be more than the machine has. */
char *map_large(void *fixed, size_t len)
{
	char *map = mmap(fixed, len, RW, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (map == MAP_FAILED)
		err(KSFT_FAIL, "mmap of %zu bytes", len);
	/* There may be no huge pages at all. */
	madvise(map, len, MADV_NOHUGEPAGE);
	return map;
}

void xmprotect(void *addr, size_t len, int prot)
{
	if (mprotect(addr, len, prot))
		err(KSFT_FAIL, "mprotect");
}

void xmunmap(void *addr, size_t len)
{
	if (munmap(addr, len))
		err(KSFT_FAIL, "munmap");
}

void xmadvise(void *addr, size_t len, int advice)
{
	if (madvise(addr, len, advice))
		err(KSFT_FAIL, "madvise(%d)", advice);
}

int madvise_errno(const void *addr, size_t len, int advice)
{
	return madvise((void *)addr, len, advice) ? errno : 0;
}

int name_errno(void *addr, size_t len, const char *name)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, (unsigned long)addr,
		     (unsigned long)len, (unsigned long)name) ? errno : 0;
}

static bool trace_write(const char *event, const char *file, const char *text)
{
	char path[128];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), TRACING "%s%s", event, file);
	fd = open(path, O_WRONLY | O_TRUNC);
	ok = fd >= 0 && write(fd, text, strlen(text)) > 0;
	close(fd);
	return ok;
}

/* Lets the kernel note an event, such as "events/a/b/"; false if it cannot. */
bool trace_start(const char *event, const char *filter)
{
	trace_write("", "trace", "\n");
	return trace_write(event, "filter", filter) &&
	       trace_write(event, "enable", "1");
}

/* The number of notes that have "text" in them. */
size_t trace_stop(const char *event, const char *text)
{
	size_t size = 0, count = 0;
	char *line = NULL;
	FILE *trace;

	trace_write(event, "enable", "0");
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		err(KSFT_FAIL, TRACING "trace");
	while (getline(&line, &size, trace) > 0)
		count += line[0] != '#' && strstr(line, text);
	free(line);
	fclose(trace);
	return count;
}
