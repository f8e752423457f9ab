// SPDX-License-Identifier: GPL-2.0

//! Address spaces for the tests, and how they look from outside: page by page.

use kernel::{
    mm::{
        file::{FileKind, VmaFile},
        folio::{Folio, State},
        space::{table_base, FolioId, Mapped, Pte, Slot, Space, Vma},
        MmWithUser, VmFlags,
    },
    model,
    page::{PAGE_SIZE, PUD_SIZE, TABLE_PAGES},
};
use std::collections::{BTreeMap, BTreeSet};

/// The first address of all worlds.
pub const BASE: usize = 4 * PUD_SIZE;
/// The number of pages that are looked at, from there on.
pub const PAGES: usize = 320;

/// The address of a page.
pub fn at(page: usize) -> usize {
    BASE + page * PAGE_SIZE
}

/// What is mapped.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum What {
    Anonymous,
    /// The file of that number, private or shared.
    File(usize, bool),
    Hugetlb,
    /// Memory of a driver, which has no file here.
    Driver(VmFlags),
}

/// A mapping to be made.
#[derive(Copy, Clone, Debug)]
pub struct Mapping {
    pub page: usize,
    pub len: usize,
    pub what: What,
    pub flags: VmFlags,
    pub pkey: bool,
    pub watched: bool,
}

impl Mapping {
    /// Plain memory that can be written.
    pub fn new(page: usize, len: usize, what: What) -> Self {
        let flags = VmFlags::DATA_FLAGS_NON_EXEC;
        Self {
            page,
            len,
            what,
            flags,
            pkey: false,
            watched: false,
        }
    }
}

/// An address space with the files that can be mapped there.
pub struct World {
    pub mm: MmWithUser,
    pub files: Vec<VmaFile>,
}

/// The kinds of files, by their numbers.
pub const FILES: [FileKind; 7] = {
    const PLAIN: FileKind = FileKind {
        shmem: false,
        anon_shmem: false,
        dax: false,
        has_pages: true,
        owned_or_writable: true,
        punch_hole: Ok(()),
    };
    [
        PLAIN,
        FileKind {
            owned_or_writable: false,
            ..PLAIN
        },
        FileKind {
            shmem: true,
            ..PLAIN
        },
        FileKind {
            shmem: true,
            anon_shmem: true,
            ..PLAIN
        },
        FileKind { dax: true, ..PLAIN },
        FileKind {
            has_pages: false,
            ..PLAIN
        },
        FileKind {
            punch_hole: Err(kernel::error::code::EOPNOTSUPP),
            ..PLAIN
        },
    ]
};

/// The number of the file of hugetlb, behind the others.
const HUGETLB: usize = FILES.len();

impl World {
    /// Begins anew, with an empty address space, which is that of the thread.
    pub fn new() -> Self {
        model::reset();
        let mm = MmWithUser::new();
        model::with_env(|env| env.current = Some(mm.clone()));
        let kinds = FILES.into_iter().chain([FileKind::default()]);
        Self {
            mm,
            files: kinds.map(VmaFile::new).collect(),
        }
    }

    /// Makes a world with one mapping.
    pub fn of(mapping: Mapping) -> Self {
        let world = Self::new();
        world.mmap(mapping);
        world
    }

    pub fn mmap(&self, mapping: Mapping) {
        let Mapping {
            page,
            len,
            what,
            mut flags,
            pkey,
            watched,
        } = mapping;
        let (mut start, mut end) = (at(page), at(page + len));
        let file = match what {
            What::Anonymous | What::Driver(_) => None,
            What::File(n, _) => Some(n),
            What::Hugetlb => Some(HUGETLB),
        };
        match what {
            What::File(_, true) => flags = flags | VmFlags::SHARED | VmFlags::MAYSHARE,
            What::Hugetlb => {
                flags = flags | VmFlags::HUGETLB | VmFlags::DONTEXPAND;
                start = table_base(start);
                end = table_base(end - 1) + TABLE_PAGES * PAGE_SIZE;
            }
            What::Driver(kind) => flags = flags | kind | VmFlags::DONTEXPAND,
            What::Anonymous | What::File(..) => (),
        }
        if watched {
            flags = flags | VmFlags::UFFD_MISSING;
        } else {
            flags = flags - VmFlags::UFFD_WP;
        }
        let vma = Vma {
            id: 0,
            start,
            end,
            flags,
            file: file.map(|n| self.files[n].clone()),
            // A page of a file is at one address, so that mappings beside each other can be one.
            pgoff: (start - BASE) / PAGE_SIZE,
            has_ops: what != What::Anonymous,
            anon_vma: None,
            of_fork: false,
            name: None,
            uffd: watched.then_some(1),
            pkey_denies_write: pkey,
        };
        self.mm.with(|space| space.mmap(vma));
    }

