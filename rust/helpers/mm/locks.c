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
	if (refcount_read(&vma->vm_refcnt) & VM_REFCNT_EXCLUDE_READERS_FLAG)
		return true;
#endif
	return mmap_lock_is_contended(vma->vm_mm);
}

void rust_helper_vma_start_write(struct vm_area_struct *vma)
{
	vma_start_write(vma);
}

/* A VMA lock that is held for writing goes with the mmap lock. */
void rust_helper_vma_assert_any_locked(struct vm_area_struct *vma)
{
#ifdef CONFIG_PER_VMA_LOCK
	if (refcount_read(&vma->vm_refcnt) > 1)
		return;
#endif
	mmap_assert_locked(vma->vm_mm);
}
