// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of the lowest level of a page table. pte_t is a struct on one architecture and
 * an integer on another, so that they are passed by pointer.
 */

#include "helpers.h"

/* A marker may carry other bits, such as soft-dirty: ask the swap entry. */
unsigned int rust_helper_pte_read(pte_t *ptep, pte_t *ptentp)
{
	pte_t pte = ptep_get(ptep);
	softleaf_t entry;

	*ptentp = pte;
	if (pte_none(pte))
		return PTE_ENTRY_NONE;
	if (pte_present(pte))
		return PTE_ENTRY_PRESENT;
	entry = softleaf_from_pte(pte);
	if (softleaf_is_swap(entry))
		return PTE_ENTRY_SWAP;
	if (softleaf_is_guard_marker(entry))
		return PTE_ENTRY_GUARD;
	if (softleaf_is_hwpoison(entry) || softleaf_is_poison_marker(entry))
		return PTE_ENTRY_POISONED;
	return PTE_ENTRY_OTHER;
}

/* How many entries from ptep on, of max, come before the first of a page in swap. */
unsigned int rust_helper_ptes_not_swapped(pte_t *ptep, unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		if (softleaf_is_swap(softleaf_from_pte(ptep_get(ptep + n))))
			break;
	}
	return n;
}

void rust_helper_clear_nonpresent_ptes(struct mm_struct *mm, unsigned long addr,
				       pte_t *ptep, unsigned int nr)
{
	clear_nonpresent_ptes(mm, addr, ptep, nr);
}

struct folio *rust_helper_vm_normal_folio_of(struct vm_area_struct *vma,
					     unsigned long addr, const pte_t *pte)
{
	return vm_normal_folio(vma, addr, *pte);
}

bool rust_helper_pte_young(const pte_t *pte)
{
	return pte_young(*pte);
}

bool rust_helper_pte_dirty(const pte_t *pte)
{
	return pte_dirty(*pte);
}

unsigned int rust_helper_folio_pte_batch_young_dirty(struct folio *folio, pte_t *ptep,
						     pte_t *ptentp, unsigned int max_nr)
{
	return folio_pte_batch_flags(folio, NULL, ptep, ptentp, max_nr,
				     FPB_MERGE_YOUNG_DIRTY);
}

void rust_helper_clear_young_ptes(struct vm_area_struct *vma, unsigned long addr,
				  pte_t *ptep, unsigned int nr)
{
	clear_young_dirty_ptes(vma, addr, ptep, nr, CYDP_CLEAR_YOUNG);
}

void rust_helper_clear_young_dirty_ptes(struct vm_area_struct *vma, unsigned long addr,
					pte_t *ptep, unsigned int nr)
{
	clear_young_dirty_ptes(vma, addr, ptep, nr, CYDP_CLEAR_YOUNG | CYDP_CLEAR_DIRTY);
}
