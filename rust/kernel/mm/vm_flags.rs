// SPDX-License-Identifier: GPL-2.0

//! The flags of a VMA.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use super::bindings;
use crate::{fmt, mm::virt::vm_flags_t};
use core::ops::{BitAnd, BitOr, Not, Sub};

/// The flags of a VMA: a typed `vm_flags_t`.
///
/// The constants have the names of C less the prefix `VM_`. A flag that the architecture or the
/// configuration lacks is empty, as in C. So [`intersects`] is the question to ask of a single
/// flag: [`contains`] is true of an empty flag.
///
/// [`contains`]: VmFlags::contains
/// [`intersects`]: VmFlags::intersects
///
/// # Examples
///
/// ```
/// use kernel::mm::VmFlags;
///
/// let flags = VmFlags::READ | VmFlags::MAYBE_GUARD;
/// assert!(flags.intersects(VmFlags::MAYBE_GUARD));
/// assert!(!flags.intersects(VmFlags::WRITE));
/// assert_eq!((flags - VmFlags::READ).bits(), 0x800);
/// ```
#[derive(Copy, Clone, PartialEq, Eq)]
#[repr(transparent)]
pub struct VmFlags(vm_flags_t);

/// The flag in bit `n`, where `vm_flags_t` has that many bits.
const fn bit(n: u32) -> vm_flags_t {
    if n < vm_flags_t::BITS {
        1 << n
    } else {
        0
    }
}

/// The flag in bit `n`, where the configuration has it.
const fn bit_if(present: bool, n: u32) -> vm_flags_t {
    if present {
        bit(n)
    } else {
        0
    }
}

