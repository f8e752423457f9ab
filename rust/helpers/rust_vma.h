/* SPDX-License-Identifier: GPL-2.0 */
/* What the helpers return to Rust. */
#ifndef _RUST_HELPERS_RUST_VMA_H
#define _RUST_HELPERS_RUST_VMA_H

/* What an entry above the lowest level of a page table is. */
enum {
	TABLE_ENTRY_NONE,	/* Empty. */
	TABLE_ENTRY_TABLE,	/* Refers to a table of the next level. */
	TABLE_ENTRY_HUGE,	/* Maps memory itself, or did until it is moved. */
};

/* What an entry of the lowest level of a page table is. */
enum {
	PTE_ENTRY_NONE,		/* Empty. */
	PTE_ENTRY_GUARD,	/* A guard marker. */
	PTE_ENTRY_OTHER,	/* A page, a swap entry, or another marker. */
};

#endif /* _RUST_HELPERS_RUST_VMA_H */
