//! What a hit costs: the layer around a bare service and around an axum Router, against a bare look-up and against
//! other caches.
//!
//! Every row asks the same checks, drawn by Zipf's law, on one thread and on two. Times are net of building the
//! requests (and of dropping them): requests are built in batches before the clock starts.

mod by_hand;
mod checks;
mod counting;
mod measure;
mod peer_rows;
mod permify;
mod requests;
mod row;
mod rows;
mod services;

use std::sync::Barrier;
use std::thread;

use tower_zookie_benches::{Effort, Report, Sample, interleaved};

use crate::checks::Draws;
use crate::counting::Counting;
use crate::measure::{Caller, Cost};
use crate::row::{Row, THREADS};

#[global_allocator]
static COUNTING: Counting = Counting;

/// The number of prepared requests: few enough to be in the processor's cache, like those that a server reads.
const BATCH: usize = 64;

#[derive(Clone, Copy)]
struct Plan {
    distinct: usize,
    rounds: usize,
    /// Batches that are measured in a round, after a quarter as many for warm-up.
    batches: usize,
}

fn main() -> std::io::Result<()> {
    let effort = Effort::from_args();
    let mut report = Report::new("hit_path");
    for distinct in effort.pick(vec![1_000], vec![1_000, 100_000], vec![1_000, 100_000]) {
        let plan = Plan {
            distinct,
            rounds: effort.pick(2, 41, 201),
            batches: effort.pick(4, 100, 200),
        };
        compare(plan, &mut report);
    }
    report.finish()
}

/// What a row has cost in every round, with one thread and with more.
type Costs = Vec<[Cost; THREADS]>;

fn compare(plan: Plan, report: &mut Report) {
    let mut rows = rows::all(plan.distinct);
    let mut candidates: Vec<_> = rows.iter_mut().map(|row| candidate(row, plan)).collect();
    let costs = interleaved(plan.rounds, &mut candidates);
    drop(candidates);
    for row in &rows {
        (row.verify)();
    }
    for more in 0..THREADS {
        let threads = if more == 0 { "one thread" } else { "two threads" };
        let setting = format!("{} checks, {threads}", plan.distinct);
        for (row, cost) in rows.iter().zip(&costs) {
            let base = rows.iter().position(|other| other.name == row.base).unwrap_or_default();
            add_row(report, row, &setting, more, cost, &costs[base]);
        }
    }
}

fn candidate(row: &mut Row, plan: Plan) -> Box<dyn FnMut() -> [Cost; THREADS] + '_> {
    let mut seed = 0;
    Box::new(move || {
        seed += 1;
        std::array::from_fn(|more| round(&mut row.callers[..=more], plan, seed))
    })
}

fn add_row(report: &mut Report, row: &Row, setting: &str, more: usize, costs: &Costs, base: &Costs) {
    let a_call = |costs: &Costs, more: usize, what: fn(&Cost) -> f64| -> Vec<f64> {
        let in_a_round = |cost: &[Cost; THREADS]| what(&cost[more]) / cost[more].calls as f64;
        costs.iter().map(in_a_round).collect()
    };
    let nanos = |costs, more| a_call(costs, more, |cost| cost.nanos);
    let time = nanos(costs, more);
    report.measured(row.name, setting, "time", Sample::of(&time), "ns");
    report.ratio(
        row.name,
        setting,
        "ratio",
        Sample::of_ratios(&time, &nanos(base, more)),
        row.base,
    );
    let allocations = a_call(costs, more, |cost| cost.heap.allocations as f64);
    report.measured(row.name, setting, "allocations", Sample::of(&allocations), "");
    let bytes = a_call(costs, more, |cost| cost.heap.bytes as f64);
    report.measured(row.name, setting, "bytes", Sample::of(&bytes), "B");
    if more > 0 {
        let threads = (more + 1) as f64;
        let alone: Vec<f64> = nanos(costs, 0).into_iter().map(|nanos| nanos * threads).collect();
        report.ratio(
            row.name,
            setting,
            "throughput",
            Sample::of_ratios(&alone, &time),
            "one thread",
        );
    }
}

/// One round with a thread for each caller.
fn round(callers: &mut [Box<dyn Caller>], plan: Plan, seed: u64) -> Cost {
    let barrier = Barrier::new(callers.len());
    let ask = |thread: usize, caller: &mut Box<dyn Caller>| {
        let mut draws = Draws::new(plan.distinct, seed * THREADS as u64 + thread as u64);
        barrier.wait();
        for _ in 0..plan.batches.div_ceil(4) {
            caller.ask(&draws.batch(BATCH));
        }
        (0..plan.batches).fold(Cost::default(), |cost, _| cost.and(caller.ask(&draws.batch(BATCH))))
    };
    let ask = &ask;
    thread::scope(|scope| {
        let others: Vec<_> = callers
            .iter_mut()
            .enumerate()
            .map(|(thread, caller)| scope.spawn(move || ask(thread, caller)))
            .collect();
        let costs = others.into_iter().map(|other| other.join().expect("no panic"));
        costs.fold(Cost::default(), Cost::and)
    })
}
