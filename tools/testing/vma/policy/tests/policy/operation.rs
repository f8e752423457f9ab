// SPDX-License-Identifier: GPL-2.0

//! What happens to an address space: calls, and what else processes do.

use crate::{
    oracle::{self, number},
    world::{at, Mapping, What, World, BASE, PAGES},
};
use kernel::{
    mm::{
        space::{Mapped, Pte},
        VmFlags,
    },
    page::{PAGE_SIZE, TABLE_PAGES},
};
use proptest::prelude::*;

/// Something that changes an address space but is no call to the policy.
#[derive(Clone, Debug)]
pub enum Setup {
    Mmap(Mapping),
    Munmap(usize, usize),
    /// Touches a few pages.
    Touch(usize, usize, bool),
    Place(usize, Placed),
    Large(usize, usize),
    Huge(usize),
    /// Gives flags to a range, or takes them away.
    Protect(usize, usize, VmFlags, bool),
    Tweak(usize, u8),
}

/// An entry that is put into a page table.
#[derive(Copy, Clone, Debug)]
pub enum Placed {
    Swap,
    Poisoned,
    Migration,
    UffdWp,
    Device,
    Zero,
}

/// A call to the policy.
#[derive(Clone, Debug)]
pub enum Call {
    Madvise {
        start: usize,
        len: usize,
        advice: i32,
    },
    Process {
        vector: Vec<(usize, usize)>,
        advice: i32,
        remote: bool,
        nice: bool,
    },
    Name {
        start: usize,
        len: usize,
        name: Option<Vec<u8>>,
    },
}

impl Setup {
    pub fn run(&self, world: &World) {
        match *self {
            Self::Mmap(mapping) => world.mmap(mapping),
            Self::Munmap(page, n) => world.mm.with(|space| space.munmap(at(page), at(page + n))),
            Self::Touch(page, n, write) => (page..page + n).for_each(|page| {
                world.mm.touch(at(page), write);
            }),
            Self::Place(page, placed) => place(world, page, placed),
            Self::Large(page, n) => {
                let empty = (page..page + n).all(|page| is_empty(world, page));
                if empty && page % TABLE_PAGES + n <= TABLE_PAGES {
                    world.large(page, n);
                }
            }
            Self::Huge(page) => {
                let page = page - page % TABLE_PAGES;
                let mut pages = page..page + TABLE_PAGES;
                if cfg!(CONFIG_TRANSPARENT_HUGEPAGE) && pages.all(|page| is_empty(world, page)) {
                    // All of it is in one mapping.
                    let one = world.mm.with(|space| {
                        space
                            .lookup(at(page))
                            .is_some_and(|v| at(page + TABLE_PAGES) <= v.end)
                    });
                    if one {
                        world.huge(page);
                    }
                }
            }
            Self::Protect(page, n, flags, set) => world.mm.with(|space| {
                space.change(at(page), at(page + n), |vma| {
                    vma.flags = if set {
                        vma.flags | flags
                    } else {
                        vma.flags - flags
                    };
                });
            }),
            Self::Tweak(page, bits) => tweak(world, page, bits),
        }
    }
}

/// Whether a page of private anonymous memory can be written, and has nothing.
fn is_empty(world: &World, page: usize) -> bool {
    let has_nothing = world
        .look()
        .page(at(page))
        .is_some_and(|p| p.entry == crate::world::Entry::Empty);
    has_nothing && is_plain(world, page)
}

fn is_plain(world: &World, page: usize) -> bool {
    world.mm.with(|space| {
        space.lookup(at(page)).is_some_and(|vma| {
            !vma.has_ops && vma.flags.intersects(VmFlags::WRITE) && !vma.pkey_denies_write
        })
    })
}

