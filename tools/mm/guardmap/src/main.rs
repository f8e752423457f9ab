// SPDX-License-Identifier: GPL-2.0

//! Prints the guard regions of processes: what `MADV_GUARD_INSTALL` made fatal to touch.
//!
//! Guards are in page tables. `gu` in `/proc/PID/smaps` tells which mappings may have some, so that only
//! those are scanned. Where the kernel does not show `gu`, all are.

use clap::{value_parser, Arg, ArgAction, Command};
use scan::{Range, Support};
use serde_json::{json, Value};
use smaps::Mapping;
use std::{
    fs::{self, File},
    io::{self, BufReader, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

mod scan;
mod smaps;

/// What the user asks for.
struct Options {
    pids: Vec<i32>,
    all: bool,
    json: bool,
    compare: bool,
}

impl Options {
    /// Reads the command line; tells the user and ends the program when it is wrong.
    fn parse() -> Self {
        let flag = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .help(help)
                .action(ArgAction::SetTrue)
        };
        let mut matches = Command::new("guardmap")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Print the guard regions of processes")
            .override_usage("guardmap [OPTIONS] PID...\n       guardmap [OPTIONS] --all")
            .after_help(
                "Only the mappings that show `gu` in /proc/PID/smaps are scanned; all of them where the \
                 kernel does not show it.",
            )
            .arg(
                Arg::new("PID")
                    .help("The processes")
                    .action(ArgAction::Append)
                    .value_parser(value_parser!(i32).range(1..))
                    .required_unless_present("all")
                    .conflicts_with("all"),
            )
            .arg(flag("all", "Every process that you may read"))
            .arg(flag("json", "Print JSON: an array with an object for each process"))
            .arg(flag(
                "compare",
                "Scan all mappings as well, and print what each way took",
            ))
            .get_matches();
        Self {
            pids: matches
                .remove_many("PID")
                .map(Iterator::collect)
                .unwrap_or_default(),
            all: matches.get_flag("all"),
            json: matches.get_flag("json"),
            compare: matches.get_flag("compare"),
        }
    }
}

/// How much was scanned, and how long it took, with the reading of the list of mappings.
struct Cost {
    mappings: usize,
    bytes: u64,
    time: Duration,
}

/// Mappings, each with its guards.
type Found = Vec<(Mapping, Vec<Range>)>;

/// What was found in a process.
struct Report {
    pid: i32,
    command: String,
    found: Found,
    cost: Cost,
    /// Of a scan of all.
    full: Option<Cost>,
}

/// Scans the mappings of a process that are `wanted`, of those that `list`, a file of its folder, has.
///
/// # Errors
///
/// Those of the files, such as that the process is gone or another user's.
fn scan_process(
    pid: i32,
    list: &str,
    wanted: impl Fn(&Mapping) -> bool,
) -> io::Result<(Found, Cost)> {
    let started = Instant::now();
    let open = |name: &str| File::open(format!("/proc/{pid}/{name}"));
    let mut mappings = smaps::parse(BufReader::new(open(list)?))?;
    mappings.retain(wanted);
    let mut cost = Cost {
        mappings: mappings.len(),
        bytes: mappings.iter().map(|m| m.end - m.start).sum(),
        time: Duration::ZERO,
    };
    let mut found = Vec::new();
    if !mappings.is_empty() {
        let pagemap = open("pagemap")?;
        for mapping in mappings {
            let mut ranges = Vec::new();
            scan::scan(&pagemap, mapping.start, mapping.end, &mut ranges)?;
            if !ranges.is_empty() {
                found.push((mapping, ranges));
            }
        }
    }
    cost.time = started.elapsed();
    Ok((found, cost))
}

/// Where the kernel says how much of a mapping is guards, those without any are passed over.
fn worth_a_scan(mapping: &Mapping) -> bool {
    mapping.may_have_guards && mapping.guarded != Some(0)
}

/// Looks for the guards of a process, by `gu` where the kernel shows it.
fn report(pid: i32, shows_gu: bool, compare: bool) -> io::Result<Report> {
    let full = || scan_process(pid, "maps", |_| true);
    let (found, cost) = match shows_gu {
        true => scan_process(pid, "smaps", worth_a_scan)?,
        false => full()?,
    };
    let full = match shows_gu && compare {
        true => Some(full()?.1),
        false => None,
    };
    // The process may be gone by now.
    let command = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    Ok(Report {
        pid,
        command: String::from_utf8_lossy(&command).trim_end().to_owned(),
        found,
        cost,
        full,
    })
}

fn is_gone(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH)
}

