/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMA subsystem in Rust, for C: the functions that Rust and C offer each
 * other.
 */
#ifndef _LINUX_RUST_VMA_H
#define _LINUX_RUST_VMA_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/types.h>

struct iovec;
struct seq_file;
struct vm_area_struct;

#ifdef CONFIG_RUST_VMA
/* Provided by Rust: mm/rust_vma.rs. */

/**
 * vma_process_madvise() - apply advice to ranges of a process's memory
 * @pidfd: The process.
 * @vec: The ranges, as addresses in that process.
 * @vlen: How many ranges there are.
 * @behavior: The advice: MADV_*.
 * @flags: Must be zero.
 *
 * Context: A thread of userspace that holds no lock. May sleep.
 * Return: The number of bytes that were processed, or a negative errno when
 * there are none.
 */
ssize_t vma_process_madvise(int pidfd, const struct iovec __user *vec, size_t vlen,
			    int behavior, unsigned int flags);

/**
 * vma_needs_copy() - decide whether fork() copies the page tables of a VMA
 * @dst_vma: The copy, in the child.
 * @src_vma: The VMA of the parent.
 *
 * Context: Both mmap locks are held for writing.
 * Return: false if page faults in the child bring back all that the page
 * tables of @src_vma hold.
 */
bool vma_needs_copy(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma);

/**
 * mm_guards_added() - note that page tables have got guard markers
 * @mm: The address space.
 *
 * There are no markers in a range for certain when mm_struct::guard_seq has one
 * value before all markers of the range are removed, and still has it under the
 * locks that keep others from adding some.
 *
 * Context: The lock under which the markers were added is still held.
 */
static inline void mm_guards_added(struct mm_struct *mm)
{
	atomic_long_fetch_inc_release(&mm->guard_seq);
}

/* Provided by Rust: fs_proc/smaps.rs. */

/**
 * show_smap_vm_flags() - print the VmFlags line of /proc/PID/smaps
 * @m: The file.
 * @vm_flags: The flags of a VMA.
 */
void show_smap_vm_flags(struct seq_file *m, vm_flags_t vm_flags);

/**
 * show_smap_guard() - print the Guard line of /proc/PID/smaps
 * @m: The file.
 * @size: The size of the VMA's guard regions, in bytes.
 */
void show_smap_guard(struct seq_file *m, unsigned long size);
#else
static inline void mm_guards_added(struct mm_struct *mm)
{
}

static inline void show_smap_guard(struct seq_file *m, unsigned long size)
{
}
#endif

#endif /* _LINUX_RUST_VMA_H */
