// SPDX-License-Identifier: GPL-2.0
/* Names of anonymous VMAs. */

#include "helpers.h"

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
