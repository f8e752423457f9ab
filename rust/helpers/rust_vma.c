// SPDX-License-Identifier: GPL-2.0
/* Inline functions and macros of mm that the VMA subsystem in Rust calls. */

#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/mmu_context.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/sched/signal.h>
#include <linux/swapops.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
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

void rust_helper_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

void rust_helper_vm_flags_reset_once(struct vm_area_struct *vma, vm_flags_t flags)
{
	vm_flags_reset_once(vma, flags);
}

int rust_helper_anon_vma_prepare(struct vm_area_struct *vma)
{
	return anon_vma_prepare(vma);
}

bool rust_helper_arch_vma_access_permitted(struct vm_area_struct *vma, bool write,
					   bool execute, bool foreign)
{
	return arch_vma_access_permitted(vma, write, execute, foreign);
}

/* The system call. */

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

/* A marker may carry other bits, such as soft-dirty: ask the swap entry. */
unsigned int rust_helper_pte_kind(pte_t *ptep)
{
	pte_t pte = ptep_get(ptep);

	if (pte_none(pte))
		return PTE_ENTRY_NONE;
	if (is_swap_pte(pte) && is_guard_swp_entry(pte_to_swp_entry(pte)))
		return PTE_ENTRY_GUARD;
	return PTE_ENTRY_OTHER;
}

void rust_helper_pte_install_guard(struct vm_area_struct *vma, unsigned long addr,
				   pte_t *ptep)
{
	set_pte_at(vma->vm_mm, addr, ptep, make_pte_marker(PTE_MARKER_GUARD));
	update_mmu_cache(vma, addr, ptep);
}

void rust_helper_pte_clear_marker(struct vm_area_struct *vma, unsigned long addr,
				  pte_t *ptep)
{
	pte_clear_not_present_full(vma->vm_mm, addr, ptep, false);
	update_mmu_cache(vma, addr, ptep);
}