/// Defines the constants, the names of single flags, and the checks against C.
macro_rules! vm_flags {
    (
        bits { $($(#[doc = $bit_doc:literal])+ $bit:ident = $bit_value:expr;)+ }
        masks { $($(#[doc = $mask_doc:literal])+ $mask:ident = $mask_value:expr;)+ }
    ) => {
        impl VmFlags {
            $($(#[doc = $bit_doc])+ pub const $bit: Self = Self($bit_value);)+
            $($(#[doc = $mask_doc])+ pub const $mask: Self = $mask_value;)+

            /// The flags of one bit with their names, the more specific of two names first.
            const NAMES: &'static [(Self, &'static str)] = &[
                $((Self::$bit, stringify!($bit)),)+
            ];
        }

        macros::paste! {
            $(const _: () = assert!(VmFlags::$bit.0 == bindings::[<VMA_FLAG_ $bit>]);)+
            $(const _: () = assert!(VmFlags::$mask.0 == bindings::[<VMA_FLAG_ $mask>]);)+
        }
    };
}

vm_flags! {
    bits {
        /// Pages can be read.
        READ = bit(0);
        /// Pages can be written.
        WRITE = bit(1);
        /// Pages can be executed.
        EXEC = bit(2);
        /// Writes are seen by the other mappings of the file.
        SHARED = bit(3);
        /// `mprotect()` may set [`READ`](Self::READ).
        MAYREAD = bit(4);
        /// `mprotect()` may set [`WRITE`](Self::WRITE).
        MAYWRITE = bit(5);
        /// `mprotect()` may set [`EXEC`](Self::EXEC).
        MAYEXEC = bit(6);
        /// The mapping was made with `MAP_SHARED`.
        MAYSHARE = bit(7);
        /// A stack that grows towards lower addresses.
        GROWSDOWN = bit(8);
        /// userfaultfd tracks missing pages.
        UFFD_MISSING = bit(9);
        /// Page frames without `struct page`.
        PFNMAP = bit(10);
        /// Guard regions may be in the VMA; without the flag there are none.
        MAYBE_GUARD = bit(11);
        /// userfaultfd tracks writes.
        UFFD_WP = bit(12);
        /// Pages are locked in memory.
        LOCKED = bit(13);
        /// Memory-mapped I/O or the like.
        IO = bit(14);
        /// The application reads in order (`MADV_SEQUENTIAL`).
        SEQ_READ = bit(15);
        /// The application reads at random (`MADV_RANDOM`).
        RAND_READ = bit(16);
        /// Not copied by `fork()`.
        DONTCOPY = bit(17);
        /// `mremap()` cannot grow the mapping.
        DONTEXPAND = bit(18);
        /// Pages are locked as they are faulted in.
        LOCKONFAULT = bit(19);
        /// Counted towards the commit limit.
        ACCOUNT = bit(20);
        /// Not counted towards the commit limit.
        NORESERVE = bit(21);
        /// hugetlb pages.
        HUGETLB = bit(22);
        /// Page faults are synchronous (`MAP_SYNC`).
        SYNC = bit(23);
        /// Indirect branches into the pages must land on a BTI instruction, on arm64.
        ARM64_BTI = bit_if(cfg!(CONFIG_ARM64), 24);
        /// The architecture gives it a meaning.
        ARCH_1 = bit(24);
        /// The child of a `fork()` sees zeroes.
        WIPEONFORK = bit(25);
        /// Not in core dumps.
        DONTDUMP = bit(26);
        /// Written since soft-dirty tracking was reset.
        SOFTDIRTY = bit_if(cfg!(CONFIG_MEM_SOFT_DIRTY), 27);
        /// Page frames with and without `struct page`.
        MIXEDMAP = bit(28);
        /// Huge pages are wanted (`MADV_HUGEPAGE`).
        HUGEPAGE = bit(29);
        /// Huge pages are unwanted (`MADV_NOHUGEPAGE`).
        NOHUGEPAGE = bit(30);
        /// KSM may merge equal pages.
        MERGEABLE = bit(31);
        /// Bit 0 of the protection key.
        PKEY_BIT0 = bit_if(cfg!(CONFIG_ARCH_HAS_PKEYS), 32);
        /// Bit 1 of the protection key.
        PKEY_BIT1 = bit_if(cfg!(CONFIG_ARCH_HAS_PKEYS), 33);
        /// Bit 2 of the protection key.
        PKEY_BIT2 = bit_if(cfg!(CONFIG_ARCH_HAS_PKEYS), 34);
        /// Bit 3 of the protection key.
        PKEY_BIT3 = bit_if(
            cfg!(all(
                CONFIG_ARCH_HAS_PKEYS,
                any(CONFIG_ARCH_PKEY_BITS = "4", CONFIG_ARCH_PKEY_BITS = "5")
            )),
            35,
        );
        /// Bit 4 of the protection key.
        PKEY_BIT4 = bit_if(cfg!(all(CONFIG_ARCH_HAS_PKEYS, CONFIG_ARCH_PKEY_BITS = "5")), 36);
        /// Memory tagging is on, on arm64.
        MTE = bit_if(cfg!(CONFIG_ARM64_MTE), 36);
        /// Memory tagging may be turned on, on arm64.
        MTE_ALLOWED = bit_if(cfg!(CONFIG_ARM64_MTE), 37);
        /// A shadow stack, or a guarded control stack.
        SHADOW_STACK = if cfg!(CONFIG_ARM64_GCS) {
            bit(38)
        } else {
            bit_if(cfg!(CONFIG_X86_USER_SHADOW_STACK), 37)
        };
        /// Safe to map into a guest with any uncached memory type.
        ALLOW_ANY_UNCACHED = bit(39);
        /// Pages may be dropped under memory pressure.
        DROPPABLE = bit(40);
        /// userfaultfd tracks minor faults.
        UFFD_MINOR = bit_if(cfg!(CONFIG_HAVE_ARCH_USERFAULTFD_MINOR), 41);
        /// Sealed by `mseal()`.
        SEALED = bit(42);
        /// userfaultfd tracks all accesses.
        UFFD_RWP = bit_if(cfg!(CONFIG_USERFAULTFD_RWP), 43);
    }
    masks {
        /// No flag.
        NONE = Self::empty();
        /// A stack that grows towards higher addresses; no architecture with Rust has it.
        GROWSUP = Self::empty();
        /// What may be done with the pages.
        ACCESS_FLAGS = Self::READ.union(Self::WRITE).union(Self::EXEC);
        /// Flags of the architecture that `mprotect()` sets anew.
        ARCH_CLEAR = Self::ARM64_BTI;
        /// Page tables hold what no page fault brings back, so that `fork()` copies them.
        COPY_ON_FORK = Self::PFNMAP
            .union(Self::MIXEDMAP)
            .union(Self::UFFD_WP)
            .union(Self::UFFD_RWP)
            .union(Self::MAYBE_GUARD);
        /// What a data mapping that cannot be executed has.
        DATA_FLAGS_NON_EXEC = Self::READ
            .union(Self::WRITE)
            .union(Self::MAYREAD)
            .union(Self::MAYWRITE)
            .union(Self::MAYEXEC);
        /// What a data mapping that can be executed has.
        DATA_FLAGS_EXEC = Self::DATA_FLAGS_NON_EXEC.union(Self::EXEC);
        /// The flags that `mprotect()` sets anew.
        FLAGS_CLEAR = Self::PKEY_BIT0
            .union(Self::PKEY_BIT1)
            .union(Self::PKEY_BIT2)
            .union(Self::PKEY_BIT3)
            .union(Self::PKEY_BIT4)
            .union(Self::ARCH_CLEAR);
        /// The default flags that an address space passes on to its child.
        INIT_DEF_MASK = Self::NOHUGEPAGE;
        /// All that `mlock()` and its kin set.
        LOCKED_MASK = Self::LOCKED.union(Self::LOCKONFAULT);
        /// Mappings that khugepaged leaves alone.
        NO_KHUGEPAGED = Self::SPECIAL.union(Self::HUGETLB);
        /// What the mappings that the kernel itself makes have, where they are sealed.
        SEALED_SYSMAP = if cfg!(CONFIG_MSEAL_SYSTEM_MAPPINGS) {
            Self::SEALED
        } else {
            Self::empty()
        };
        /// Mappings that mm must neither merge nor walk as ordinary memory.
        SPECIAL = Self::IO
            .union(Self::DONTEXPAND)
            .union(Self::PFNMAP)
            .union(Self::MIXEDMAP);
        /// A stack.
        STACK = Self::GROWSDOWN;
        /// A stack that `execve()` has not yet put into its place, where it grows upwards.
        STACK_EARLY = Self::empty();
        /// A stack that `execve()` has not yet put into its place.
        STACK_INCOMPLETE_SETUP = Self::RAND_READ
            .union(Self::SEQ_READ)
            .union(Self::STACK_EARLY);
        /// Mappings with a gap before them.
        STARTGAP_FLAGS = Self::GROWSDOWN.union(Self::SHADOW_STACK);
        /// Flags that tell what page tables may hold, or what was written by them: ignored when
        /// VMAs are compared for a merge, kept in what is merged.
        STICKY = Self::MAYBE_GUARD.union(Self::SOFTDIRTY);
    }
}

impl VmFlags {
    /// The memory that `MADV_DOFORK` refuses: that of devices, and in later kernels all of
    /// [`SPECIAL`](Self::SPECIAL).
    pub const DOFORK_REFUSES: Self = Self(bindings::VMA_FLAG_DOFORK_REFUSES);

    /// No flag.
    #[inline]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Makes typed flags of raw ones.
    #[inline]
    pub const fn from_bits(bits: vm_flags_t) -> Self {
        Self(bits)
    }

    /// Returns the raw flags.
    #[inline]
    pub const fn bits(self) -> vm_flags_t {
        self.0
    }

    /// Returns whether no flag is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether all of `other` are set; true when `other` is empty.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether any of `other` is set; false when `other` is empty.
    #[inline]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the flags set in either.
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the flags set in both.
    #[inline]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the flags of `self` that are not in `other`.
    #[inline]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the numbers of the set bits, the lowest first.
    #[inline]
    pub fn set_bits(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let lowest = rest.trailing_zeros();
            rest &= rest - 1;
            Some(lowest as usize)
        })
    }
}

impl BitOr for VmFlags {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitAnd for VmFlags {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl Sub for VmFlags {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.difference(other)
    }
}

impl Not for VmFlags {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Prints the names of the set flags, `READ | WRITE`, and the bits without a name in hexadecimal.
impl fmt::Debug for VmFlags {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("NONE");
        }
        for (i, n) in self.set_bits().enumerate() {
            if i > 0 {
                f.write_str(" | ")?;
            }
            let flag = Self(1 << n);
            match Self::NAMES.iter().find(|(named, _)| *named == flag) {
                Some((_, name)) => f.write_str(name)?,
                None => write!(f, "{:#x}", flag.0)?,
            }
        }
        Ok(())
    }
}

#[cfg(CONFIG_RUST_VMA_KUNIT_TEST)]
#[macros::kunit_tests(rust_vma_flags)]
mod tests {
    use super::*;
    use crate::{prelude::*, str::CString};

    #[test]
    fn maybe_guard_is_bit_11() {
        assert_eq!(VmFlags::MAYBE_GUARD.bits(), 0x800);
        assert_eq!(VmFlags::MAYBE_GUARD.set_bits().next(), Some(11));
    }

    #[test]
    fn width_is_that_of_the_architecture() {
        assert_eq!(size_of::<VmFlags>(), if cfg!(CONFIG_64BIT) { 8 } else { 4 });
        assert_eq!(VmFlags::SEALED.is_empty(), !cfg!(CONFIG_64BIT));
    }

    #[test]
    fn an_absent_flag_is_never_set() {
        assert!(!(!VmFlags::NONE).intersects(VmFlags::NONE));
        assert!(VmFlags::READ.contains(VmFlags::NONE));
    }

    #[test]
    fn operations() {
        let rw = VmFlags::READ | VmFlags::WRITE;
        assert!(rw.contains(VmFlags::READ));
        assert!(!VmFlags::READ.contains(rw));
        assert!(VmFlags::READ.intersects(rw));
        assert!(!VmFlags::EXEC.intersects(rw));
        assert_eq!((rw - VmFlags::READ).bits(), VmFlags::WRITE.bits());
        assert_eq!((rw & VmFlags::READ).bits(), VmFlags::READ.bits());
        assert_eq!((!rw & rw).bits(), 0);
    }

    #[test]
    fn names_are_of_one_bit() {
        for (flag, _) in VmFlags::NAMES {
            assert!(flag.bits().count_ones() <= 1);
        }
    }

    #[test]
    fn set_bits_ascend() {
        let flags = VmFlags::from_bits((1 << (vm_flags_t::BITS - 1)) | 0x805);
        let mut seen = flags.set_bits();
        assert_eq!(seen.next(), Some(0));
        assert_eq!(seen.next(), Some(2));
        assert_eq!(seen.next(), Some(11));
        assert_eq!(seen.next(), Some(vm_flags_t::BITS as usize - 1));
        assert_eq!(seen.next(), None);
    }

    #[test]
    fn debug_prints_names() -> Result {
        let printed = |flags: VmFlags| CString::try_from_fmt(fmt!("{:?}", flags));
        assert!(printed(VmFlags::NONE)?.to_bytes() == b"NONE");
        assert!(
            printed(VmFlags::READ | VmFlags::MAYBE_GUARD | VmFlags::UFFD_WP)?.to_bytes()
                == b"READ | MAYBE_GUARD | UFFD_WP"
        );
        if cfg!(CONFIG_64BIT) {
            assert!(printed(VmFlags::from_bits(bit(63)))?.to_bytes() == b"0x8000000000000000");
        }
        Ok(())
    }

    #[test]
    fn c_prints_the_name_between_its_neighbours() {
        let flags = (VmFlags::PFNMAP | VmFlags::MAYBE_GUARD | VmFlags::UFFD_WP).bits();
        let mut text = [0u8; 64];
        // SAFETY: The buffer has the size that is passed, and `%pGv` takes a pointer to flags.
        let len = unsafe {
            bindings::snprintf(
                text.as_mut_ptr().cast(),
                text.len(),
                crate::c_str!("%pGv").as_char_ptr(),
                core::ptr::from_ref(&flags).cast::<crate::ffi::c_void>(),
            )
        };
        let text = text.get(..len as usize).unwrap_or_default();
        assert!(text == b"pfnmap|maybe_guard|uffd_wp");
    }
}
