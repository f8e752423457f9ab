/* SPDX-License-Identifier: GPL-2.0 */
/* What bindgen and the helpers see of mm, and what the helpers return to Rust. */
#ifndef _RUST_HELPERS_MM_HELPERS_H
#define _RUST_HELPERS_MM_HELPERS_H

#include <linux/blkdev.h>
#include <linux/capability.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/khugepaged.h>
#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mman.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_context.h>
#include <linux/mmu_notifier.h>
#include <linux/page_idle.h>
#include <linux/pagemap.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/pid.h>
#include <linux/pkeys.h>
#include <linux/ptrace.h>
#include <linux/rmap.h>
#include <linux/rust_vma.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/unroll.h>
#include <linux/userfaultfd_k.h>
#include <asm/tlbflush.h>

#if defined(CONFIG_X86) && defined(MODULE)
/* bindgen reads headers as a module would, which hides what <asm/tlb.h> uses. */
void flush_tlb_mm_range(struct mm_struct *mm, unsigned long start, unsigned long end,
			unsigned int stride_shift, bool freed_tables);
#endif

#include <asm/tlb.h>
#include <../mm/internal.h>
#include <../mm/swap.h>

/* That of the kernel's version: see mm/Kbuild. */
#include "base.h"

/* What an entry above the lowest level of a page table is. */
enum {
	TABLE_ENTRY_NONE,	/* Empty. */
	TABLE_ENTRY_TABLE,	/* Refers to a table of the next level. */
	TABLE_ENTRY_HUGE,	/* Maps memory itself, or did until it is moved. */
};

/* What an entry of the lowest level of a page table is. */
enum {
	PTE_ENTRY_NONE,		/* Empty. */
	PTE_ENTRY_PRESENT,	/* Maps a page frame. */
	PTE_ENTRY_SWAP,		/* Refers to memory in swap. */
	PTE_ENTRY_GUARD,	/* A guard marker. */
	PTE_ENTRY_POISONED,	/* Stands for memory that was lost. */
	PTE_ENTRY_OTHER,	/* Under migration, of a device, or another marker. */
};

#endif /* _RUST_HELPERS_MM_HELPERS_H */