/// What is wrong, in words.
fn explain(pid: i32, e: &io::Error) -> String {
    if is_gone(e) {
        return format!("no process {pid}");
    }
    match (e.kind(), e.raw_os_error()) {
        (io::ErrorKind::PermissionDenied, _) => {
            format!("no permission to read process {pid}: it is of another user, or protected")
        }
        (_, Some(libc::EINVAL | libc::ENOTTY)) => {
            "this kernel cannot scan page tables for guard regions".to_owned()
        }
        _ => format!("process {pid}: {e}"),
    }
}

/// Whether a process, one of all, is simply passed over.
fn is_out_of_reach(e: &io::Error) -> bool {
    is_gone(e) || e.kind() == io::ErrorKind::PermissionDenied
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{} {}", report.pid, report.command)?;
    for (mapping, ranges) in &report.found {
        for range in ranges {
            let kilobytes = (range.end - range.start) >> 10;
            write!(
                out,
                "  {:x}-{:x} {kilobytes:>8} kB  {}",
                range.start, range.end, mapping.permissions
            )?;
            writeln!(
                out,
                "  in {:x}-{:x} {}",
                mapping.start, mapping.end, mapping.name
            )?;
        }
    }
    if report.found.is_empty() {
        writeln!(out, "  no guard regions")?;
    }
    if let Some(full) = &report.full {
        for (way, cost) in [("gu and scan", &report.cost), ("scan of all", full)] {
            writeln!(
                out,
                "  {way}: {} mappings, {} kB, {} us",
                cost.mappings,
                cost.bytes >> 10,
                cost.time.as_micros()
            )?;
        }
    }
    Ok(())
}

fn as_json(report: &Report) -> Value {
    let cost = |cost: &Cost| {
        json!({
            "mappings": cost.mappings,
            "bytes": cost.bytes,
            "microseconds": cost.time.as_micros() as u64,
        })
    };
    let range = |range: &Range| json!({ "start": range.start, "end": range.end });
    let mapping = |(mapping, ranges): &(Mapping, Vec<Range>)| {
        json!({
            "start": mapping.start,
            "end": mapping.end,
            "permissions": mapping.permissions,
            "name": mapping.name,
            "guards": ranges.iter().map(range).collect::<Vec<_>>(),
        })
    };
    json!({
        "pid": report.pid,
        "command": report.command,
        "mappings": report.found.iter().map(mapping).collect::<Vec<_>>(),
        "scanned": cost(&report.cost),
        "scan_of_all": report.full.as_ref().map(cost),
    })
}

/// All processes.
fn processes() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        );
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Prints what there is, and returns whether something was wrong.
fn run(options: &Options, out: &mut impl Write) -> io::Result<bool> {
    let shows_gu = match scan::support()? {
        Support::Flag => true,
        Support::ScanOnly => {
            eprintln!("guardmap: this kernel does not show gu: scanning all mappings");
            false
        }
        Support::NoGuards => {
            eprintln!("guardmap: this kernel has no guard regions");
            return Ok(true);
        }
    };
    let pids = match options.all {
        false => options.pids.clone(),
        true => processes()?,
    };
    let (mut failed, mut any) = (false, false);
    let mut reports = Vec::new();
    for pid in pids {
        match report(pid, shows_gu, options.compare) {
            Ok(report) if options.all && report.found.is_empty() => {}
            Ok(report) => {
                any = true;
                match options.json {
                    true => reports.push(as_json(&report)),
                    false => print(out, &report)?,
                }
            }
            Err(e) if options.all && is_out_of_reach(&e) => {}
            Err(e) => {
                failed = true;
                eprintln!("guardmap: {}", explain(pid, &e));
            }
        }
    }
    if options.all && !any {
        eprintln!("guardmap: no process that may be read has guards");
    }
    if options.json {
        writeln!(out, "{:#}", Value::Array(reports))?;
    }
    Ok(failed)
}

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    match run(&Options::parse(), &mut out).and_then(|failed| out.flush().map(|()| failed)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("guardmap: {e}");
            ExitCode::FAILURE
        }
    }
}
