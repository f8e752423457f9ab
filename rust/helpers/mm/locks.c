// SPDX-License-Identifier: GPL-2.0
/* The mmap lock and the VMA lock. */

#include "helpers.h"

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

void rust_helper_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

void rust_helper_vma_assert_locked(struct vm_area_struct *vma)
{
	vma_assert_locked(vma);
}

int rust_helper_rwsem_is_locked(struct rw_semaphore *sem)
{
	return rwsem_is_locked(sem);
}
