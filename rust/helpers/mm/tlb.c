// SPDX-License-Identifier: GPL-2.0
/* TLB and secondary MMUs. */

#include "helpers.h"

void rust_helper_tlb_start_vma(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	tlb_start_vma(tlb, vma);
}

void rust_helper_tlb_end_vma(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	tlb_end_vma(tlb, vma);
}

void rust_helper_zap_vma_range(struct vm_area_struct *vma, unsigned long addr,
			       unsigned long size)
{
	zap_vma_range(vma, addr, size);
}

void rust_helper_zap_vma_range_batched(struct mmu_gather *tlb, struct vm_area_struct *vma,
				       unsigned long addr, unsigned long size)
{
	struct zap_details details = { .reclaim_pt = true };

	zap_vma_range_batched(tlb, vma, addr, size, &details);
}

void rust_helper_tlb_change_page_size(struct mmu_gather *tlb, unsigned int page_size)
{
	tlb_change_page_size(tlb, page_size);
}

void rust_helper_tlb_remove_tlb_entries(struct mmu_gather *tlb, pte_t *ptep,
					unsigned int nr, unsigned long addr)
{
	tlb_remove_tlb_entries(tlb, ptep, nr, addr);
}

void rust_helper_mmu_notifier_range_init_clear(struct mmu_notifier_range *range,
					       struct mm_struct *mm,
					       unsigned long start, unsigned long end)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
}

void rust_helper_mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_start(range);
}

void rust_helper_mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_end(range);
}