fn place(world: &World, page: usize, placed: Placed) {
    let anon = is_empty(world, page);
    let of_file = world.mm.with(|space| {
        space.lookup(at(page)).is_some_and(|vma| {
            vma.has_ops && vma.file.is_some() && !vma.flags.intersects(VmFlags::SPECIAL)
        }) && !space.entries.contains_key(&at(page))
    });
    let page_of = |folio| {
        Pte::Page(Mapped {
            folio,
            index: 0,
            young: true,
            dirty: false,
        })
    };
    let entry = match placed {
        Placed::Swap if cfg!(CONFIG_SWAP) => Pte::Swap(at(page)),
        Placed::Swap | Placed::Poisoned => Pte::Poisoned,
        Placed::Migration => Pte::Migration,
        Placed::UffdWp => Pte::UffdWp,
        Placed::Device => page_of(Some(kernel::mm::folio::Folio::new_device())),
        Placed::Zero => page_of(None),
    };
    if anon {
        world.place(page, entry);
    } else if of_file && matches!(placed, Placed::UffdWp) {
        world.mm.with(|space| space.install(at(page), Pte::UffdWp));
    }
}

fn tweak(world: &World, page: usize, bits: u8) {
    world.mm.with(|space| {
        let Some(Pte::Page(Mapped {
            folio: Some(folio), ..
        })) = space.entries.get(&at(page))
        else {
            return;
        };
        let state = folio.state();
        let cells = [
            &state.active,
            &state.referenced,
            &state.young,
            &state.swap_cache,
            &state.locked_elsewhere,
            &state.pinned,
            &state.dirty,
            &state.unevictable,
        ];
        for (i, cell) in cells.into_iter().enumerate() {
            // What is in swap is anonymous, and each of those that disturb is rare.
            let allowed = i < 3 || (folio.is_anon() && !folio.is_large());
            cell.set(allowed && (bits >> i) & 1 == 1);
        }
    });
}

fn page() -> impl Strategy<Value = usize> {
    0..PAGES - 70
}

fn pages() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1..8usize, 1 => 1..70usize]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        6 => Just(What::Anonymous),
        4 => (0..crate::world::FILES.len(), any::<bool>()).prop_map(|(n, shared)| {
            // What has no name is shared.
            What::File(n, shared || n == 3)
        }),
        1 => Just(What::Hugetlb),
        1 => prop_oneof![
            Just(VmFlags::PFNMAP),
            Just(VmFlags::IO | VmFlags::PFNMAP),
            Just(VmFlags::MIXEDMAP),
            Just(VmFlags::DONTEXPAND),
        ]
        .prop_map(What::Driver),
    ]
}

fn rare_flags() -> impl Strategy<Value = VmFlags> {
    prop_oneof![
        12 => Just(VmFlags::NONE),
        1 => Just(VmFlags::LOCKED),
        1 => Just(VmFlags::SEALED),
        1 => Just(VmFlags::DROPPABLE),
        1 => Just(VmFlags::UFFD_WP),
        1 => Just(VmFlags::MERGEABLE),
    ]
}

prop_compose! {
    fn mapping()(
        (page, len) in (page(), pages()),
        what in what(),
        rare in rare_flags(),
        access in prop_oneof![
            6 => Just(VmFlags::READ | VmFlags::WRITE),
            1 => Just(VmFlags::READ),
            1 => Just(VmFlags::NONE),
        ],
        maywrite in prop::bool::weighted(0.9),
        pkey in prop::bool::weighted(0.05),
        watched in prop::bool::weighted(0.1),
    ) -> Mapping {
        let mapping = Mapping { pkey, watched, ..Mapping::new(page, len, what) };
        let mut flags = (mapping.flags - VmFlags::ACCESS_FLAGS) | access | rare;
        if !maywrite {
            flags = flags - VmFlags::MAYWRITE - VmFlags::WRITE;
        }
        Mapping { flags, ..mapping }
    }
}

