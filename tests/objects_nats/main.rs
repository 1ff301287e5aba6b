//! The store of objects' tokens in NATS, on real servers that the tests start themselves.
//!
//! Without a program `nats-server` all are listed as ignored, or fail where the environment variable `TEST_SERVERS` is
//! `required`.

mod shared;

use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tower_zookie_testing::{nats, objects};

fn main() -> ExitCode {
    let trials = objects::cases()
        .into_iter()
        .map(|case| trial(case.name, Box::pin(shared::run(case))));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

type Test = Pin<Box<dyn Future<Output = ()> + Send>>;

fn trial(name: &'static str, test: Test) -> Trial {
    let is_required = std::env::var_os("TEST_SERVERS").is_some_and(|value| value == "required");
    let is_ignored = nats::program().is_none() && !is_required;
    let run = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(test);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(is_ignored)
}
