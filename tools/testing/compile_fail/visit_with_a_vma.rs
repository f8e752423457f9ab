// SPDX-License-Identifier: GPL-2.0

//! A visitor has no reference to the VMA, with which it could zap a locked table.
//!
//! error: E0521

use kernel::{
    mm::{
        page_table::{walk, Step, Table, Visitor},
        virt::VmaRef,
        PageRange,
    },
    prelude::*,
};

/// Has a reference.
struct Zap<'v>(&'v VmaRef);

impl Visitor<VmaRef> for Zap<'_> {
    fn table(&mut self, table: &mut Table<'_, VmaRef>) -> Result<Step> {
        let entries = table.lock(table.range().start());
        self.0.should_unlock();
        drop(entries);
        Ok(Step::Next)
    }
}

/// Tries it.
pub fn attempt(vma: &VmaRef, range: PageRange) {
    let _ = walk(vma, range, &mut Zap(vma));
}
