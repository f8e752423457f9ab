/* SPDX-License-Identifier: GPL-2.0 */
/* Linux 6.18: what later kernels have, by its later name. */
#ifndef _RUST_HELPERS_MM_BASE_H
#define _RUST_HELPERS_MM_BASE_H

#include <linux/swapops.h>

/* Whether process_madvise() looks at the advice only when there is a range. */
#define VMA_ADVICE_CHECKED_LATE	1
/* The memory that MADV_DOFORK refuses. */
#define MASK_DOFORK_REFUSES	VM_IO

#define VM_UFFD_RWP	VM_NONE

/* Masks that are no constants in later kernels, or that have no name here. */
#define MASK_COPY_ON_FORK		(VM_PFNMAP | VM_MIXEDMAP | VM_UFFD_WP | VM_MAYBE_GUARD)
#define MASK_DATA_FLAGS_EXEC		VM_DATA_FLAGS_EXEC
#define MASK_DATA_FLAGS_NON_EXEC	VM_DATA_FLAGS_NON_EXEC
#define MASK_NO_KHUGEPAGED		VM_NO_KHUGEPAGED
#define MASK_SPECIAL			VM_SPECIAL
#define MASK_STARTGAP_FLAGS		VM_STARTGAP_FLAGS
#define MASK_STICKY			VM_STICKY

static inline void check_masks(void)
{
}

#ifdef CONFIG_PER_VMA_LOCK
#define VM_REFCNT_EXCLUDE_READERS_FLAG	VMA_LOCK_OFFSET
#endif

typedef struct {
	vm_flags_t flags;
} vma_flags_t;

static inline vma_flags_t legacy_to_vma_flags(vm_flags_t flags)
{
	return (vma_flags_t) { flags };
}

static inline void vma_flags_reset_once(struct vm_area_struct *vma, vma_flags_t *flags)
{
	vm_flags_reset_once(vma, flags->flags);
}

/* hugepage_madvise() has done it. */
static inline void vma_flags_changed(struct vm_area_struct *vma, vm_flags_t flags)
{
}

static inline struct vm_area_struct *base_vma_modify_flags(struct vma_iterator *vmi,
		struct vm_area_struct *prev, struct vm_area_struct *vma,
		unsigned long start, unsigned long end, vma_flags_t *flags)
{
	return vma_modify_flags(vmi, prev, vma, start, end, flags->flags);
}
#define vma_modify_flags base_vma_modify_flags

static inline void zap_vma_range(struct vm_area_struct *vma, unsigned long addr,
				 unsigned long size)
{
	zap_page_range_single(vma, addr, size, NULL);
}

static inline void zap_vma_range_batched(struct mmu_gather *tlb,
		struct vm_area_struct *vma, unsigned long addr, unsigned long size,
		struct zap_details *details)
{
	details->even_cows = true;
	zap_page_range_single_batched(tlb, vma, addr, size, details);
}

static inline void lazy_mmu_mode_enable(void)
{
	arch_enter_lazy_mmu_mode();
}

static inline void lazy_mmu_mode_disable(void)
{
	arch_leave_lazy_mmu_mode();
}

typedef swp_entry_t softleaf_t;

/* As later: an entry that is empty or present has the value zero. */
static inline softleaf_t softleaf_from_pte(pte_t pte)
{
	if (pte_none(pte) || pte_present(pte))
		return (softleaf_t) {};
	return pte_to_swp_entry(pte);
}

static inline bool softleaf_is_swap(softleaf_t entry)
{
	return entry.val && !non_swap_entry(entry);
}

static inline bool softleaf_is_hwpoison(softleaf_t entry)
{
	return is_hwpoison_entry(entry);
}

static inline bool softleaf_is_poison_marker(softleaf_t entry)
{
	return is_poisoned_swp_entry(entry);
}

static inline bool softleaf_is_guard_marker(softleaf_t entry)
{
	return is_guard_swp_entry(entry);
}

static inline bool softleaf_is_uffd_wp_marker(softleaf_t entry)
{
	return pte_marker_entry_uffd_wp(entry);
}

static inline void clear_nonpresent_ptes(struct mm_struct *mm, unsigned long addr,
					 pte_t *ptep, unsigned int nr)
{
	clear_not_present_full_ptes(mm, addr, ptep, nr, 0);
}

static inline void swap_put_entries_direct(swp_entry_t entry, int nr)
{
	free_swap_and_cache_nr(entry, nr);
}

struct swap_io_ctx {
	struct swap_iocb *plug;
};

#ifdef CONFIG_SWAP
static inline struct folio *base_read_swap_cache_async(struct swap_io_ctx *ctx,
		swp_entry_t entry, gfp_t gfp, struct vm_area_struct *vma, unsigned long addr)
{
	return read_swap_cache_async(entry, gfp, vma, addr, &ctx->plug);
}
#define read_swap_cache_async base_read_swap_cache_async

static inline void swap_read_submit(struct swap_io_ctx *ctx)
{
	swap_read_unplug(ctx->plug);
}
#endif

static inline bool file_owner_or_capable(const struct file *file)
{
	return inode_owner_or_capable(&nop_mnt_idmap, file_inode(file));
}

#endif /* _RUST_HELPERS_MM_BASE_H */