    pub fn look(&self) -> View {
        View::of(&self.mm)
    }

    /// Puts a large folio into empty anonymous memory, from a page on.
    pub fn large(&self, page: usize, n: usize) -> Folio {
        self.map(page, Folio::new_anon(n), n)
    }

    /// The same with a folio of a file.
    pub fn large_of_file(&self, page: usize, n: usize) -> Folio {
        self.map(page, Folio::new_file(n), n)
    }

    fn map(&self, page: usize, folio: Folio, n: usize) -> Folio {
        for index in 0..n {
            self.place(
                page + index,
                Pte::Page(Mapped {
                    folio: Some(folio.clone()),
                    index,
                    young: true,
                    dirty: true,
                }),
            );
        }
        folio
    }

    /// Puts an entry into a page table, as a page fault of the past would have.
    pub fn place(&self, page: usize, entry: Pte) {
        // What is a process's own goes with an anon_vma.
        self.mm.touch(at(page), true);
        self.mm.with(|space| {
            space.forget(at(page));
            space.install(at(page), entry);
        });
    }

    /// Maps a huge page of anonymous memory at a page that is the first of a table.
    pub fn huge(&self, page: usize) -> Folio {
        let folio = Folio::new_anon(TABLE_PAGES);
        self.mm.touch(at(page), true);
        self.mm.with(|space| {
            space.forget(at(page));
            let mapped = Mapped {
                folio: Some(folio.clone()),
                index: 0,
                young: true,
                dirty: true,
            };
            space.install_huge(at(page), mapped);
        });
        folio
    }

    pub fn guards(&self) -> Vec<usize> {
        self.mm.with(|space| {
            space
                .guards()
                .map(|addr| (addr - BASE) / PAGE_SIZE)
                .collect()
        })
    }

    pub fn flags(&self, page: usize) -> VmFlags {
        self.mm
            .with(|space| space.lookup(at(page)).expect("a mapping").flags)
    }

    /// The bounds of the mappings, in pages.
    pub fn layout(&self) -> Vec<(usize, usize)> {
        let page = |addr: usize| (addr - BASE) / PAGE_SIZE;
        self.mm.with(|space| {
            space
                .vmas
                .iter()
                .map(|v| (page(v.start), page(v.end)))
                .collect()
        })
    }
}

/// What a page table has for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Empty,
    /// The folio, if any, the page in it, and whether it was used and written to.
    Page(Option<FolioId>, usize, bool, bool),
    Swap,
    Guard,
    Poisoned,
    UffdWp,
    Migration,
    /// Nobody says what is there, but a guard it is not.
    Any,
}

/// One page of an address space.
#[derive(Clone, Debug)]
pub struct Page {
    pub vma: Option<Vma>,
    pub entry: Entry,
}

/// An address space page by page, and the folios in it.
#[derive(Clone, Debug)]
pub struct View {
    pub pages: Vec<Page>,
    pub folios: BTreeMap<FolioId, State>,
}

impl View {
    pub fn of(mm: &MmWithUser) -> Self {
        mm.with(|space| {
            let mut folios = BTreeMap::new();
            let pages = (0..PAGES)
                .map(|page| Page {
                    vma: space.lookup(at(page)).cloned(),
                    entry: entry(space, at(page), &mut folios),
                })
                .collect();
            Self { pages, folios }
        })
    }

    pub fn page(&self, addr: usize) -> Option<&Page> {
        self.pages.get(addr.checked_sub(BASE)? / PAGE_SIZE)
    }

    pub fn page_mut(&mut self, addr: usize) -> &mut Page {
        &mut self.pages[(addr - BASE) / PAGE_SIZE]
    }

    /// Gives all pages of a mapping the flag that a part of it has: what is expected of each page for itself becomes what
    /// is expected of the mappings of `actual`, some of which were merged.
    pub fn spread_flag(&mut self, actual: &Self) {
        let id = |page: &Page| page.vma.as_ref().map(|vma| vma.id);
        let flagged: BTreeSet<_> = flagged(self)
            .into_iter()
            .map(|page| id(&actual.pages[page]))
            .collect();
        for (page, is) in self.pages.iter_mut().zip(&actual.pages) {
            if let Some(vma) = page.vma.as_mut().filter(|_| flagged.contains(&id(is))) {
                vma.flags = vma.flags | VmFlags::MAYBE_GUARD;
            }
        }
    }

