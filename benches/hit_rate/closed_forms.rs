//! Hit rates as formulas, against the same policies simulated.
//!
//! Each key is read at a rate λ and written at a rate μ, both Poisson; an answer may be Δ old, a quantization window is
//! q long, and M writes reach the whole store. g is the time from the last watermark to a write. No token, no latency,
//! no limit on entries.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tower_zookie_benches::{Effort, Report};

use crate::feed::FeedTerms;
use crate::policy::Kind;
use crate::simulate::simulate;
use crate::workload::{Check, Terms, Workload, poisson};
use crate::world::{Decisions, Question, Spans, World};

const KEYS: Question = 10;

/// The formula for ours leaves out the reads that come when the last watermark is older than Δ, because there were no
/// reads in between: they miss, and the entry stays.
const TOLERANCE_FOR_OURS: f64 = 0.02;

#[derive(Clone, Copy)]
struct Rates {
    reads: f64,
    writes: f64,
    tolerated: f64,
    window: f64,
}

const EXAMPLES: [Rates; 4] = [
    Rates {
        reads: 1.0,
        writes: 0.1,
        tolerated: 0.5,
        window: 5.0,
    },
    Rates {
        reads: 0.05,
        writes: 0.001,
        tolerated: 10.0,
        window: 5.0,
    },
    Rates {
        reads: 0.2,
        writes: 0.01,
        tolerated: 2.0,
        window: 10.0,
    },
    Rates {
        reads: 5.0,
        writes: 1.0,
        tolerated: 1.0,
        window: 1.0,
    },
];

impl Rates {
    fn setting(self) -> String {
        let Self {
            reads,
            writes,
            tolerated,
            window,
        } = self;
        format!("λ {reads}/s, μ {writes}/s, Δ {tolerated} s, q {window} s, {KEYS} keys")
    }

    /// The hit rate for this many reads in one lifetime on average. Each lifetime begins with a miss.
    fn of_lifetime(self, seconds: f64) -> f64 {
        self.reads * seconds / (1.0 + self.reads * seconds)
    }

    /// An entry of ours ends some time after the next write to the whole store: the tolerated age, minus the time from
    /// the last watermark to that write.
    ///
    /// A watermark comes with every miss, and when the last one is half as old as is tolerated, with the next read. So
    /// the time since the last one is above t, and no write has come, with the probability exp(−(misses + M)t) until
    /// half of Δ and exp(−(reads + M)t) from there. How many misses there are depends on the hit rate: a fixed point.
    fn of_ours(self) -> f64 {
        let keys = f64::from(KEYS);
        let (reads, writes, half) = (self.reads * keys, self.writes * keys, self.tolerated / 2.0);
        let mut hits = 0.5;
        for _ in 0..100 {
            let early = reads * (1.0 - hits) + writes;
            let late = reads + writes;
            let left = (-early * half).exp();
            let total = (1.0 - left) / early + left / late;
            let weighted =
                (1.0 - left * (1.0 + early * half)) / early.powi(2) + left * (half / late + 1.0 / late.powi(2));
            hits = self.of_lifetime(1.0 / writes + self.tolerated - weighted / total);
        }
        hits
    }

    fn predicted(self, kind: Kind) -> f64 {
        match kind {
            Kind::TimeToLive => self.of_lifetime(self.tolerated),
            Kind::Ours => self.of_ours(),
            // Every write to a key changes its decision here.
            Kind::Oracle => self.of_lifetime(1.0 / self.writes + self.tolerated),
            Kind::HeadRevision => self.reads / (self.reads + self.writes * f64::from(KEYS)),
            Kind::Quantized => {
                let reads = self.reads * self.window;
                1.0 - (1.0 - (-reads).exp()) / reads
            }
            _ => unreachable!("there is no formula for the others"),
        }
    }

    fn workload(self, checks: usize) -> Workload {
        let mut dice = StdRng::seed_from_u64(0xf02);
        let keys = f64::from(KEYS);
        let arrivals = poisson(&mut dice, self.reads * keys, checks);
        let end = arrivals.last().copied().unwrap_or(0);
        let writes = self.writes * keys;
        let mut commits = poisson(&mut dice, writes, (end as f64 / 1e3 * writes) as usize);
        commits.insert(0, 0);
        let mut changes = vec![Vec::new(); KEYS as usize];
        for revision in 1..commits.len() {
            changes[dice.random_range(0..KEYS) as usize].push(revision as u64);
        }
        let spans = changes.into_iter().map(|changes| Spans::new(false, changes));
        let checks = arrivals.into_iter().map(|at| Check {
            at,
            question: dice.random_range(0..KEYS),
            floor: None,
        });
        Workload {
            checks: checks.collect(),
            world: World::new(commits, Arc::new(Decisions::known(spans.collect()))),
            counts_from: end / 10,
        }
    }

    /// Settings with which only the rule of its formula limits a policy.
    fn terms(self, kind: Kind) -> Terms {
        let seconds = match kind {
            Kind::Quantized => self.window,
            Kind::HeadRevision => 1e9,
            _ => self.tolerated,
        };
        Terms {
            interval: Duration::from_secs_f64(seconds),
            staleness: 0,
            entries: 1 << 20,
            time_to_live: Duration::from_secs(3600),
            latency: Duration::ZERO,
            feed: FeedTerms::AT_ONCE,
        }
    }
}

/// Adds the formulas and what the simulation makes of them. A difference above the tolerance is a failure.
pub(crate) fn compare(effort: Effort, report: &mut Report, failures: &mut Vec<String>) {
    let (checks, tolerance) = effort.pick((10_000, 0.03), (100_000, 0.01), (1_000_000, 0.004));
    for rates in EXAMPLES {
        let workload = rates.workload(checks);
        let setting = rates.setting();
        let compared = [
            (Kind::TimeToLive, "time to live: λΔ/(1+λΔ)"),
            (Kind::Ours, "tower-zookie: λL/(1+λL), L = 1/M+Δ−g"),
            (Kind::Quantized, "quantized: 1−(1−e^−λq)/(λq)"),
            (Kind::HeadRevision, "head revision: λ/(λ+M)"),
            (Kind::Oracle, "intervals: λL/(1+λL), L = 1/μ+Δ"),
        ];
        for (kind, row) in compared {
            let terms = rates.terms(kind);
            let tally = simulate(&workload, &terms, || kind.build(&terms, &workload.world));
            let (predicted, simulated) = (rates.predicted(kind), tally.saved_share());
            report.counted(row, &setting, "predicted", predicted * 100.0, "%");
            report.counted(row, &setting, "simulated", simulated * 100.0, "%");
            let tolerance = if kind == Kind::Ours {
                f64::max(tolerance, TOLERANCE_FOR_OURS)
            } else {
                tolerance
            };
            if (predicted - simulated).abs() > tolerance {
                failures.push(format!(
                    "{row} at {setting}: {predicted:.4} predicted, {simulated:.4} simulated, tolerance {tolerance}"
                ));
            }
        }
    }
}
