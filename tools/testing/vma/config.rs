// SPDX-License-Identifier: GPL-2.0

//! The build script of all crates: the options of the kernel that the model stands for.
//!
//! All are on. `VMA_WITHOUT` names those that are to be off, without `CONFIG_`, separated by blanks.
//! Without `64BIT` the flags of a VMA have 32 bits, as on arm. `BASE_6_18` is no option of the kernel:
//! without it, it is Linux 7.3.

use std::env;

/// Options that a test can turn off.
const OPTIONS: &[&str] = &[
    "64BIT",
    "ANON_VMA_NAME",
    "BASE_6_18",
    "KSM",
    "MEMORY_FAILURE",
    "SWAP",
    "TRANSPARENT_HUGEPAGE",
];

/// Options of the 64-bit architecture.
const OPTIONS_64BIT: &[&str] = &[
    "ARCH_HAS_PKEYS",
    "HAVE_ARCH_USERFAULTFD_MINOR",
    "MEM_SOFT_DIRTY",
    "X86_64",
    "X86_USER_SHADOW_STACK",
];

/// Options that the sources ask for and the model does not have.
const ABSENT: &[&str] = &[
    "ARM64",
    "ARM64_BTI",
    "ARM64_GCS",
    "ARM64_MTE",
    "MSEAL_SYSTEM_MAPPINGS",
    // The KUnit tests need a kernel.
    "RUST_VMA_KUNIT_TEST",
    "USERFAULTFD_RWP",
];

fn main() {
    println!("cargo::rerun-if-env-changed=VMA_WITHOUT");
    let without = env::var("VMA_WITHOUT").unwrap_or_default();
    let without: Vec<&str> = without.split_whitespace().collect();
    for option in &without {
        assert!(
            OPTIONS.contains(option),
            "VMA_WITHOUT: {option} is not known"
        );
    }
    let enable = |option: &str| println!("cargo::rustc-cfg=CONFIG_{option}");
    let declare = |option: &str| println!("cargo::rustc-check-cfg=cfg(CONFIG_{option})");

    for option in [OPTIONS, OPTIONS_64BIT, ABSENT].concat() {
        declare(option);
    }
    declare("ARM");
    println!("cargo::rustc-check-cfg=cfg(CONFIG_ARCH_PKEY_BITS, values(\"4\", \"5\"))");

    for option in OPTIONS.iter().filter(|option| !without.contains(option)) {
        enable(option);
    }
    if without.contains(&"64BIT") {
        enable("ARM");
    } else {
        OPTIONS_64BIT.iter().for_each(|option| enable(option));
        println!("cargo::rustc-cfg=CONFIG_ARCH_PKEY_BITS=\"4\"");
    }
}
