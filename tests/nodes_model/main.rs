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

const RUNS: u64 = 20;

/// What has to occur in these runs, and how often at least.
const OCCURS: [(&str, usize); 27] = [
    ("history: entry", 2000),
    ("history: concurrent writes of one relationship", 200),
    ("history: a tie that the node's id decides", 5),
    ("history: a deletion that wins over a concurrent write", 30),
    ("trouble: partition", 100),
    ("trouble: cut", 50),
    ("trouble: crash", 80),
    ("trouble: start", 80),
    ("trouble: clock", 50),
    ("trouble: append failure NothingStored", 10),
    ("trouble: append failure FirstStored", 10),
    ("trouble: append failure AllStored", 10),
    ("start from a snapshot", 100),
    ("write: acknowledged", 1000),
    ("write: after another node's token", 500),
    ("write: unacknowledged", 5),
    ("read: exact", 500),
    ("read: at least", 500),
    ("check: answered", 500),
    ("a timeout", 200),
    ("an expired snapshot", 200),
    ("layer: hit, any", 300),
    ("layer: hit, at least", 50),
    ("layer: hit, bounded", 10),
    ("layer: hit, exact", 20),
    ("layer: write 200", 300),
    ("layer: check 503", 500),
];

#[test]
fn nodes_agree_and_no_answer_lies_below_its_token() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let (one, runs) = (number("NODES_MODEL_SEED"), number("NODES_MODEL_SEEDS").unwrap_or(RUNS));
    let tally = Tally::default();
    let seeds = one.map_or(0..runs, |seed| seed..seed + 1);
    for seed in seeds {
        world::run(seed, &tally).unwrap_or_else(|error| panic!("{error}"));
    }
    if std::env::var_os("NODES_MODEL_JOURNAL").is_some() {
        eprintln!("{tally:#?}");
    }
    if one.is_none() && runs >= RUNS {
        let rare = OCCURS.iter().filter(|(note, least)| tally.count(note) < *least);
        let rare: Vec<_> = rare.map(|(note, least)| (note, tally.count(note), least)).collect();
        assert!(rare.is_empty(), "too rare, so the runs show little: {rare:?}");
    }
}
