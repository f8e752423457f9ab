// SPDX-License-Identifier: GPL-2.0

//! The walk that takes guard markers away.

use super::{HugePage, Run, Step, Table, Visitor};
use crate::{
    error::Result,
    mm::{cond_resched, virt::VmaRef},
};

/// Clears the guard markers of a range. The walk does not end before the range does, and afterwards
/// there are no markers in it but those that others installed meanwhile.
pub struct RemoveGuards;

impl Visitor<VmaRef> for RemoveGuards {
    #[inline]
    fn huge_pud(&mut self) -> Option<Step> {
        Some(Step::Next)
    }

    #[inline]
    fn huge(&mut self, _: &HugePage<'_, VmaRef>) -> Result<Step> {
        Ok(Step::Next)
    }

    #[inline]
    fn table(&mut self, table: &Table<'_, VmaRef>) -> Result<Step> {
        let Some(mut entries) = table.lock(table.range().start()) else {
            return Ok(Step::Again);
        };
        while let Some(run) = entries.next_run() {
            if let Run::Guards(run) = run {
                run.remove();
            }
        }
        drop(entries);
        cond_resched();
        Ok(Step::Next)
    }
}
