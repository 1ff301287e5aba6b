//! How many checks each way of caching answers without a call to the service, on a recorded history of writes, and how
//! many of the answers break the promise that the caller's token makes.
//!
//! The clock stands still while there is something to do, so minutes take seconds. All random numbers have a fixed
//! seed, except the key of our own cache's fingerprints, which changes its rows by a tenth of a percent.

mod asked;
mod closed_forms;
mod feed;
mod part;
mod plot;
mod policy;
mod questions;
mod relevant;
mod simulate;
mod spicedb;
mod sweeps;
mod upstream;
mod workload;
mod world;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use sweeps::Sweep;
use tower_zookie_benches::{Effort, Report};
use workload::Recordings;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<ExitCode, AnyError> {
    let effort = Effort::from_args();
    let recordings = Recordings::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data"))?;
    let mut report = Report::new("hit_rate");
    let mut failures = Vec::new();
    let mut caught = 0;
    let folder = report.directory()?;

    closed_forms::compare(effort, &mut report, &mut failures);
    for sweep in Sweep::ALL {
        let points = sweeps::sweep(sweep, effort, &recordings, &mut failures)?;
        caught += sweeps::wrong_answers(&points);
        sweeps::add(&points, &mut report);
        fs::write(folder.join(sweep.name()).with_extension("csv"), sweeps::csv(&points))?;
        plot::draw(
            sweep,
            &points,
            &sweeps::usual(effort),
            &folder.join(sweep.name()).with_extension("svg"),
        )?;
    }
    spicedb::compare(effort, &recordings, &mut report, &mut failures);
    report.finish()?;
    if caught == 0 {
        failures.push(
            "there was no wrong answer, not even from caches that ignore tokens: this workload shows nothing"
                .to_owned(),
        );
    }
    for failure in &failures {
        eprintln!("{failure}");
    }
    Ok(match *failures {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
