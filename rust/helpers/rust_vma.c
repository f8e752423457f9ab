// SPDX-License-Identifier: GPL-2.0
/* Inline functions and macros of mm that the VMA subsystem in Rust calls. */

#include "rust_vma.h"

/* Locks and VMAs. */

int rust_helper_mmap_write_lock_killable(struct mm_struct *mm)
{
	return mmap_write_lock_killable(mm);
}

void rust_helper_mmap_write_unlock(struct mm_struct *mm)
{
	mmap_write_unlock(mm);
}

void rust_helper_mmap_assert_locked(const struct mm_struct *mm)
{
	mmap_assert_locked(mm);
}

void rust_helper_mmap_assert_write_locked(const struct mm_struct *mm)
{
	mmap_assert_write_locked(mm);
}

void rust_helper_mmap_write_downgrade(struct mm_struct *mm)
{
	mmap_write_downgrade(mm);
}

/* Whether a writer waits for the VMA lock, or anyone for the mmap lock. */
bool rust_helper_vma_lock_is_contended(struct vm_area_struct *vma)
{
#ifdef CONFIG_PER_VMA_LOCK
	if (refcount_read(&vma->vm_refcnt) & VMA_LOCK_OFFSET)
		return true;
#endif
	return mmap_lock_is_contended(vma->vm_mm);
}

unsigned long rust_helper_mm_guard_seq(struct mm_struct *mm)
{
	return atomic_long_read_acquire(&mm->guard_seq);
}

void rust_helper_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

void rust_helper_vm_flags_reset_once(struct vm_area_struct *vma, vm_flags_t flags)
{
	vm_flags_reset_once(vma, flags);
}

void rust_helper_vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vm_flags_clear(vma, flags);
}

void rust_helper_vm_flags_reset(struct vm_area_struct *vma, vm_flags_t flags)
{
	vm_flags_reset(vma, flags);
}

void rust_helper_vma_assert_locked(struct vm_area_struct *vma)
{
	vma_assert_locked(vma);
}

int rust_helper_rwsem_is_locked(struct rw_semaphore *sem)
{
	return rwsem_is_locked(sem);
}

void rust_helper_vma_iter_init(struct vma_iterator *vmi, struct mm_struct *mm,
			       unsigned long addr)
{
	vma_iter_init(vmi, mm, addr);
}

struct vm_area_struct *rust_helper_vma_find(struct vma_iterator *vmi, unsigned long max)
{
	return vma_find(vmi, max);
}

struct vm_area_struct *rust_helper_vma_prev(struct vma_iterator *vmi)
{
	return vma_prev(vmi);
}

bool rust_helper_userfaultfd_armed(struct vm_area_struct *vma)
{
	return userfaultfd_armed(vma);
}

#ifndef CONFIG_USERFAULTFD
bool rust_helper_userfaultfd_remove(struct vm_area_struct *vma,
				    unsigned long start, unsigned long end)
{
	return userfaultfd_remove(vma, start, end);
}
#endif

unsigned long rust_helper_vma_huge_page_size(struct vm_area_struct *vma)
{
	return huge_page_size(hstate_vma(vma));
}

#ifndef CONFIG_SHMEM
bool rust_helper_vma_is_anon_shmem(const struct vm_area_struct *vma)
{
	return vma_is_anon_shmem(vma);
}
#endif

int rust_helper_anon_vma_prepare(struct vm_area_struct *vma)
{
	return anon_vma_prepare(vma);
}

bool rust_helper_arch_vma_access_permitted(struct vm_area_struct *vma, bool write,
					   bool execute, bool foreign)
{
	return arch_vma_access_permitted(vma, write, execute, foreign);
}

/* Names of anonymous VMAs. */

#ifdef CONFIG_ANON_VMA_NAME
void rust_helper_anon_vma_name_get(struct anon_vma_name *name)
{
	anon_vma_name_get(name);
}

void rust_helper_anon_vma_name_put(struct anon_vma_name *name)
{
	anon_vma_name_put(name);
}

struct anon_vma_name *rust_helper_anon_vma_name_reuse(struct anon_vma_name *name)
{
	return anon_vma_name_reuse(name);
}

bool rust_helper_anon_vma_name_eq(struct anon_vma_name *a, struct anon_vma_name *b)
{
	return anon_vma_name_eq(a, b);
}

void rust_helper_kref_init(struct kref *kref)
{
	kref_init(kref);
}
#endif

/* Files. */

bool rust_helper_IS_DAX(const struct inode *inode)
{
	return IS_DAX(inode);
}

int rust_helper_file_permission(struct file *file, int mask)
{
	return file_permission(file, mask);
}

