//! What a followed change feed costs a hit: with nothing changed since the entry was last looked at, with a change since, and
//! while ten thousand changes a second arrive.

mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tower_zookie::cache::Stats;
use tower_zookie_benches::{Effort, Report, Sample, interleaved};

use crate::service::{Change, Checks, Writes};

const WITHOUT: &str = "no feed";

/// How many questions there are. Each is asked once in a round.
const QUESTIONS: usize = 1000;

/// How many changes a second the busy feed reports.
const BUSY: f64 = 10_000.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let effort = Effort::from_args();
    let runtime = Runtime::new()?;
    let _entered = runtime.enter();
    let mut report = Report::new("followed");
    hits(effort, &runtime, &mut report)?;
    busy(effort, &runtime, &mut report)?;
    report.finish()?;
    Ok(())
}

/// The time of a hit.
fn hits(effort: Effort, runtime: &Runtime, report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    let (quiet, without_structure) = (Checks::followed(runtime, 100_000)?, Checks::followed(runtime, 0)?);
    let without = Checks::unfollowed(runtime)?;
    let rows: [(&str, &Checks, Option<Change>); 6] = [
        (WITHOUT, &without, None),
        ("followed, nothing changed", &without_structure, None),
        ("followed, a user changed", &without_structure, Some(Change::User)),
        ("with structure, nothing changed", &quiet, None),
        ("with structure, a user changed", &quiet, Some(Change::User)),
        ("with structure, a group changed", &quiet, Some(Change::Group)),
    ];
    let candidates = rows.iter().map(|(_, checks, change)| {
        let candidate = move || {
            if let Some(change) = change {
                checks.write(*change);
            } else {
                // Nothing is left to look at.
                checks.ask_all(runtime);
            }
            checks.ask_all(runtime)
        };
        Box::new(candidate) as Box<dyn FnMut() -> Duration>
    });
    let mut candidates: Vec<_> = candidates.collect();
    let rounds = effort.pick(2, 101, 501);
    let times: Vec<Vec<f64>> = interleaved(rounds, &mut candidates)
        .into_iter()
        .map(|times| {
            times
                .iter()
                .map(|time| time.as_nanos() as f64 / QUESTIONS as f64)
                .collect()
        })
        .collect();
    for ((name, checks, _), time) in rows.iter().zip(&times) {
        report.measured(name, "1,000 questions", "time", Sample::of(time), "ns");
        let ratio = Sample::of_ratios(time, &times[0]);
        report.ratio(name, "1,000 questions", "ratio", ratio, WITHOUT);
        let Stats { bytes, entries, .. } = checks.stats();
        report.counted(name, "1,000 questions", "entry", bytes as f64 / entries as f64, "B");
        let misses = checks.misses_since_the_start() as f64 / (rounds * QUESTIONS) as f64;
        report.counted(name, "1,000 questions", "misses", misses * 100.0, "%");
    }
    Ok(())
}

/// The hits a second while changes arrive, against the same without changes.
fn busy(effort: Effort, runtime: &Runtime, report: &mut Report) -> Result<(), Box<dyn std::error::Error>> {
    let checks = Checks::followed(runtime, 100_000)?;
    let length = Duration::from_millis(effort.pick(20, 200, 500));
    let (writes, arrives) = (Writes::of(&checks), Arc::new(AtomicBool::new(false)));
    let writer = writes.at_rate(BUSY, Arc::clone(&arrives));
    let (quiet, busy) = ("no changes", "10,000 changes a second");
    let throughput = |changes: bool| {
        let (checks, arrives) = (&checks, &arrives);
        Box::new(move || {
            arrives.store(changes, Ordering::Relaxed);
            // The feed has come, or has come to an end.
            std::thread::sleep(length / 10);
            let (before, start) = (checks.stats(), Instant::now());
            let mut asked = 0;
            while start.elapsed() < length {
                checks.ask_all(runtime);
                asked += QUESTIONS;
            }
            let took = start.elapsed().as_secs_f64();
            arrives.store(false, Ordering::Relaxed);
            let after = checks.stats();
            let changes = (after.feeds.changes - before.feeds.changes) as f64 / took;
            let misses = (after.misses.total() - before.misses.total()) as f64 / asked as f64;
            (asked as f64 / took, changes, misses)
        }) as Box<dyn FnMut() -> (f64, f64, f64)>
    };
    let measured = interleaved(effort.pick(2, 21, 101), &mut [throughput(false), throughput(true)]);
    writer.stop();
    let of = |row: usize, what: fn(&(f64, f64, f64)) -> f64| measured[row].iter().map(what).collect::<Vec<_>>();
    let idle = of(0, |one| one.0);
    for (row, name) in [quiet, busy].into_iter().enumerate() {
        let hits = of(row, |one| one.0);
        report.measured(name, "throughput", "hits a second", Sample::of(&hits), "");
        report.ratio(name, "throughput", "ratio", Sample::of_ratios(&hits, &idle), quiet);
        report.measured(
            name,
            "throughput",
            "changes a second",
            Sample::of(&of(row, |one| one.1)),
            "",
        );
        let misses: Vec<f64> = of(row, |one| one.2 * 100.0);
        report.measured(name, "throughput", "misses", Sample::of(&misses), "%");
    }
    Ok(())
}