pub fn setup() -> impl Strategy<Value = Setup> {
    let placed = prop_oneof![
        Just(Placed::Swap),
        Just(Placed::Poisoned),
        Just(Placed::Migration),
        Just(Placed::UffdWp),
        Just(Placed::Device),
        Just(Placed::Zero),
    ];
    let changed = prop_oneof![
        Just(VmFlags::LOCKED),
        Just(VmFlags::WRITE),
        Just(VmFlags::SEALED),
        Just(VmFlags::UFFD_WP),
    ];
    prop_oneof![
        4 => mapping().prop_map(Setup::Mmap),
        1 => (page(), pages()).prop_map(|(page, n)| Setup::Munmap(page, n)),
        6 => (page(), pages(), any::<bool>()).prop_map(|(p, n, write)| Setup::Touch(p, n, write)),
        4 => (page(), placed).prop_map(|(page, placed)| Setup::Place(page, placed)),
        1 => (page(), prop_oneof![Just(2), Just(4), Just(16)])
            .prop_map(|(page, n)| Setup::Large(page - page % n, n)),
        1 => page().prop_map(Setup::Huge),
        1 => (page(), pages(), changed, any::<bool>())
            .prop_map(|(page, n, flags, set)| Setup::Protect(page, n, flags, set)),
        2 => (page(), any::<u8>()).prop_map(|(page, bits)| Setup::Tweak(page, bits)),
    ]
}

/// An address and a length: mostly of pages, and now and then odd.
fn range() -> impl Strategy<Value = (usize, usize)> {
    let plain = (0..PAGES, pages()).prop_map(|(page, n)| (at(page), n * PAGE_SIZE));
    let ragged = (0..PAGES, 1..70 * PAGE_SIZE).prop_map(|(page, len)| (at(page), len));
    let odd = prop_oneof![
        (page(), 1..PAGE_SIZE).prop_map(|(page, offset)| (at(page) + offset, PAGE_SIZE)),
        page().prop_map(|page| (at(page), 0)),
        page().prop_map(|page| (at(page) + 1, 0)),
        page().prop_map(|page| (at(page), usize::MAX)),
        page().prop_map(|page| (at(page), usize::MAX - BASE)),
        Just((BASE - 4 * PAGE_SIZE, 8 * PAGE_SIZE)),
        Just((at(PAGES), PAGE_SIZE)),
        Just((BASE, PAGES * PAGE_SIZE)),
    ];
    prop_oneof![12 => plain, 2 => ragged, 2 => odd]
}

/// Advice, known or not. That of guards is what this is about.
fn advice() -> impl Strategy<Value = i32> {
    prop_oneof![
        12 => prop::sample::select(oracle::ALL.as_slice()),
        6 => Just(number::GUARD_INSTALL),
        3 => Just(number::GUARD_REMOVE),
        3 => Just(number::DONTNEED),
        3 => Just(number::FREE),
        1 => prop_oneof![5..8i32, 26..100i32, 104..110i32, Just(-1), Just(i32::MIN), any::<i32>()],
    ]
}

fn name() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        2 => Just(None),
        4 => prop_oneof![Just(b"one".to_vec()), Just(b"two".to_vec())].prop_map(Some),
        1 => prop::collection::vec(0x20..0x7fu8, 75..85).prop_map(Some),
        1 => prop::collection::vec(any::<u8>().prop_filter("no end", |c| *c != 0), 0..4).prop_map(Some),
    ]
}

pub fn call() -> impl Strategy<Value = Call> {
    let names = if cfg!(CONFIG_ANON_VMA_NAME) { 3 } else { 0 };
    prop_oneof![
        12 => (range(), advice())
            .prop_map(|((start, len), advice)| Call::Madvise { start, len, advice }),
        3 => (prop::collection::vec(range(), 0..5), advice(), any::<bool>(), any::<bool>())
            .prop_map(|(vector, advice, remote, nice)| {
                // The lengths that make the call fail as a whole are tested apart.
                let fits = |(_, len): &(usize, usize)| *len <= PAGES * PAGE_SIZE;
                let vector = vector.into_iter().filter(fits).collect();
                Call::Process { vector, advice, remote, nice }
            }),
        names => (range(), name()).prop_map(|((start, len), name)| Call::Name { start, len, name }),
    ]
}