gfp_t rust_helper_mapping_gfp_mask(const struct address_space *mapping)
{
	return mapping_gfp_mask(mapping);
}

#ifndef CONFIG_SHMEM
bool rust_helper_shmem_mapping(const struct address_space *mapping)
{
	return shmem_mapping(mapping);
}
#endif

/* The system call. */

#ifndef CONFIG_MULTIUSER
bool rust_helper_capable(int cap)
{
	return capable(cap);
}
#endif

#ifndef CONFIG_BLOCK
void rust_helper_blk_start_plug(struct blk_plug *plug)
{
	blk_start_plug(plug);
}

void rust_helper_blk_finish_plug(struct blk_plug *plug)
{
	blk_finish_plug(plug);
}
#endif

bool rust_helper_need_resched(void)
{
	return need_resched();
}

void rust_helper_cond_resched(void)
{
	cond_resched();
}

unsigned long rust_helper_untagged_addr(unsigned long addr)
{
	return untagged_addr(addr);
}

unsigned long rust_helper_untagged_addr_remote(struct mm_struct *mm, unsigned long addr)
{
	return untagged_addr_remote(mm, addr);
}

int rust_helper_restart_syscall(void)
{
	return restart_syscall();
}

int rust_helper_fatal_signal_pending(struct task_struct *task)
{
	return fatal_signal_pending(task);
}

size_t rust_helper_iov_iter_count(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}

unsigned long rust_helper_iter_iov_addr(const struct iov_iter *iter)
{
	return (unsigned long)iter_iov_addr(iter);
}

size_t rust_helper_iter_iov_len(const struct iov_iter *iter)
{
	return iter_iov_len(iter);
}

/* Page tables above the lowest level. */

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
	pmd_t pmd = *pmdp;

	addr &= HPAGE_PMD_MASK;
	pmdp_invalidate(vma, addr, pmdp);
	set_pmd_at(tlb->mm, addr, pmdp, pmd_mkold(pmd));
	tlb_remove_pmd_tlb_entry(tlb, pmdp, addr);
}
#endif

/*
 * Page tables of the lowest level. pte_t is a struct on one architecture and an
 * integer on another, so that entries are passed by pointer.
 */

pte_t *rust_helper_pte_offset_map_lock(struct mm_struct *mm, pmd_t *pmd,
				       unsigned long addr, spinlock_t **ptlp)
{
	return pte_offset_map_lock(mm, pmd, addr, ptlp);
}

void rust_helper_pte_unmap_unlock(pte_t *ptep, spinlock_t *ptl)
{
	pte_unmap_unlock(ptep, ptl);
}

void rust_helper_arch_enter_lazy_mmu_mode(void)
{
	arch_enter_lazy_mmu_mode();
}

void rust_helper_arch_leave_lazy_mmu_mode(void)
{
	arch_leave_lazy_mmu_mode();
}

#ifndef CONFIG_ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH
void rust_helper_flush_tlb_batched_pending(struct mm_struct *mm)
{
	flush_tlb_batched_pending(mm);
}
#endif

/* A marker may carry other bits, such as soft-dirty: ask the swap entry. */
unsigned int rust_helper_pte_read(pte_t *ptep, pte_t *ptentp)
{
	pte_t pte = ptep_get(ptep);
	swp_entry_t entry;

	*ptentp = pte;
	if (pte_none(pte))
		return PTE_ENTRY_NONE;
	if (pte_present(pte))
		return PTE_ENTRY_PRESENT;
	entry = pte_to_swp_entry(pte);
	if (!non_swap_entry(entry))
		return PTE_ENTRY_SWAP;
	if (is_guard_swp_entry(entry))
		return PTE_ENTRY_GUARD;
	if (is_hwpoison_entry(entry) || is_poisoned_swp_entry(entry))
		return PTE_ENTRY_POISONED;
	return PTE_ENTRY_OTHER;
}

/* How many entries from ptep on, of max, come before the first of a page in swap. */
unsigned int rust_helper_ptes_not_swapped(pte_t *ptep, unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		pte_t pte = ptep_get(ptep + n);

		if (is_swap_pte(pte) && !non_swap_entry(pte_to_swp_entry(pte)))
			break;
	}
	return n;
}

/*
 * Guards and vacant entries, in runs. Neither is present: to replace one with the other
 * changes no count of pages, and nothing that a TLB has. So this needs less than
 * set_pte_at(), which is made for all that an entry can be.
 */

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
	return is_pte_marker(pte) && is_guard_swp_entry(pte_to_swp_entry(pte));
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

		if (!pte_none(pte) && (!pte_marker_uffd_wp(pte) || pte_is_guard(pte)))
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
	while (n < max && pte_is_guard(ptep_get(ptep + n)))
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

