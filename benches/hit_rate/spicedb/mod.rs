//! Before a small SpiceDB, with an adversary among the callers or without.
//!
//! The adversary makes tokens by hand from those that it has seen, and demands any consistency. The service may give it
//! any answer; the judge looks at what the honest callers get.

mod callers;
mod policies;
mod run;
mod store;

use std::sync::Arc;

use callers::Forgery;
use policies::Kind;
use run::Tally;
use store::{Engine, History};
use tower_zookie_benches::{Effort, Report};

use crate::sweeps;
use crate::workload::Recordings;

/// How many seconds of the history pass in a second if writes are rare: two or three in a minute.
const FEW_WRITES: f64 = 3e3;

struct Scene {
    name: &'static str,
    engine: Engine,
    compression: Option<f64>,
    adversary: bool,
}

const SCENES: [Scene; 5] = [
    Scene {
        name: "revisions count the writes",
        engine: Engine::Counter,
        compression: None,
        adversary: false,
    },
    Scene {
        name: "revisions count the writes, few writes",
        engine: Engine::Counter,
        compression: Some(FEW_WRITES),
        adversary: false,
    },
    Scene {
        name: "revisions count the writes, adversary",
        engine: Engine::Counter,
        compression: None,
        adversary: true,
    },
    Scene {
        name: "SpiceDB on PostgreSQL, heartbeat every 5 s",
        engine: Engine::Postgres,
        compression: None,
        adversary: false,
    },
    Scene {
        name: "SpiceDB on PostgreSQL, heartbeat every 5 s, adversary",
        engine: Engine::Postgres,
        compression: None,
        adversary: true,
    },
];

/// Adds the rows. Every answer that an honest caller must not get is a failure.
pub(crate) fn compare(effort: Effort, recordings: &Recordings, report: &mut Report, failures: &mut Vec<String>) {
    for scene in &SCENES {
        let (mut scenario, terms) = sweeps::usual(effort);
        scenario.compression = scene.compression.unwrap_or(scenario.compression);
        let workload = recordings.workload(&scenario);
        let history = Arc::new(History::new(scene.engine, &workload, &terms));
        let requests = callers::requests(&history, &workload, scene.adversary);
        let setting = format!("{}, {:.2} writes/s", scene.name, workload.write_rate());
        let tallies = Kind::ALL.map(|kind| {
            let tally = run::run(&history, &requests, workload.counts_from, &terms, kind);
            add(report, kind, &setting, &tally);
            failures.extend(failure(kind, &setting, &tally));
            (kind, tally)
        });
        let hits = |sought| {
            let found = tallies.iter().find(|(kind, _)| *kind == sought);
            found.map_or(0.0, |(_, tally)| tally.hit_share())
        };
        let (ours, quantized) = (hits(Kind::Ours), hits(Kind::Quantized));
        if sweeps::hits_less(ours, quantized) {
            failures.push(format!("{setting}: ours hits {ours:.4}, the quantized {quantized:.4}"));
        }
        if scene.adversary {
            for forgery in Forgery::all(scene.engine) {
                if !requests.iter().any(|request| request.forgery == Some(*forgery)) {
                    failures.push(format!("{setting}: the adversary never tried {forgery:?}"));
                }
            }
        }
    }
}

fn add(report: &mut Report, kind: Kind, setting: &str, tally: &Tally) {
    let mut add = |metric, value, unit| report.counted(kind.name(), setting, metric, value, unit);
    add("hits", tally.hit_share() * 100.0, "%");
    add("coalesced", tally.coalesced_share() * 100.0, "%");
    add("upstream calls", tally.upstream_calls as f64, "");
    add("forged requests", tally.forged as f64, "");
    add("violations", tally.violations() as f64, "");
}

fn failure(kind: Kind, setting: &str, tally: &Tally) -> Option<String> {
    (tally.violations() > 0).then(|| format!("{} breaks its promise with {setting}: {tally:?}", kind.name()))
}
