// SPDX-License-Identifier: GPL-2.0
/*
 * Guards and vacant entries, in runs. Neither is present: to replace one with the other
 * changes no count of pages, and nothing that a TLB has. So this needs less than
 * set_pte_at(), which is made for all that an entry can be.
 */

#include "helpers.h"

/*
 * With two levels of tables 32-bit ARM has a second word for the hardware, which is zero
 * where an entry is not present.
 */
#if defined(CONFIG_ARM) && !defined(CONFIG_ARM_LPAE)
#define PTE_HAS_HARDWARE_WORD
#endif

/*
 * Whether to replace one entry that is not present with another is to write a word and
 * no more. Compilers copy a pte_t that is a struct by way of the stack; so it is a number
 * here.
 */
#if defined(CONFIG_ARM64) || (defined(CONFIG_X86_64) && !defined(CONFIG_PARAVIRT_XXL)) || \
	defined(PTE_HAS_HARDWARE_WORD)
#define PTE_IS_WORD

static pteval_t get_word(const pte_t *ptep)
{
	static_assert(sizeof(pteval_t) == sizeof(pte_t));
	return READ_ONCE(*(const pteval_t *)ptep);
}
#endif

static void set_not_present(struct mm_struct *mm, unsigned long addr, pte_t *ptep,
			    pte_t pte, unsigned int nr)
{
	unrolled_count(8)
	for (unsigned int i = 0; i < nr; i++) {
#if defined(PTE_IS_WORD)
		WRITE_ONCE(*(pteval_t *)(ptep + i), pte_val(pte));
#elif defined(CONFIG_ARM)
		set_pte_ext(ptep + i, pte, 0);
#else
		if (pte_none(pte))
			pte_clear(mm, addr + i * PAGE_SIZE, ptep + i);
		else
			set_pte_at(mm, addr + i * PAGE_SIZE, ptep + i, pte);
#endif
	}
}

/*
 * A processor that does not look into its cache when it walks page tables must find the
 * words for the hardware in memory. Nobody else may have cleaned those of a new table
 * in high memory.
 */
static void clean_hardware_words(pte_t *ptep, unsigned int nr)
{
#ifdef PTE_HAS_HARDWARE_WORD
	unsigned long start = (unsigned long)(ptep + PTE_HWTABLE_PTRS);
	unsigned long end = start + nr * sizeof(pte_t);

	/* It goes from line to line, and counts from where it begins. */
	start = round_down(start, L1_CACHE_BYTES);
	clean_dcache_area((void *)start, end - start);
#endif
}

/* A marker may carry other bits, such as soft-dirty: ask the swap entry. */
static bool pte_is_guard(pte_t pte)
{
	return softleaf_is_guard_marker(softleaf_from_pte(pte));
}

static bool entry_is_guard(pte_t *ptep)
{
#ifdef PTE_IS_WORD
	/* Most markers carry no other bits. */
	if (get_word(ptep) == pte_val(make_pte_marker(PTE_MARKER_GUARD)))
		return true;
#endif
	return pte_is_guard(ptep_get(ptep));
}

/* How many entries from ptep on, of max, are empty, as far as that is seen in steps of 8. */
static unsigned int ptes_none_by_8(pte_t *ptep, unsigned int max)
{
	unsigned int n = 0;

#ifdef PTE_IS_WORD
	/* Empty is what has none of some bits. */
	for (; n + 8 <= max; n += 8) {
		pteval_t all = 0;

		unrolled_full
		for (unsigned int i = 0; i < 8; i++)
			all |= get_word(ptep + n + i);
		if (!pte_none(__pte(all)))
			break;
	}
#endif
	return n;
}

/*
 * How many entries from ptep on, of max, hold no memory: they are empty, or mark memory
 * that is not there as protected from writes by userfaultfd.
 */
unsigned int rust_helper_ptes_vacant(pte_t *ptep, unsigned int max)
{
	unsigned int n;

	for (n = ptes_none_by_8(ptep, max); n < max; n++) {
		pte_t pte = ptep_get(ptep + n);
		softleaf_t entry = softleaf_from_pte(pte);

		if (!pte_none(pte) &&
		    (!softleaf_is_uffd_wp_marker(entry) || softleaf_is_guard_marker(entry)))
			break;
	}
	return n;
}

/* How many entries from ptep on, of max, come before the first guard marker. */
unsigned int rust_helper_ptes_not_guard(pte_t *ptep, unsigned int max)
{
	unsigned int n;

	for (n = ptes_none_by_8(ptep, max); n < max; n++) {
		if (pte_is_guard(ptep_get(ptep + n)))
			break;
	}
	return n;
}

/* How many entries from ptep on, of max, are guard markers. */
unsigned int rust_helper_ptes_guard(pte_t *ptep, unsigned int max)
{
	unsigned int n = 0;

#ifdef PTE_IS_WORD
	const pteval_t guard = pte_val(make_pte_marker(PTE_MARKER_GUARD));

	for (; n + 8 <= max; n += 8) {
		pteval_t differ = 0;

		unrolled_full
		for (unsigned int i = 0; i < 8; i++)
			differ |= get_word(ptep + n + i) ^ guard;
		if (differ)
			break;
	}
#endif
	while (n < max && entry_is_guard(ptep + n))
		n++;
	return n;
}

void rust_helper_ptes_install_guard(struct vm_area_struct *vma, unsigned long addr,
				    pte_t *ptep, unsigned int nr)
{
	set_not_present(vma->vm_mm, addr, ptep, make_pte_marker(PTE_MARKER_GUARD), nr);
	clean_hardware_words(ptep, nr);
	update_mmu_cache_range(NULL, vma, addr, ptep, nr);
	mm_guards_added(vma->vm_mm);
}

void rust_helper_ptes_clear_guard(struct vm_area_struct *vma, unsigned long addr,
				  pte_t *ptep, unsigned int nr)
{
	set_not_present(vma->vm_mm, addr, ptep, __pte(0), nr);
	update_mmu_cache_range(NULL, vma, addr, ptep, nr);
}

/*
 * Puts a table that is full of guards, for addr on, in the place of none. Returns
 * -ENOMEM, or -EAGAIN when there is something by now.
 */
int rust_helper_pte_alloc_guards(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
#if defined(PTE_IS_WORD) && !defined(PTE_HAS_HARDWARE_WORD)
	/* Every word is written below. */
	pgtable_t table = __pte_alloc_one(mm, GFP_PGTABLE_USER & ~__GFP_ZERO);
#else
	pgtable_t table = pte_alloc_one(mm);
#endif
	pte_t *ptep;

	if (!table)
		return -ENOMEM;
	ptep = kmap_local_page(table);
	set_not_present(mm, addr, ptep, make_pte_marker(PTE_MARKER_GUARD), PTRS_PER_PTE);
	clean_hardware_words(ptep, PTRS_PER_PTE);
	kunmap_local(ptep);
	pmd_install(mm, pmd, &table);
	if (!table) {
		mm_guards_added(mm);
		return 0;
	}
	pte_free(mm, table);
	return -EAGAIN;
}
