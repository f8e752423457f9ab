/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C side of mm needs to know of the VMA subsystem in Rust: the flag
 * VM_MAYBE_GUARD and the functions that Rust and C offer each other.
 */
#ifndef _LINUX_RUST_VMA_H
#define _LINUX_RUST_VMA_H

#include <linux/types.h>

struct iovec;
struct seq_file;
struct vm_area_struct;

#ifdef CONFIG_RUST_VMA
/*
 * The VMA may hold guard regions. Set under the mmap write lock and the VMA
 * write lock before the first marker goes in, so that a VMA without the flag
 * holds none.
 */
#define VM_MAYBE_GUARD	0x00000800
#else
#define VM_MAYBE_GUARD	0x00000000
#endif

/*
 * Flags that tell what the page tables of a VMA may hold. They never keep two
 * VMAs from being merged, and what is merged has each flag that either had.
 */
#define VM_STICKY	VM_MAYBE_GUARD

#ifdef CONFIG_RUST_VMA
/* Provided by Rust: mm/rust_vma.rs. */
ssize_t vma_process_madvise(int pidfd, const struct iovec __user *vec, size_t vlen,
			    int behavior, unsigned int flags);
bool vma_needs_copy(struct vm_area_struct *dst_vma, struct vm_area_struct *src_vma);

/* Provided by Rust: fs_proc/smaps.rs. */
void show_smap_vma_flags(struct seq_file *m, struct vm_area_struct *vma);
#endif

#endif /* _LINUX_RUST_VMA_H */
