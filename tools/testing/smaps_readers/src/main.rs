// SPDX-License-Identifier: GPL-2.0

//! Prints what the crate `procfs` reads in the smaps of a process: for each mapping a line of its first address and its
//! fields, whose sizes are in bytes.

use procfs::{process::Process, ProcResult};

fn main() -> ProcResult<()> {
    let pid = std::env::args().nth(1).and_then(|pid| pid.parse().ok());
    for mapping in Process::new(pid.ok_or("use: smaps_procfs PID")?)?.smaps()? {
        print!("{:x}", mapping.address.0);
        for (name, value) in &mapping.extension.map {
            print!(" {name}={value}");
        }
        println!();
    }
    Ok(())
}
