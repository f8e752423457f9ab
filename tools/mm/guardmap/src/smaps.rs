// SPDX-License-Identifier: GPL-2.0

//! What `/proc/PID/smaps` says of guard regions.
//!
//! The `procfs` crate does not know the flag `gu`, so its parser is of no help here.

use std::io::{self, BufRead};

/// A mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The address behind the last one.
    pub end: u64,
    /// Read, write, execute, and shared or private, as in `rw-p`.
    pub permissions: String,
    /// The file or the name, or nothing.
    pub name: String,
    /// Whether `VmFlags` has `gu`.
    pub may_have_guards: bool,
    /// The line `Guard`, in bytes, where the kernel has it.
    pub guarded: Option<u64>,
}

/// Parses the line that begins a mapping; `None` when it is another one.
fn head(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        permissions: fields.next()?.to_owned(),
        name: fields.nth(3).unwrap_or_default().trim().to_owned(),
        may_have_guards: false,
        guarded: None,
    })
}

/// Parses a file like `/proc/PID/smaps`, or `/proc/PID/maps`, which tells less.
///
/// # Errors
///
/// Those of reading.
pub fn parse(mut file: impl BufRead) -> io::Result<Vec<Mapping>> {
    let mut mappings: Vec<Mapping> = Vec::new();
    let mut line = Vec::new();
    // The name of a file need not be UTF-8.
    while file.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\n');
        if let Some(mapping) = head(text) {
            mappings.push(mapping);
        } else if let (Some(mapping), Some((key, value))) =
            (mappings.last_mut(), text.split_once(':'))
        {
            match key {
                "VmFlags" => {
                    mapping.may_have_guards = value.split(' ').any(|flag| flag == "gu");
                }
                "Guard" => {
                    let kilobytes = value.trim().trim_end_matches(" kB");
                    mapping.guarded = kilobytes.parse().ok().map(|n: u64| n << 10);
                }
                _ => {}
            }
        }
        line.clear();
    }
    Ok(mappings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/a b: c
Size:                328 kB
Guard:                 0 kB
VmFlags: rd ex mr mw me
7f8f52b04000-7f8f52b14000 rw-p 00000000 00:00 0
Size:                 64 kB
THPeligible:           0
Guard:                 8 kB
VmFlags: rd wr mr mw me gu ac sd
7ffc0000-7ffe0000 rw-s 00000000 00:01 5                                  [anon_shmem:gu]
VmFlags: rd wr sh mr mw me ms gu
";

    #[test]
    fn mappings_with_and_without_guards() {
        let mappings = parse(SMAPS.as_bytes()).expect("memory can be read");
        let seen: Vec<_> = mappings
            .iter()
            .map(|m| (m.start, m.name.as_str(), m.may_have_guards, m.guarded))
            .collect();
        assert_eq!(
            seen,
            [
                (0x400000, "/usr/bin/a b: c", false, Some(0)),
                (0x7f8f52b04000, "", true, Some(8 << 10)),
                (0x7ffc0000, "[anon_shmem:gu]", true, None),
            ]
        );
        assert_eq!(mappings[1].end, 0x7f8f52b14000);
        assert_eq!(mappings[2].permissions, "rw-s");
    }

    #[test]
    fn maps_tell_of_no_guards() {
        let maps: Vec<_> = SMAPS.lines().filter(|line| head(line).is_some()).collect();
        let maps = maps.join("\n");
        let mappings = parse(maps.as_bytes()).expect("memory can be read");
        assert_eq!(mappings.len(), 3);
        assert!(mappings.iter().all(|m| !m.may_have_guards));
    }

    #[test]
    fn rubbish_is_nothing() {
        for text in [
            "",
            "\n",
            "VmFlags: gu\n",
            "x-y rw-p\n",
            "1-2\n",
            "Guard: x kB\n",
        ] {
            assert_eq!(parse(text.as_bytes()).expect("memory can be read"), []);
        }
        assert_eq!(parse(&b"1-2 r \xff\n"[..]).expect("memory").len(), 1);
    }
}
