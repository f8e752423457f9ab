// SPDX-License-Identifier: GPL-2.0
/* Swap. */

#include "helpers.h"

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
