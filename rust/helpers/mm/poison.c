// SPDX-License-Identifier: GPL-2.0
/* Memory that fails. */

#include "helpers.h"

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
