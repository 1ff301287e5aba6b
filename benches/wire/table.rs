//! What was measured, as a report.

use std::time::Duration;

use tower_zookie_benches::{Report, Sample};

use crate::rows::Row;
use crate::serve::Done;

/// One server's part of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    answers: f64,
    took: Duration,
    cpu: Duration,
    /// Of the questions that came to a layer, the part that it answered from memory.
    hits: Option<f64>,
}

impl Turn {
    pub(crate) fn new(answers: usize, took: Duration, before: Done, after: Done) -> Self {
        let hits = before.layer.zip(after.layer).map(|(before, after)| {
            let questions = after.questions - before.questions;
            (after.hits - before.hits) as f64 / questions as f64
        });
        Self {
            answers: answers as f64,
            took,
            cpu: after.cpu - before.cpu,
            hits,
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.answers / self.took.as_secs_f64()
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answers
    }

    fn busy_percent(&self) -> f64 {
        self.cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0
    }
}

/// `turns` has those of each row, in the order of the rounds.
pub(crate) fn report(rows: &[Row], turns: &[Vec<Turn>]) -> Report {
    let mut report = Report::new("wire");
    let of = |row: Row| rows.iter().position(|one| *one == row).map(|place| &*turns[place]);
    for (&row, turns) in rows.iter().zip(turns) {
        let (name, setting) = (row.name(), row.api.setting());
        let rate = values(turns, Turn::per_second);
        let cpu = values(turns, Turn::cpu_micros);
        report.measured(name, setting, "requests", Sample::of(&rate), "/s");
        report.measured(name, setting, "CPU a request", Sample::of(&cpu), "µs");
        let busy = Sample::of(&values(turns, Turn::busy_percent));
        report.measured(name, setting, "server busy", busy, "%");
        let hits: Option<Vec<f64>> = turns.iter().map(|turn| turn.hits).collect();
        if let Some(hits) = hits {
            let percent: Vec<f64> = hits.iter().map(|share| share * 100.0).collect();
            report.measured(name, setting, "hits", Sample::of(&percent), "%");
        }
        for (words, to) in [("static", row.floor()), ("no layer", row.bare())] {
            let Some(others) = of(to).filter(|_| to != row) else {
                continue;
            };
            let rates = Sample::of_ratios(&rate, &values(others, Turn::per_second));
            report.ratio(name, setting, &format!("requests to {words}"), rates, to.name());
            let cpus = Sample::of_ratios(&cpu, &values(others, Turn::cpu_micros));
            report.ratio(name, setting, &format!("CPU to {words}"), cpus, to.name());
        }
    }
    report
}

fn values(turns: &[Turn], of: impl Fn(&Turn) -> f64) -> Vec<f64> {
    turns.iter().map(of).collect()
}
