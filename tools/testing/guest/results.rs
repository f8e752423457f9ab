// SPDX-License-Identifier: GPL-2.0

//! Reads what tests print in the guests, compares it by name with the stock kernel's results, and counts.
//!
//! - `results jobs LOG`: the results in LOG, where each job stands between `#### start JOB` and `#### end JOB STATUS`.
//! - `results kunit LOG`: the KUnit results in a kernel log.
//! - `results stable RESULTS...`: what several runs of the stock kernel have in common, as stock data.
//! - `results judge SET STOCK KNOWN RESULTS`: the verdict on each test of SET, given the stock data and the reasons for
//!   failures that the stock kernel has too.
//! - `results summary`: reads verdicts; prints what failed and what was skipped, and the count as the last line.
//!
//! Results and verdicts are lines of name, `pass`, `fail` or `skip`, reason and place, with tabs between them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Read};
use std::process::ExitCode;

const SKIP_STATUS: i32 = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Pass,
    Fail,
    Skip,
}
use Outcome::{Fail, Pass, Skip};

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass => "pass",
            Fail => "fail",
            Skip => "skip",
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Test {
    name: String,
    outcome: Outcome,
    reason: String,
    place: String,
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\t{}\t{}\t{}",
            self.name, self.outcome, self.reason, self.place
        )
    }
}

fn parse_test(line: &str) -> Result<Test, String> {
    let mut fields = line.split('\t').map(str::to_owned);
    let mut field = || fields.next().unwrap_or_default();
    let name = field();
    let outcome = match field().as_str() {
        "pass" => Pass,
        "fail" => Fail,
        "skip" => Skip,
        other => return Err(format!("'{other}' is not a result: {line}")),
    };
    Ok(Test {
        name,
        outcome,
        reason: field(),
        place: field(),
    })
}

fn parse_tests(text: &str) -> Result<Vec<Test>, String> {
    text.lines()
        .filter(|l| !l.starts_with('#'))
        .map(parse_test)
        .collect()
}

/// Parses `ok 3 name`, `not ok 3 name`, `ok 3 name # SKIP reason` and kselftest's `ok 3 # SKIP name`.
fn parse_tap(line: &str) -> Option<Test> {
    let (ok, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    number.parse::<u32>().ok()?;
    let rest = &rest.strip_prefix("- ").unwrap_or(rest).replace('\t', " ");
    let mut test = Test {
        name: rest.trim().to_owned(),
        outcome: if ok { Pass } else { Fail },
        reason: String::new(),
        place: String::new(),
    };
    for directive in ["# SKIP", "# XFAIL"] {
        if let Some((name, reason)) = rest.split_once(directive) {
            let (name, reason) = (name.trim(), reason.trim());
            test.outcome = if ok { Skip } else { Fail };
            test.name = if name.is_empty() { reason } else { name }.to_owned();
            test.reason = match (name, directive) {
                ("", "# XFAIL") => "expected to fail",
                ("", _) => "",
                _ => reason,
            }
            .to_owned();
        }
    }
    Some(test)
}

/// The name without what chance puts into it: `mrelease_test` doubles the size of its child, and names it, each time
/// that the child has ended before it could be reaped.
fn steady_name(name: &str) -> String {
    const VARIES: &str = "Success reaping a child with ";
    match name.split_once(VARIES) {
        Some((before, rest)) => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}{VARIES}N{rest}")
        }
        None => name.to_owned(),
    }
}

/// What one job printed, and how it ended.
struct Job<'a> {
    name: &'a str,
    lines: Vec<(usize, &'a str)>,
    status: Option<i32>,
}