    /// The first difference to what is expected.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        for (page, (is, shall)) in self.pages.iter().zip(&expected.pages).enumerate() {
            let facts = |page: &Page| page.vma.as_ref().map(|v| (v.flags, v.name.clone()));
            let same_entry = match shall.entry {
                Entry::Any => is.entry != Entry::Guard,
                _ => is.entry == shall.entry,
            };
            if facts(is) != facts(shall) || !same_entry {
                return Some(format!(
                    "page {page}: {:?} {:?}, expected {:?} {:?}",
                    facts(is),
                    is.entry,
                    facts(shall),
                    shall.entry
                ));
            }
        }
        for (id, is) in &self.folios {
            let Some(shall) = expected.folios.get(id) else {
                continue;
            };
            if (State {
                mapcount: shall.mapcount.clone(),
                ..is.clone()
            }) != *shall
            {
                return Some(format!("{is:?}, expected {shall:?}"));
            }
        }
        None
    }
}

fn entry(space: &Space, addr: usize, folios: &mut BTreeMap<FolioId, State>) -> Entry {
    let mut of = |mapped: &Mapped, index| {
        let id = mapped.folio.as_ref().map(|folio| {
            folios.insert(folio.id(), folio.state().clone());
            folio.id()
        });
        Entry::Page(id, index, mapped.young, mapped.dirty)
    };
    match space.slots.get(&table_base(addr)) {
        Some(Slot::Huge(mapped)) => return of(mapped, (addr - table_base(addr)) / PAGE_SIZE),
        Some(Slot::Moving) => return Entry::Migration,
        Some(Slot::Table) | None => (),
    }
    match space.entries.get(&addr) {
        None => Entry::Empty,
        Some(Pte::Page(mapped)) => of(mapped, mapped.index),
        Some(Pte::Swap(_)) => Entry::Swap,
        Some(Pte::Guard) => Entry::Guard,
        Some(Pte::Poisoned) => Entry::Poisoned,
        Some(Pte::UffdWp) => Entry::UffdWp,
        Some(Pte::Migration) => Entry::Migration,
    }
}

/// Checks what is true of an address space at every time, but for that of a child, in which what differed
/// in its parent may not differ.
pub fn check(mm: &MmWithUser) {
    let unmerged = mm.with(|space| space.unmerged());
    assert_eq!(unmerged, None, "two mappings meet that are to be one");
    check_contents(mm);
}

/// Checks what is true of every address space at every time.
pub fn check_contents(mm: &MmWithUser) {
    mm.with(|space| {
        space.assert_sound();
        for addr in space.guards() {
            let vma = space.lookup(addr).expect("a guard is in a mapping");
            assert!(
                vma.flags.intersects(VmFlags::MAYBE_GUARD),
                "a guard at {addr:#x} in {vma:?}"
            );
            assert!(
                !vma.is_anonymous() || vma.anon_vma.is_some(),
                "a guard at {addr:#x} without an anon_vma"
            );
        }
        let mut swapped = 0;
        for (addr, entry) in &space.entries {
            assert!(
                space.lookup(*addr).is_some(),
                "{entry:?} at {addr:#x} outside of mappings"
            );
            let slot = space.slots.get(&table_base(*addr));
            assert!(
                matches!(slot, Some(Slot::Table)),
                "{entry:?} at {addr:#x} in {slot:?}"
            );
            swapped += usize::from(matches!(entry, Pte::Swap(_)));
        }
        assert_eq!(space.swapped, swapped, "the counter of pages in swap");
    });
}

/// Checks that folios are mapped as often as they say, by these address spaces together.
pub fn check_mapcounts(mms: &[MmWithUser]) {
    let mut counts: BTreeMap<FolioId, (usize, usize)> = BTreeMap::new();
    let mut count = |folio: &Folio, n| {
        let entry = counts
            .entry(folio.id())
            .or_insert((folio.state().mapcount.get(), 0));
        entry.1 += n;
    };
    for mm in mms {
        mm.with(|space| {
            for entry in space.entries.values() {
                if let Pte::Page(Mapped {
                    folio: Some(folio), ..
                }) = entry
                {
                    count(folio, 1);
                }
            }
            for slot in space.slots.values() {
                if let Slot::Huge(Mapped {
                    folio: Some(folio), ..
                }) = slot
                {
                    count(folio, TABLE_PAGES);
                }
            }
        });
    }
    for (id, (says, is)) in counts {
        assert_eq!(says, is, "the mappings of folio {id}");
    }
}

/// The pages that have the flag.
pub fn flagged(view: &View) -> BTreeSet<usize> {
    let has = |page: &Page| {
        page.vma
            .as_ref()
            .is_some_and(|vma| vma.flags.intersects(VmFlags::MAYBE_GUARD))
    };
    (0..PAGES).filter(|page| has(&view.pages[*page])).collect()
}
