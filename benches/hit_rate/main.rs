//! How many checks each way of caching answers without the service, on a real history, and how many of them wrongly.

mod policy;
mod questions;
mod relevant;
mod simulate;
mod upstream;
mod workload;
mod world;

use std::path::Path;
use std::time::{Duration, Instant};

use policy::Kind;
use workload::{Popularity, Recordings, Scenario, Terms};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), AnyError> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data");
    let t = Instant::now();
    let recordings = Recordings::read(&data)?;
    eprintln!("read {:?}", t.elapsed());
    let scenario = Scenario {
        checks: 150_000,
        rate: 500.0,
        compression: 50_000.0,
        popularity: Popularity::Recorded,
        recent: 1.0 / 101.0,
    };
    let workload = recordings.workload(&scenario);
    eprintln!("writes/s {} {:?}", workload.write_rate(), t.elapsed());
    let terms = Terms {
        interval: Duration::from_secs(5),
        staleness: 10,
        entries: std::env::var("E").unwrap().parse().unwrap(),
        latency: Duration::from_millis(10),
    };
    for kind in Kind::ALL {
        let t = Instant::now();
        let tally = simulate::simulate(&workload, &terms, || kind.build(&terms));
        println!(
            "{:30} hits {:.4} co {:.4} calls {} age {:.3} viol {} stale {} {:?}",
            kind.name(),
            tally.hit_share(),
            tally.coalesced_share(),
            tally.upstream_calls,
            tally.mean_age(),
            tally.violations,
            tally.stale(),
            t.elapsed()
        );
    }
    Ok(())
}
