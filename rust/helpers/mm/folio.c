// SPDX-License-Identifier: GPL-2.0
/* Folios. */

#include "helpers.h"

void rust_helper_folio_get(struct folio *folio)
{
	folio_get(folio);
}

void rust_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
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

bool rust_helper_folio_test_anon_not_ksm(const struct folio *folio)
{
	return ((unsigned long)folio->mapping & FOLIO_MAPPING_FLAGS) == FOLIO_MAPPING_ANON;
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

void rust_helper_lru_add_drain_in_task(void)
{
	if (in_task())
		lru_add_drain();
}

void rust_helper_INIT_LIST_HEAD(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void rust_helper_folios_putback(struct list_head *head)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, head, lru) {
		list_del(&folio->lru);
		folio_putback_lru(folio);
	}
}

void rust_helper_folio_list_add(struct folio *folio, struct list_head *head)
{
	list_add(&folio->lru, head);
}
