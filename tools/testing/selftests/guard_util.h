/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GUARD_UTIL_H
#define GUARD_UTIL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

/* For what hangs only: a guest may be slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1200

#define RW		(PROT_READ | PROT_WRITE)
#define PMD_BYTES	(2UL << 20)
/* Of memory that a call works on for long: with pages in it, and without. */
#define POPULATED_BYTES	(64UL << 20)
#define LARGE_BYTES	(sizeof(long) == 8 ? 4UL << 30 : 1UL << 30)

/* In guard_kb of a mapping that lacks the line. */
#define NO_LINE		ULONG_MAX

/* One mapping as /proc/PID/smaps shows it. */
struct vma {
	unsigned long start;
	unsigned long end;
	unsigned long anon_huge_kb;
	unsigned long shmem_pmd_kb;
	unsigned long file_pmd_kb;
	unsigned long guard_kb;
	char name[64];
	char flags[256];
};

/* The FILE ones are files in the current directory. */
enum backing {
	ANON_PRIVATE,
	ANON_SHARED,
	MEMFD_PRIVATE,
	MEMFD_SHARED,
	FILE_PRIVATE,
	FILE_SHARED,
	DEVZERO_PRIVATE,
	SYSV_SHARED,
};

/*
 * A helper that meets an error which is not the subject of a test ends the
 * test program with a message and KSFT_FAIL.
 */
size_t page_size(void);

bool for_each_vma(pid_t pid, bool (*visit)(const struct vma *vma, void *data),
		  void *data);
bool vma_find(const void *addr, struct vma *vma);
bool vma_find_named(const char *name, struct vma *vma);
int vma_count(const void *start, size_t len);
bool vma_has_flag(const void *addr, const char *flag);
bool vma_has_gu(const void *addr);

bool marker_at(const void *addr);
bool present_at(const void *addr);
size_t markers_in(const void *start, size_t len);
size_t present_in(const void *start, size_t len);
size_t soft_dirty_in(const void *start, size_t len);

bool try_read(const void *addr);
bool try_write(void *addr);
bool guarded(void *addr);
bool guarded_in_child(void *addr);

bool backing_is_file(enum backing backing);
bool backing_is_shared(enum backing backing);
int backing_open(enum backing backing, size_t len);
char *backing_map(enum backing backing, void *fixed, size_t len, int fd,
		  size_t offset);

char *reserve(size_t len, size_t align);
char *map_large(void *fixed, size_t len);
void xmprotect(void *addr, size_t len, int prot);
void xmunmap(void *addr, size_t len);
void xmadvise(void *addr, size_t len, int advice);
int madvise_errno(const void *addr, size_t len, int advice);
int name_errno(void *addr, size_t len, const char *name);

bool trace_start(const char *event, const char *filter);
size_t trace_stop(const char *event, const char *text);

#endif
