//! The contract, under random schemas, histories, schedules, consistencies and tokens: the service behind the layer is
//! driven in process under paused time, and the checker of `--replay` judges every reply at its revision.

mod adversary;
mod ask;
mod bypass;
mod plan;
mod requests;
mod schema;
mod stated;
mod tally;
mod world;

use proptest::test_runner::{Config, TestCaseError, TestRunner};

use self::tally::Tally;

#[test]
fn every_reply_keeps_the_contract() {
    let tally = Tally::default();
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let tested = TestRunner::new(config).run(&plan::case(), |case| {
        world::run(&case, &tally).map_err(|broken| TestCaseError::fail(broken.to_string()))
    });
    if let Err(failure) = tested {
        panic!("{failure:.6000}");
    }
    assert_eq!(
        tally.never(),
        Vec::<&str>::new(),
        "these never occurred: the run shows nothing about them"
    );
    let (adversary, all) = tally.requests();
    assert!(
        adversary * 10 >= all,
        "{adversary} of {all} requests are the adversary's"
    );
}
