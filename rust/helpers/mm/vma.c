// SPDX-License-Identifier: GPL-2.0
/* VMAs. */

#include "helpers.h"

void rust_helper_vma_flags_reset_once(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma_flags_t new = legacy_to_vma_flags(flags);

	check_masks();
	vma_flags_reset_once(vma, &new);
}

void rust_helper_vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vm_flags_clear(vma, flags);
}

/* What follows a change of flags by advice. */
void rust_helper_vma_flags_changed(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma_flags_changed(vma, flags);
}

struct vm_area_struct *rust_helper_vma_modify_flags(struct vma_iterator *vmi,
		struct vm_area_struct *prev, struct vm_area_struct *vma,
		unsigned long start, unsigned long end, vm_flags_t flags)
{
	vma_flags_t new = legacy_to_vma_flags(flags);

	return vma_modify_flags(vmi, prev, vma, start, end, &new);
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
