// SPDX-License-Identifier: GPL-2.0

//! The lines of smaps, by the functions that C calls.

use kernel::{mm::VmFlags, page::PAGE_SIZE};
use proptest::prelude::*;

/// The letters of each bit on x86_64, or on arm, from `Documentation/filesystems/proc.rst` and C.
const LETTERS: [&str; 32] = [
    "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "gu", "uw", "lo", "io", "sr",
    "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "mm", "hg", "nh", "mg",
];

fn letters(bit: u32) -> &'static str {
    match bit {
        27 if !cfg!(CONFIG_64BIT) => "??",
        0..32 => LETTERS[bit as usize],
        // The protection key has a line of its own.
        32..=35 => "",
        37 => "ss",
        40 => "dp",
        41 => "ui",
        42 => "sl",
        _ => "??",
    }
}

fn line(flags: VmFlags) -> String {
    String::from_utf8(policy::vm_flags_line(flags)).expect("ASCII")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_bit_has_its_letters(bits in any::<kernel::bindings::vm_flags_t>()) {
        let flags = VmFlags::from_bits(bits);
        let mut expected = String::from("VmFlags: ");
        for bit in flags.set_bits() {
            let letters = letters(bit as u32);
            if !letters.is_empty() {
                expected += letters;
                expected += " ";
            }
        }
        expected += "\n";
        prop_assert_eq!(line(flags), expected);
    }
}

#[test]
fn no_and_all_flags() {
    assert_eq!(line(VmFlags::NONE), "VmFlags: \n");
    let all = line(!VmFlags::NONE);
    assert!(all.starts_with("VmFlags: rd wr ") && all.ends_with(" \n"));
}

#[test]
fn guards_are_shown_where_there_are_none_too() {
    let line = |size| String::from_utf8(policy::guard_line(size)).expect("ASCII");
    assert_eq!(line(0), "Guard:                 0 kB\n");
    assert_eq!(line(3 * PAGE_SIZE), "Guard:                12 kB\n");
    assert_eq!(line(1 << 31), "Guard:           2097152 kB\n");
}
