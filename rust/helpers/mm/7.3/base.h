/* SPDX-License-Identifier: GPL-2.0 */
/* Linux 7.3: what the helpers and the bindings need beside its own names. */
#ifndef _RUST_HELPERS_MM_BASE_H
#define _RUST_HELPERS_MM_BASE_H

#include <linux/leafops.h>
#include <linux/swap_ops.h>

/* Whether process_madvise() looks at the advice only when there is a range. */
#define VMA_ADVICE_CHECKED_LATE	0

/* Masks, most of which are functions here. */
#define MASK_COPY_ON_FORK		VM_COPY_ON_FORK
#define MASK_DATA_FLAGS_EXEC		(MASK_DATA_FLAGS_NON_EXEC | VM_EXEC)
#define MASK_DATA_FLAGS_NON_EXEC	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | \
					 VM_MAYEXEC)
#define MASK_NO_KHUGEPAGED		(MASK_SPECIAL | VM_HUGETLB)
#define MASK_SPECIAL			(VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define MASK_STARTGAP_FLAGS		(VM_GROWSDOWN | VM_SHADOW_STACK)
#define MASK_STICKY			(VM_SOFTDIRTY | VM_MAYBE_GUARD)

/* The memory that MADV_DOFORK refuses. */
#define MASK_DOFORK_REFUSES		MASK_SPECIAL

static inline void vma_flags_changed(struct vm_area_struct *vma, vm_flags_t flags)
{
	if (flags & VM_HUGEPAGE)
		khugepaged_enter_vma(vma, flags);
}

static __always_inline void check_masks(void)
{
	BUILD_BUG_ON(vma_flags_to_legacy(VMA_DATA_FLAGS_EXEC) != MASK_DATA_FLAGS_EXEC);
	BUILD_BUG_ON(vma_flags_to_legacy(VMA_DATA_FLAGS_NON_EXEC) != MASK_DATA_FLAGS_NON_EXEC);
	BUILD_BUG_ON(VM_NO_KHUGEPAGED != MASK_NO_KHUGEPAGED);
	BUILD_BUG_ON(VM_SPECIAL != MASK_SPECIAL);
	BUILD_BUG_ON(vma_flags_to_legacy(VMA_STARTGAP_FLAGS) != MASK_STARTGAP_FLAGS);
	BUILD_BUG_ON(vma_flags_to_legacy(VMA_STICKY_FLAGS) != MASK_STICKY);
}

#endif /* _RUST_HELPERS_MM_BASE_H */
