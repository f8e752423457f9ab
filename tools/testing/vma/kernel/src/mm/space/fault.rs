// SPDX-License-Identifier: GPL-2.0

//! Page faults.

use super::{table_base, Mapped, Pte, Slot, Space};
use crate::mm::{folio::Folio, MmWithUser, VmFlags};

/// How an access ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Well.
    Done,
    /// It is not allowed there.
    Denied,
    /// Nothing is mapped there.
    Unmapped,
    /// There is a guard.
    Guard,
    /// The memory has failed.
    Poisoned,
    /// There is no memory.
    NoMemory,
}

impl MmWithUser {
    /// Reads or writes the page at `addr`, as a thread of the process does.
    pub fn touch(&self, addr: usize, write: bool) -> Touch {
        self.with(|space| space.touch(addr, write))
    }
}

impl Space {
    fn touch(&mut self, addr: usize, write: bool) -> Touch {
        let Some(vma) = self.lookup(addr).cloned() else {
            return Touch::Unmapped;
        };
        let needed = if write { VmFlags::WRITE } else { VmFlags::READ };
        if !vma.flags.intersects(needed)
            || vma.flags.intersects(VmFlags::IO.union(VmFlags::PFNMAP))
            || (write && vma.pkey_denies_write)
        {
            return Touch::Denied;
        }
        let covering = self.puds.range(..=addr).next_back();
        if covering.is_some_and(|pud| addr < pud + crate::page::PUD_SIZE) {
            return Touch::Done;
        }
        match self.slots.get_mut(&table_base(addr)) {
            Some(Slot::Huge(mapped)) => {
                mapped.young = true;
                mapped.dirty |= write;
                return Touch::Done;
            }
            Some(Slot::Moving) => return Touch::Done,
            Some(Slot::Table) | None => (),
        }
        match self.entries.get(&addr) {
            Some(Pte::Guard) => return Touch::Guard,
            Some(Pte::Poisoned) => return Touch::Poisoned,
            Some(Pte::Migration) => return Touch::Done,
            _ => (),
        }
        self.fault_in(&vma, addr, write)
    }

    fn fault_in(&mut self, vma: &super::Vma, addr: usize, write: bool) -> Touch {
        let private = !vma.flags.intersects(VmFlags::SHARED);
        let swapped = matches!(self.entries.get(&addr), Some(Pte::Swap(_)));
        if let Some(Pte::Page(mapped)) = self.entries.get_mut(&addr) {
            let owned = mapped.folio.as_ref().is_some_and(Folio::is_anon);
            if owned || !write || !private {
                mapped.young = true;
                mapped.dirty |= write;
                return Touch::Done;
            }
        }
        let folio = if private && (write || swapped) {
            if self.prepare_anon_vma(vma.id).is_err() {
                return Touch::NoMemory;
            }
            Some(Folio::new_anon(1))
        } else {
            vma.file
                .as_ref()
                .map(|file| file.page(vma.linear_page_index(addr)))
        };
        if swapped {
            self.swapped -= 1;
        }
        self.make_table(addr);
        if let (true, Some(folio)) = (write, &folio) {
            folio.state().dirty.set(true);
        }
        let mapped = Mapped {
            folio,
            index: 0,
            young: true,
            dirty: write,
        };
        self.put_entry(addr, Some(Pte::Page(mapped)));
        Touch::Done
    }
}
