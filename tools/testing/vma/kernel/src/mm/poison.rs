// SPDX-License-Identifier: GPL-2.0

//! Memory that fails, on request.

use super::{
    folio::Folio,
    space::{table_base, Mapped, Pte, Slot, Touch},
    MmWithUser,
};
use crate::{
    error::{
        code::{EFAULT, EHWPOISON},
        Result,
    },
    locks,
    model::with_env,
    page::{PAGE_MASK, PAGE_SIZE},
};

/// A page of the current process, with a reference.
pub struct UserPage {
    mm: MmWithUser,
    addr: usize,
    folio: Option<Folio>,
}

impl UserPage {
    /// Finds, or faults in, the page at `addr`; may sleep. `None` when there is none to be had.
    ///
    /// # Errors
    ///
    /// `EFAULT` when nothing is mapped there, `EHWPOISON` when the page has failed already.
    #[track_caller]
    pub fn get(addr: usize) -> Result<Option<Self>> {
        locks::might_sleep("to find a page");
        locks::require(locks::held().is_empty(), || {
            "to find a page takes the mmap lock".into()
        });
        let mm = with_env(|env| env.current.clone()).expect("a process");
        let addr = addr & PAGE_MASK;
        match mm.touch(addr, false) {
            Touch::Done => (),
            Touch::Poisoned => return Err(EHWPOISON),
            _ => return Err(EFAULT),
        }
        let folio =
            mm.with(
                |space| match (space.entries.get(&addr), space.slots.get(&table_base(addr))) {
                    (Some(Pte::Page(mapped)), _) | (None, Some(Slot::Huge(mapped))) => {
                        mapped.folio.clone()
                    }
                    _ => None,
                },
            );
        Ok(Some(Self { mm, addr, folio }))
    }

    /// The size of the folio that the page is in, in bytes.
    pub fn folio_size(&self) -> usize {
        self.folio.as_ref().map_or(1, Folio::nr_pages) * PAGE_SIZE
    }

    /// Handles the page as if it had failed for good.
    ///
    /// # Errors
    ///
    /// None here.
    pub fn fail(self) -> Result {
        self.mm.with(|space| {
            space.split_huge(table_base(self.addr));
            space.put_entry(self.addr, Some(Pte::Poisoned));
        });
        Ok(())
    }

    /// Moves the content elsewhere and takes the page out of use.
    ///
    /// # Errors
    ///
    /// None here.
    pub fn soft_offline(self) -> Result {
        self.mm.with(|space| {
            space.split_huge(table_base(self.addr));
            if let Some(Pte::Page(mapped)) = space.entries.get(&self.addr).cloned() {
                let folio = mapped.folio.map(|old| match old.is_anon() {
                    true => Folio::new_anon(1),
                    false => Folio::new_file(1),
                });
                let moved = Mapped {
                    folio,
                    index: 0,
                    ..mapped
                };
                space.put_entry(self.addr, Some(Pte::Page(moved)));
            }
        });
        Ok(())
    }
}