impl Job<'_> {
    fn results(&self, log: &str) -> Vec<Test> {
        let mut seen = HashMap::new();
        let mut tests = Vec::new();
        let mut planned = None;
        let mut comment = "";
        for (number, line) in &self.lines {
            if let Some(mut test) = parse_tap(line) {
                test.name = steady_name(&test.name);
                let count = seen.entry(test.name.clone()).or_insert(0);
                *count += 1;
                let again = if *count > 1 {
                    format!(" (#{count})")
                } else {
                    String::new()
                };
                test.name = format!("{}: {}{again}", self.name, test.name);
                test.place = format!("{log}:{number}");
                if test.outcome == Skip && test.reason.is_empty() {
                    test.reason = comment.to_owned();
                }
                comment = "";
                tests.push(test);
            } else if let Some(plan) = line.strip_prefix("1..") {
                let (count, reason) = plan.split_once('#').unwrap_or((plan, ""));
                planned = count.trim().parse::<usize>().ok();
                if !reason.is_empty() {
                    comment = reason.trim().trim_start_matches("SKIP").trim();
                }
            } else if !line.trim().is_empty() && !line.starts_with("# [") && planned != Some(0) {
                comment = line.trim_start_matches('#').trim();
            }
        }
        let short = planned.is_some_and(|planned| tests.len() < planned);
        let failed = tests.iter().any(|t| t.outcome == Fail);
        let own = match self.status {
            None => Some((Fail, "did not end".to_owned())),
            Some(0) if short => Some((Fail, "ended before its last test".to_owned())),
            Some(0) if tests.is_empty() => Some((Pass, String::new())),
            Some(SKIP_STATUS) if tests.is_empty() => Some((Skip, comment.to_owned())),
            Some(0 | SKIP_STATUS) => None,
            Some(124 | 137 | 143) => Some((Fail, "ran out of time".to_owned())),
            Some(status) if short || !failed => Some((Fail, format!("ended with status {status}"))),
            Some(_) => None,
        };
        if let Some((outcome, reason)) = own {
            let place = format!(
                "{log}:{}",
                self.lines.last().map_or(1, |(number, _)| *number)
            );
            tests.push(Test {
                name: self.name.to_owned(),
                outcome,
                reason,
                place,
            });
        }
        tests
    }
}

fn jobs(log: &str, text: &str) -> Result<Vec<Test>, String> {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = line.strip_prefix("#### start ") {
            jobs.push(Job {
                name,
                lines: Vec::new(),
                status: None,
            });
        } else if let Some(job) = jobs.last_mut().filter(|job| job.status.is_none()) {
            match line
                .strip_prefix("#### end ")
                .and_then(|rest| rest.rsplit_once(' '))
            {
                Some((name, status)) if name == job.name => {
                    job.status = Some(
                        status
                            .parse()
                            .map_err(|_| format!("bad status in: {line}"))?,
                    );
                }
                _ => job.lines.push((number, line)),
            }
        }
    }
    Ok(jobs.iter().flat_map(|job| job.results(log)).collect())
}

/// Reads nested KTAP: a result line closes the indented ones before it, which are its subtests.
fn kunit(log: &str, text: &str) -> Vec<Test> {
    let mut open: Vec<(usize, Test)> = Vec::new();
    let mut started = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = match line.split_once("] ") {
            Some((time, rest)) if time.starts_with('[') => rest,
            _ => line,
        };
        started |= line.starts_with("KTAP version");
        let depth = line.len() - line.trim_start().len();
        let Some(mut test) = parse_tap(line.trim_start()).filter(|_| started) else {
            continue;
        };
        test.place = format!("{log}:{number}");
        let first = open
            .iter()
            .position(|(d, _)| *d > depth)
            .unwrap_or(open.len());
        let explained = open[first..].iter().any(|(_, t)| t.outcome == Fail);
        for (d, subtest) in &mut open[first..] {
            *d = depth;
            subtest.name = format!("{}.{}", test.name, subtest.name);
        }
        if first == open.len() || test.outcome == Fail && !explained {
            open.push((depth, test));
        }
    }
    let mut tests: Vec<Test> = Vec::new();
    if open.is_empty() || open.iter().any(|(depth, _)| *depth > 0) {
        let reason = if open.is_empty() {
            "no KUnit test ran"
        } else {
            "a suite did not end"
        };
        tests.push(Test {
            name: "kunit".into(),
            outcome: Fail,
            reason: reason.into(),
            place: log.into(),
        });
    }
    tests.extend(open.into_iter().map(|(_, t)| Test {
        name: format!("kunit: {}", t.name),
        ..t
    }));
    tests
}

