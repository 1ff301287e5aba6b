//! A group of nodes under partitions, delays, crashes, failing appends and wrong clocks, with clients that carry their tokens
//! from region to region, directly and through a layer before each node. Everything runs on paused time and from seeds.
//!
//! An independent model reads the logs: a list of entries, of which at a clock the latest decides. `NODES_MODEL_SEEDS` is the
//! number of runs, `NODES_MODEL_SEED` runs one of them, and with `NODES_MODEL_JOURNAL` a failing run tells what happened.

mod client;
mod history;
mod judge;
mod recorder;
mod service;
mod site;
mod trouble;
mod world;

use tower_zookie_testing::model::Tally;

const RUNS: u64 = 24;

/// What has to occur, and how often in a run on average.
const OFTEN: [(&str, usize); 20] = [
    ("history: entry", 100),
    ("history: concurrent writes of one relationship", 10),
    ("history: a tie that the node's id decides", 1),
    ("history: a deletion that wins over a concurrent write", 3),
    ("trouble: partition", 2),
    ("trouble: cut", 2),
    ("trouble: crash", 2),
    ("trouble: start", 2),
    ("trouble: clock", 2),
    ("start from a snapshot", 1),
    ("write: acknowledged", 40),
    ("write: after another node's token", 10),
    ("write: unacknowledged", 1),
    ("read: exact", 10),
    ("read: at least", 10),
    ("check: answered", 10),
    ("a timeout", 5),
    ("an expired snapshot", 2),
    ("layer: hit", 20),
    ("layer: check 503", 2),
];

#[test]
fn nodes_agree_and_no_answer_lies_below_its_token() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (one, runs) = (number("NODES_MODEL_SEED"), number("NODES_MODEL_SEEDS").unwrap_or(RUNS));
    let tally = Tally::default();
    let seeds = one.map_or(0..runs, |seed| seed..seed + 1);
    for seed in seeds.clone() {
        world::run(seed, &tally).unwrap_or_else(|error| panic!("{error}"));
    }
    if std::env::var_os("NODES_MODEL_JOURNAL").is_some() {
        eprintln!("{tally:#?}");
    }
    if one.is_none() {
        let runs = usize::try_from(runs).expect("few runs");
        let rare = OFTEN.iter().filter(|(note, count)| tally.count(note) < count * runs);
        let rare: Vec<_> = rare
            .map(|(note, count)| (note, tally.count(note), count * runs))
            .collect();
        assert!(rare.is_empty(), "too rare, so the runs show little: {rare:?}");
    }
}
