// SPDX-License-Identifier: GPL-2.0
/* Entries above the lowest level of a page table that map memory themselves. */

#include "helpers.h"

void rust_helper_split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
				unsigned long addr)
{
	split_huge_pud(vma, pud, addr);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
spinlock_t *rust_helper_pmd_trans_huge_lock(pmd_t *pmd, struct vm_area_struct *vma)
{
	return pmd_trans_huge_lock(pmd, vma);
}

void rust_helper_spin_unlock_ptl(spinlock_t *ptl)
{
	spin_unlock(ptl);
}

struct folio *rust_helper_huge_pmd_folio(struct vm_area_struct *vma, unsigned long addr,
					 pmd_t *pmd)
{
	return pmd_present(*pmd) ? vm_normal_folio_pmd(vma, addr, *pmd) : NULL;
}

bool rust_helper_huge_pmd_young(pmd_t *pmd)
{
	return pmd_present(*pmd) && pmd_young(*pmd);
}

void rust_helper_huge_pmd_mkold(struct mmu_gather *tlb, struct vm_area_struct *vma,
				unsigned long addr, pmd_t *pmdp)
{
	addr &= HPAGE_PMD_MASK;
	pmdp_test_and_clear_young(vma, addr, pmdp);
	tlb_remove_pmd_tlb_entry(tlb, pmdp, addr);
}
#endif
