// SPDX-License-Identifier: GPL-2.0

//! Numbers and types of C, written down from its headers.

#![allow(missing_docs, non_camel_case_types)]

#[cfg(CONFIG_64BIT)]
pub type vm_flags_t = u64;
#[cfg(not(CONFIG_64BIT))]
pub type vm_flags_t = u32;

pub type seq_file = crate::seq_file::SeqFile;
pub type vm_area_struct = crate::mm::virt::VmaRef;

macro_rules! numbers {
    ($($name:ident = $value:literal),+ $(,)?) => {
        $(pub const $name: u32 = $value;)+
    };
}

numbers! {
    CAP_SYS_ADMIN = 21,
    CAP_SYS_NICE = 23,

    EINTR = 4,
    ENOMEM = 12,
    EFAULT = 14,
    EINVAL = 22,
    EHWPOISON = 133,
}

/// The flags of a VMA on 64 bits; the lower half is that of arm, but for what it lacks.
macro_rules! flags {
    ($($name:ident = $value:literal),+ $(,)?) => {
        $(pub const $name: vm_flags_t = {
            const VALUE: u64 = $value;
            VALUE as vm_flags_t
        };)+
    };
}

flags! {
    VMA_FLAG_NONE = 0,
    VMA_FLAG_READ = 0x1,
    VMA_FLAG_WRITE = 0x2,
    VMA_FLAG_EXEC = 0x4,
    VMA_FLAG_SHARED = 0x8,
    VMA_FLAG_MAYREAD = 0x10,
    VMA_FLAG_MAYWRITE = 0x20,
    VMA_FLAG_MAYEXEC = 0x40,
    VMA_FLAG_MAYSHARE = 0x80,
    VMA_FLAG_GROWSDOWN = 0x100,
    VMA_FLAG_GROWSUP = 0,
    VMA_FLAG_UFFD_MISSING = 0x200,
    VMA_FLAG_PFNMAP = 0x400,
    VMA_FLAG_MAYBE_GUARD = 0x800,
    VMA_FLAG_UFFD_WP = 0x1000,
    VMA_FLAG_LOCKED = 0x2000,
    VMA_FLAG_IO = 0x4000,
    VMA_FLAG_SEQ_READ = 0x8000,
    VMA_FLAG_RAND_READ = 0x1_0000,
    VMA_FLAG_DONTCOPY = 0x2_0000,
    VMA_FLAG_DONTEXPAND = 0x4_0000,
    VMA_FLAG_LOCKONFAULT = 0x8_0000,
    VMA_FLAG_ACCOUNT = 0x10_0000,
    VMA_FLAG_NORESERVE = 0x20_0000,
    VMA_FLAG_HUGETLB = 0x40_0000,
    VMA_FLAG_SYNC = 0x80_0000,
    VMA_FLAG_ARM64_BTI = 0,
    VMA_FLAG_ARCH_1 = 0x100_0000,
    VMA_FLAG_WIPEONFORK = 0x200_0000,
    VMA_FLAG_DONTDUMP = 0x400_0000,
    VMA_FLAG_MIXEDMAP = 0x1000_0000,
    VMA_FLAG_HUGEPAGE = 0x2000_0000,
    VMA_FLAG_NOHUGEPAGE = 0x4000_0000,
    VMA_FLAG_MERGEABLE = 0x8000_0000,
    VMA_FLAG_PKEY_BIT0 = 0x1_0000_0000,
    VMA_FLAG_PKEY_BIT1 = 0x2_0000_0000,
    VMA_FLAG_PKEY_BIT2 = 0x4_0000_0000,
    VMA_FLAG_PKEY_BIT3 = 0x8_0000_0000,
    VMA_FLAG_PKEY_BIT4 = 0,
    VMA_FLAG_MTE = 0,
    VMA_FLAG_MTE_ALLOWED = 0,
    VMA_FLAG_SHADOW_STACK = 0x20_0000_0000,
    VMA_FLAG_ALLOW_ANY_UNCACHED = 0x80_0000_0000,
    VMA_FLAG_DROPPABLE = 0x100_0000_0000,
    VMA_FLAG_UFFD_MINOR = 0x200_0000_0000,
    VMA_FLAG_SEALED = 0x400_0000_0000,
    VMA_FLAG_UFFD_RWP = 0,
    VMA_FLAG_ACCESS_FLAGS = 0x7,
    VMA_FLAG_ARCH_CLEAR = 0,
    VMA_FLAG_COPY_ON_FORK = 0x1000_1c00,
    VMA_FLAG_DATA_FLAGS_NON_EXEC = 0x73,
    VMA_FLAG_DATA_FLAGS_EXEC = 0x77,
    VMA_FLAG_FLAGS_CLEAR = 0xf_0000_0000,
    VMA_FLAG_INIT_DEF_MASK = 0x4000_0000,
    VMA_FLAG_LOCKED_MASK = 0x8_2000,
    VMA_FLAG_NO_KHUGEPAGED = 0x1044_4400,
    VMA_FLAG_SEALED_SYSMAP = 0,
    VMA_FLAG_SPECIAL = 0x1004_4400,
    VMA_FLAG_STACK = 0x100,
    VMA_FLAG_STACK_EARLY = 0,
    VMA_FLAG_STACK_INCOMPLETE_SETUP = 0x1_8000,
    VMA_FLAG_STARTGAP_FLAGS = 0x20_0000_0100,
}

#[cfg(CONFIG_64BIT)]
flags! { VMA_FLAG_SOFTDIRTY = 0x800_0000, VMA_FLAG_STICKY = 0x800_0800 }
#[cfg(not(CONFIG_64BIT))]
flags! { VMA_FLAG_SOFTDIRTY = 0, VMA_FLAG_STICKY = 0x800 }

/// Whether it is Linux 6.18, rather than 7.3.
pub const ADVICE_CHECKED_LATE: bool = cfg!(CONFIG_BASE_6_18);
#[cfg(CONFIG_BASE_6_18)]
flags! { VMA_FLAG_DOFORK_REFUSES = 0x4000 }
#[cfg(not(CONFIG_BASE_6_18))]
flags! { VMA_FLAG_DOFORK_REFUSES = 0x1004_4400 }