/// Keeps what every run says alike. A test whose result changes is not kept, and said on stderr.
fn stable(runs: &[Vec<Test>]) -> Vec<Test> {
    let mut by_name: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in runs.iter().flatten() {
        by_name.entry(&test.name).or_default().push(test);
    }
    let mut kept = Vec::new();
    for (name, tests) in by_name {
        if tests.len() == runs.len() && tests.iter().all(|t| t.outcome == tests[0].outcome) {
            kept.push(tests[0].clone());
        } else {
            let outcomes: Vec<_> = tests.iter().map(|t| t.outcome.to_string()).collect();
            eprintln!("not stable: {name}: {}", outcomes.join(" "));
        }
    }
    kept
}

/// The reasons for failures of the stock kernel: lines of a test's name with its set (a `*` at the end stands for any
/// rest), a tab and the reason.
fn reason<'a>(known: &'a str, name: &str) -> Option<&'a str> {
    known
        .lines()
        .filter(|l| !l.starts_with('#'))
        .find_map(|line| {
            let (pattern, reason) = line.split_once('\t')?;
            let found = match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == pattern,
            };
            found.then_some(reason)
        })
}

fn judge(set: &str, stock: &[Test], known: &str, tests: Vec<Test>) -> Vec<Test> {
    let expected: HashMap<&str, Outcome> =
        stock.iter().map(|t| (t.name.as_str(), t.outcome)).collect();
    let mut missing: BTreeMap<&str, Outcome> = expected.iter().map(|(n, o)| (*n, *o)).collect();
    let mut verdicts = Vec::new();
    let arch = set.strip_suffix("-debug").unwrap_or(set);
    for test in tests {
        missing.remove(test.name.as_str());
        let name = format!("{set}/{}", test.name);
        let why_not_debug = reason(known, &name).filter(|_| set != arch);
        let why = reason(known, &format!("{arch}/{}", test.name));
        let (outcome, reason) = match (test.outcome, expected.get(test.name.as_str())) {
            (Fail, Some(Fail)) => match why {
                Some(reason) => (Skip, format!("fails on the stock kernel too: {reason}")),
                None => (
                    Fail,
                    "fails on the stock kernel too, but no reason is recorded".to_owned(),
                ),
            },
            (Fail, None) => match why {
                Some(reason) => (
                    Skip,
                    format!("no stable result on the stock kernel: {reason}"),
                ),
                None => (Fail, test.reason),
            },
            (Skip, Some(Pass)) if why_not_debug.is_some() => {
                (Skip, why_not_debug.unwrap_or_default().to_owned())
            }
            (Fail | Skip, Some(Pass)) => (
                Fail,
                format!(
                    "passes on the stock kernel, here: {} {}",
                    test.outcome, test.reason
                ),
            ),
            (outcome, _) => (outcome, test.reason),
        };
        verdicts.push(Test {
            name,
            outcome,
            reason,
            place: test.place,
        });
    }
    for (name, outcome) in missing.into_iter().filter(|(_, outcome)| *outcome != Skip) {
        verdicts.push(Test {
            name: format!("{set}/{name}"),
            outcome: Fail,
            reason: format!("did not run; stock kernel: {outcome}"),
            place: String::new(),
        });
    }
    verdicts
}

