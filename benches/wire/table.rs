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
    /// The server's.
    cpu: Duration,
    client_cpu: Duration,
    /// With a layer: what it answered from memory.
    hits: Option<f64>,
}

impl Turn {
    pub(crate) fn new(answers: usize, took: Duration, client_cpu: Duration, [before, after]: [Done; 2]) -> Self {
        let hits = before.hits.zip(after.hits);
        Self {
            answers: answers as f64,
            took,
            cpu: after.cpu - before.cpu,
            client_cpu,
            hits: hits.map(|(before, after)| (after - before) as f64),
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.answers / self.took.as_secs_f64()
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.answers
    }

    fn server_busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0
    }

    fn client_busy(&self) -> f64 {
        self.client_cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0
    }

    fn hit_percent(&self) -> Option<f64> {
        Some(self.hits? / self.answers * 100.0)
    }
}

/// `turns` has those of each row, in the order of the rounds.
pub(crate) fn report(rows: &[Row], turns: &[Vec<Turn>]) -> Report {
    let mut report = Report::new("wire");
    let of = |row: Row| {
        let place = rows.iter().position(|one| *one == row)?;
        Some((row.name(), &*turns[place]))
    };
    for (&row, turns) in rows.iter().zip(turns) {
        let (name, setting) = (row.name(), row.api.setting());
        let rate = values(turns, Turn::per_second);
        let cpu = values(turns, Turn::cpu_micros);
        report.measured(name, setting, "requests", Sample::of(&rate), "/s");
        report.measured(name, setting, "CPU a request", Sample::of(&cpu), "µs");
        for (metric, busy) in [
            ("server busy", Turn::server_busy as fn(&Turn) -> f64),
            ("client busy", Turn::client_busy),
        ] {
            report.measured(name, setting, metric, Sample::of(&values(turns, busy)), "%");
        }
        let hits: Option<Vec<f64>> = turns.iter().map(Turn::hit_percent).collect();
        if let Some(hits) = hits {
            report.measured(name, setting, "hits", Sample::of(&hits), "%");
        }
        for (words, to) in [("static", row.floor()), ("no layer", row.bare())] {
            let Some((to, others)) = to.and_then(of) else {
                continue;
            };
            let rates = Sample::of_ratios(&rate, &values(others, Turn::per_second));
            report.ratio(name, setting, &format!("requests to {words}"), rates, to);
            let cpus = Sample::of_ratios(&cpu, &values(others, Turn::cpu_micros));
            report.ratio(name, setting, &format!("CPU to {words}"), cpus, to);
        }
    }
    report
}

fn values(turns: &[Turn], of: impl Fn(&Turn) -> f64) -> Vec<f64> {
    turns.iter().map(of).collect()
}
