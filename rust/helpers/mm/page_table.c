// SPDX-License-Identifier: GPL-2.0
/* Page tables. */

#include "helpers.h"

pgd_t *rust_helper_pgd_offset(struct mm_struct *mm, unsigned long addr)
{
	return pgd_offset(mm, addr);
}

int rust_helper_pgd_none_or_clear_bad(pgd_t *pgd)
{
	return pgd_none_or_clear_bad(pgd);
}

p4d_t *rust_helper_p4d_alloc(struct mm_struct *mm, pgd_t *pgd, unsigned long addr)
{
	return p4d_alloc(mm, pgd, addr);
}

p4d_t *rust_helper_p4d_offset(pgd_t *pgd, unsigned long addr)
{
	return p4d_offset(pgd, addr);
}

int rust_helper_p4d_none_or_clear_bad(p4d_t *p4d)
{
	return p4d_none_or_clear_bad(p4d);
}

pud_t *rust_helper_pud_alloc(struct mm_struct *mm, p4d_t *p4d, unsigned long addr)
{
	return pud_alloc(mm, p4d, addr);
}

pud_t *rust_helper_pud_offset(p4d_t *p4d, unsigned long addr)
{
	return pud_offset(p4d, addr);
}

unsigned int rust_helper_pud_kind(pud_t *pudp)
{
	pud_t pud = pudp_get(pudp);

	if (pud_none(pud))
		return TABLE_ENTRY_NONE;
	return pud_leaf(pud) || !pud_present(pud) ? TABLE_ENTRY_HUGE : TABLE_ENTRY_TABLE;
}

pmd_t *rust_helper_pmd_alloc(struct mm_struct *mm, pud_t *pud, unsigned long addr)
{
	return pmd_alloc(mm, pud, addr);
}

pmd_t *rust_helper_pmd_offset(pud_t *pud, unsigned long addr)
{
	return pmd_offset(pud, addr);
}

unsigned int rust_helper_pmd_kind(pmd_t *pmdp)
{
	pmd_t pmd = pmdp_get_lockless(pmdp);

	if (pmd_none(pmd))
		return TABLE_ENTRY_NONE;
	return pmd_leaf(pmd) || !pmd_present(pmd) ? TABLE_ENTRY_HUGE : TABLE_ENTRY_TABLE;
}

int rust_helper_pte_alloc(struct mm_struct *mm, pmd_t *pmd)
{
	return pte_alloc(mm, pmd);
}

unsigned long rust_helper_pgd_addr_end(unsigned long addr, unsigned long end)
{
	return pgd_addr_end(addr, end);
}

unsigned long rust_helper_p4d_addr_end(unsigned long addr, unsigned long end)
{
	return p4d_addr_end(addr, end);
}

unsigned long rust_helper_pud_addr_end(unsigned long addr, unsigned long end)
{
	return pud_addr_end(addr, end);
}

unsigned long rust_helper_pmd_addr_end(unsigned long addr, unsigned long end)
{
	return pmd_addr_end(addr, end);
}

unsigned long rust_helper_pmd_size(void)
{
	return PMD_SIZE;
}

pte_t *rust_helper_pte_offset_map_lock(struct mm_struct *mm, pmd_t *pmd,
				       unsigned long addr, spinlock_t **ptlp)
{
	return pte_offset_map_lock(mm, pmd, addr, ptlp);
}

void rust_helper_pte_unmap_unlock(pte_t *ptep, spinlock_t *ptl)
{
	pte_unmap_unlock(ptep, ptl);
}

void rust_helper_lazy_mmu_mode_enable(void)
{
	lazy_mmu_mode_enable();
}

void rust_helper_lazy_mmu_mode_disable(void)
{
	lazy_mmu_mode_disable();
}

#ifndef CONFIG_ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH
void rust_helper_flush_tlb_batched_pending(struct mm_struct *mm)
{
	flush_tlb_batched_pending(mm);
}
#endif