/// Prints the summary; false when something failed or nothing passed.
fn summary(verdicts: &[Test]) -> bool {
    let mut jobs: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut skipped: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut total = [0; 3];
    for test in verdicts {
        let (job, name) = test.name.split_once(": ").unwrap_or((&test.name, ""));
        jobs.entry(job).or_default()[test.outcome as usize] += 1;
        total[test.outcome as usize] += 1;
        if test.outcome == Skip {
            skipped.entry((job, &test.reason)).or_default().push(name);
        }
    }
    println!("Passed, failed, skipped:");
    for (job, [passed, failed, skipped]) in &jobs {
        println!("  {passed:5} {failed:5} {skipped:5}  {job}");
    }
    if !skipped.is_empty() {
        println!("Skipped:");
    }
    for ((job, reason), names) in &skipped {
        let what = match names.as_slice() {
            [""] => String::new(),
            [name] => format!(": {name}"),
            names => format!(": {} tests", names.len()),
        };
        let reason = if reason.is_empty() {
            "the test gives no reason"
        } else {
            reason
        };
        println!("  {job}{what} ({reason})");
    }
    if total[Fail as usize] > 0 {
        println!("Failed:");
    }
    for test in verdicts.iter().filter(|t| t.outcome == Fail) {
        let reason = match test.reason.trim() {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        println!("  {}{reason} {}", test.name, test.place);
    }
    let [passed, failed, skipped] = total;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    failed == 0 && passed > 0
}

fn read(path: &str) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn run(args: &[&str]) -> Result<bool, String> {
    let tests = match args {
        ["jobs", log] => jobs(log, &read(log)?)?,
        ["kunit", log] => kunit(log, &read(log)?),
        ["stable", files @ ..] => {
            let runs = files
                .iter()
                .map(|f| parse_tests(&read(f)?))
                .collect::<Result<Vec<_>, _>>()?;
            stable(&runs)
                .into_iter()
                .map(|t| Test {
                    reason: String::new(),
                    place: String::new(),
                    ..t
                })
                .collect()
        }
        ["judge", set, stock, known, results] => judge(
            set,
            &parse_tests(&read(stock)?)?,
            &read(known)?,
            parse_tests(&read(results)?)?,
        ),
        ["summary"] => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| e.to_string())?;
            return Ok(summary(&parse_tests(&text)?));
        }
        _ => {
            return Err("use jobs, kunit, stable, judge or summary; the source says how".to_owned())
        }
    };
    for test in tests {
        println!("{}", test.to_string().trim_end());
    }
    Ok(true)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("results: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(tests: &[Test]) -> Vec<String> {
        tests
            .iter()
            .map(|t| {
                format!("{} {} {}", t.name, t.outcome, t.reason)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn tap_lines() {
        let cases = [
            ("ok 1 a.b", Some("a.b pass")),
            ("ok 1 - a b", Some("a b pass")),
            ("not ok 12 a", Some("a fail")),
            ("ok 3 a # SKIP no pages", Some("a skip no pages")),
            ("ok 3 # SKIP fork", Some("fork skip")),
            ("ok 3 # XFAIL a", Some("a skip expected to fail")),
            ("okay", None),
            ("ok then", None),
            (" ok 1 a", None),
        ];
        for (line, expected) in cases {
            let found = parse_tap(line).map(|t| brief(&[t]).remove(0));
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn jobs_by_name_and_status() {
        let log = "#### start tap\n1..3\nok 1 a\nok 2 a\nnot ok 3 b\n\n#### end tap 1\n\
                   #### start plain\nhello\n#### end plain 0\n\
                   #### start bare\nwhy not\n#### end bare 4\n\
                   #### start crash\n1..2\nok 1 a\n#### end crash 139\n\
                   #### start late\nok 1 a\n#### end late 0\n\
                   #### start short\n1..2\nok 1 a\n#### end short 0\n\
                   #### start skips\n# [RUN] a\n# no memory\nok 1 # SKIP a\nok 2 # SKIP b\n#### end skips 0\n\
                   #### start hang\nok 1 a\n";
        assert_eq!(
            brief(&jobs("log", log).unwrap()),
            [
                "tap: a pass",
                "tap: a (#2) pass",
                "tap: b fail",
                "plain pass",
                "bare skip why not",
                "crash: a pass",
                "crash fail ended with status 139",
                "late: a pass",
                "short: a pass",
                "short fail ended before its last test",
                "skips: a skip no memory",
                "skips: b skip",
                "hang: a pass",
                "hang fail did not end",
            ]
        );
    }

    #[test]
    fn names_without_chance() {
        let log = |size| {
            format!(
                "#### start m\n1..1\nok 1 Success reaping a child with {size}MB of memory\n#### end m 0\n"
            )
        };
        let expected = ["m: Success reaping a child with NMB of memory pass"];
        assert_eq!(brief(&jobs("log", &log(1)).unwrap()), expected);
        assert_eq!(brief(&jobs("log", &log(64)).unwrap()), expected);
    }

    #[test]
    fn kunit_nesting() {
        let log = "[    1.0] ok 7 before\n[    1.0] KTAP version 1\n[    1.0] 1..1\n\
                   [    1.0]     KTAP version 1\n[    1.0]     # Subtest: s\n\
                   [    1.0]     ok 1 a\n[    1.0]     not ok 2 b\n[    1.0] not ok 1 s\n";
        assert_eq!(
            brief(&kunit("log", log)),
            ["kunit: s.a pass", "kunit: s.b fail"]
        );
        assert_eq!(brief(&kunit("log", "")), ["kunit fail no KUnit test ran"]);
        let cut = log.rsplit_once("[    1.0] not ok").unwrap().0;
        assert_eq!(
            brief(&kunit("log", cut))[0],
            "kunit fail a suite did not end"
        );
    }

    #[test]
    fn only_stable_results_are_kept() {
        let run = |text: &str| parse_tests(text).unwrap();
        let kept = stable(&[run("a\tpass\nb\tfail\nc\tpass"), run("a\tpass\nb\tpass")]);
        assert_eq!(brief(&kept), ["a pass"]);
    }

    #[test]
    fn verdicts() {
        let stock =
            parse_tests("p\tpass\nq\tpass\nr\tpass\nf\tfail\ng\tfail\ns\tskip\nt\tskip").unwrap();
        let known = "arm/f\tits own fault\narm/u*\tshaky";
        let ours = "p\tpass\nq\tskip\tno\nf\tfail\ng\tfail\ns\tfail\tbad\nnew\tfail\tworse\nnewer\tpass\nunstable\tfail";
        assert_eq!(
            brief(&judge("arm", &stock, known, parse_tests(ours).unwrap())),
            [
                "arm/p pass",
                "arm/q fail passes on the stock kernel, here: skip no",
                "arm/f skip fails on the stock kernel too: its own fault",
                "arm/g fail fails on the stock kernel too, but no reason is recorded",
                "arm/s fail bad",
                "arm/new fail worse",
                "arm/newer pass",
                "arm/unstable skip no stable result on the stock kernel: shaky",
                "arm/r fail did not run; stock kernel: pass",
            ]
        );
        let known = "arm/f\tits own fault\narm-debug/p\tnot there";
        let debug = |ours| judge("arm-debug", &stock[..1], known, parse_tests(ours).unwrap());
        assert_eq!(
            brief(&debug("f\tfail\np\tskip\tno")),
            [
                "arm-debug/f skip no stable result on the stock kernel: its own fault",
                "arm-debug/p skip not there",
            ]
        );
        assert_eq!(
            brief(&debug("p\tfail\tno")),
            ["arm-debug/p fail passes on the stock kernel, here: fail no"]
        );
    }

    #[test]
    fn a_failure_or_no_pass_fails() {
        let verdicts = |text: &str| summary(&parse_tests(text).unwrap());
        assert!(verdicts("a\tpass\nb\tskip"));
        assert!(!verdicts("a\tpass\nb\tfail"));
        assert!(!verdicts("b\tskip"));
        assert!(!verdicts(""));
    }
}