void rust_helper_clear_not_present_full_ptes(struct mmu_gather *tlb, unsigned long addr,
					     pte_t *ptep, unsigned int nr)
{
	clear_not_present_full_ptes(tlb->mm, addr, ptep, nr, tlb->fullmm);
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

/* Swap. */

unsigned long rust_helper_pte_to_swp_entry(const pte_t *pte)
{
	return pte_to_swp_entry(*pte).val;
}

unsigned long rust_helper_radix_to_swp_entry(void *entry)
{
	return radix_to_swp_entry(entry).val;
}

bool rust_helper_xa_is_value(const void *entry)
{
	return xa_is_value(entry);
}

int rust_helper_non_swap_entry(unsigned long entry)
{
	return non_swap_entry((swp_entry_t) { entry });
}

int rust_helper_swap_pte_batch(pte_t *ptep, int max_nr, const pte_t *pte)
{
	return swap_pte_batch(ptep, max_nr, *pte);
}

#ifndef CONFIG_SWAP
void rust_helper_free_swap_and_cache_nr(swp_entry_t entry, int nr)
{
	free_swap_and_cache_nr(entry, nr);
}

bool rust_helper_folio_free_swap(struct folio *folio)
{
	return folio_free_swap(folio);
}
#endif

#ifdef CONFIG_SWAP
void *rust_helper_xas_next_entry(struct xa_state *xas, unsigned long max)
{
	return xas_next_entry(xas, max);
}

void rust_helper_swap_read_unplug(struct swap_iocb *plug)
{
	swap_read_unplug(plug);
}
#endif

void rust_helper_add_mm_counter(struct mm_struct *mm, int member, long value)
{
	add_mm_counter(mm, member, value);
}

void rust_helper_update_hiwater_rss(struct mm_struct *mm)
{
	update_hiwater_rss(mm);
}

/* TLB and secondary MMUs. */

void rust_helper_tlb_start_vma(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	tlb_start_vma(tlb, vma);
}

void rust_helper_tlb_end_vma(struct mmu_gather *tlb, struct vm_area_struct *vma)
{
	tlb_end_vma(tlb, vma);
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

/* Folios. */

void rust_helper_folio_get(struct folio *folio)
{
	folio_get(folio);
}

void rust_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
}

void rust_helper_folio_lock(struct folio *folio)
{
	folio_lock(folio);
}

bool rust_helper_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

bool rust_helper_folio_is_zone_device(const struct folio *folio)
{
	return folio_is_zone_device(folio);
}

bool rust_helper_folio_test_large(const struct folio *folio)
{
	return folio_test_large(folio);
}

long rust_helper_folio_nr_pages(const struct folio *folio)
{
	return folio_nr_pages(folio);
}

int rust_helper_folio_mapcount(const struct folio *folio)
{
	return folio_mapcount(folio);
}

bool rust_helper_folio_maybe_mapped_shared(struct folio *folio)
{
	return folio_maybe_mapped_shared(folio);
}

bool rust_helper_folio_test_anon(const struct folio *folio)
{
	return folio_test_anon(folio);
}

bool rust_helper_folio_test_lru(const struct folio *folio)
{
	return folio_test_lru(folio);
}

bool rust_helper_folio_test_active(const struct folio *folio)
{
	return folio_test_active(folio);
}

bool rust_helper_folio_test_unevictable(const struct folio *folio)
{
	return folio_test_unevictable(folio);
}

bool rust_helper_folio_test_swapcache(const struct folio *folio)
{
	return folio_test_swapcache(folio);
}

bool rust_helper_folio_test_dirty(const struct folio *folio)
{
	return folio_test_dirty(folio);
}

void rust_helper_folio_clear_dirty(struct folio *folio)
{
	folio_clear_dirty(folio);
}

void rust_helper_folio_set_workingset(struct folio *folio)
{
	folio_set_workingset(folio);
}

void rust_helper_folio_clear_referenced(struct folio *folio)
{
	folio_clear_referenced(folio);
}

bool rust_helper_folio_test_clear_young(struct folio *folio)
{
	return folio_test_clear_young(folio);
}

int rust_helper_split_folio(struct folio *folio)
{
	return split_folio(folio);
}

void rust_helper_folio_list_add(struct folio *folio, struct list_head *head)
{
	list_add(&folio->lru, head);
}

#ifdef CONFIG_MEMORY_FAILURE
unsigned long rust_helper_page_to_pfn(const struct page *page)
{
	return page_to_pfn(page);
}

void rust_helper_put_page(struct page *page)
{
	put_page(page);
}

unsigned long rust_helper_page_size(struct page *page)
{
	return page_size(compound_head(page));
}
#endif
