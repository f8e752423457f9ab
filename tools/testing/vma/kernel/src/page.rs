// SPDX-License-Identifier: GPL-2.0

//! Pages and the tables of them.

/// The binary logarithm of the size of a page.
pub const PAGE_SHIFT: usize = 12;
/// The size of a page, in bytes.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;
/// The bits of an address that tell the page.
pub const PAGE_MASK: usize = !(PAGE_SIZE - 1);

/// The number of entries in a table of the lowest level, and of pages in a huge page.
pub const TABLE_PAGES: usize = 64;
/// What such a table covers, in bytes.
pub const TABLE_SIZE: usize = TABLE_PAGES * PAGE_SIZE;
/// What an entry two levels above covers, in bytes.
pub const PUD_SIZE: usize = 4 * TABLE_SIZE;
