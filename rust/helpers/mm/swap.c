// SPDX-License-Identifier: GPL-2.0
/* Swap. */

#include "helpers.h"

unsigned long rust_helper_softleaf_from_pte(const pte_t *pte)
{
	return softleaf_from_pte(*pte).val;
}

unsigned long rust_helper_radix_to_swp_entry(void *entry)
{
	return radix_to_swp_entry(entry).val;
}

bool rust_helper_xa_is_value(const void *entry)
{
	return xa_is_value(entry);
}

bool rust_helper_softleaf_is_swap(unsigned long entry)
{
	return softleaf_is_swap((softleaf_t) { entry });
}

int rust_helper_swap_pte_batch(pte_t *ptep, int max_nr, const pte_t *pte)
{
	return swap_pte_batch(ptep, max_nr, *pte);
}

void rust_helper_swap_put_entries_direct(swp_entry_t entry, int nr)
{
	swap_put_entries_direct(entry, nr);
}

#ifndef CONFIG_SWAP
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

struct folio *rust_helper_read_swap_cache_async(struct swap_io_ctx *ctx, swp_entry_t entry,
		gfp_t gfp, struct vm_area_struct *vma, unsigned long addr)
{
	return read_swap_cache_async(ctx, entry, gfp, vma, addr);
}

void rust_helper_swap_read_submit(struct swap_io_ctx *ctx)
{
	swap_read_submit(ctx);
}
#endif
