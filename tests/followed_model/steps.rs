//! What happens in a case.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::adversary::{Attack, attack};
use crate::connection::Checkpoint;
use crate::plan::{Fragment, Present, QUESTION_COUNT, fragments};

/// One change of a write: which of the relationships that may be added, or of those that can be removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) which: Index,
    pub(crate) adds: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `through`: the writer tells the cache of the write. `takes`: how long it stays open, in milliseconds.
    Write {
        picks: Vec<Pick>,
        through: bool,
        takes: u64,
    },
    /// A transaction that stays open.
    Begin {
        picks: Vec<Pick>,
    },
    /// Or is rolled back.
    End {
        which: Index,
        commits: bool,
    },
    /// `takes`: `None` if it stays open.
    WriteSchema {
        schema: Index,
        takes: Option<u64>,
    },
    Quantize {
        node: usize,
        back: usize,
        of_transaction: bool,
    },
    Node(usize),
    ShareHead(usize),
    Takes {
        before: u64,
        after: u64,
        schema: u64,
    },
    Wait(u64),
    Read(Read),
    Attack(Attack),
    Feed(OfFeed),
}

/// What the feed does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfFeed {
    /// It looks at the store. `back`: how old a head it has then.
    Polls {
        checkpoint: Checkpoint,
        back: usize,
    },
    Delivers(usize),
    Repeats,
    Breaks {
        loses: bool,
        failures: usize,
        with_schema: bool,
    },
    Ends,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) question: usize,
    pub(crate) wants: Wants,
    /// The cache is told what the answer is about.
    pub(crate) tells: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Wants {
    Any,
    /// The n-th last token that an honest caller got.
    AtLeast(usize),
    /// The n-th last token that a write gave.
    Written(usize),
    /// All that this session has seen.
    Session(usize),
    Exactly(usize),
    Full,
    /// Within this many milliseconds.
    Within(u64),
}

/// How many questions are asked in a case: few, so that each is asked again soon.
const ASKED: usize = 3;

/// How often the feed does what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Only where a step says so.
    BySteps,
    /// After each step.
    AtOnce,
    /// After each step, and it sends what it found the last time.
    Late,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) fragments: Vec<Fragment>,
    pub(crate) present: Present,
    /// The questions that are asked.
    pub(crate) questions: Vec<usize>,
    pub(crate) pace: Pace,
    pub(crate) background_reads: bool,
    pub(crate) opens_with_schema: bool,
    /// How many places the table of stamps has.
    pub(crate) stamps: u64,
    /// How many relationships that lead on are kept.
    pub(crate) structure: usize,
    pub(crate) steps: Vec<Step>,
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    let pick = (any::<Index>(), prop::bool::weighted(0.55)).prop_map(|(which, adds)| Pick { which, adds });
    prop::collection::vec(pick, 1..4)
}

fn read() -> impl Strategy<Value = Read> {
    let wants = prop_oneof![
        3 => Just(Wants::Any),
        3 => (0..6_usize).prop_map(Wants::AtLeast),
        5 => prop_oneof![3 => Just(0), 1 => 1..5_usize].prop_map(Wants::Written),
        4 => (0..2_usize).prop_map(Wants::Session),
        3 => (0..8_usize).prop_map(Wants::Exactly),
        1 => Just(Wants::Full),
        1 => (1..4000_u64).prop_map(Wants::Within),
    ];
    (0..ASKED, wants, prop::bool::weighted(0.95)).prop_map(|(question, wants, tells)| Read { question, wants, tells })
}

fn of_feed() -> impl Strategy<Value = OfFeed> {
    let checkpoint = prop_oneof![
        4 => Just(Checkpoint::Usual),
        1 => Just(Checkpoint::Other),
        1 => Just(Checkpoint::Missing),
    ];
    let breaks = (prop::bool::weighted(0.3), 0..2_usize, any::<bool>());
    prop_oneof![
        12 => (checkpoint, 0..3_usize).prop_map(|(checkpoint, back)| OfFeed::Polls { checkpoint, back }),
        12 => prop_oneof![2 => Just(usize::MAX), 3 => 1..4_usize].prop_map(OfFeed::Delivers),
        2 => Just(OfFeed::Repeats),
        1 => breaks.prop_map(|(loses, failures, with_schema)| OfFeed::Breaks { loses, failures, with_schema }),
        1 => Just(OfFeed::Ends),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let millis = || prop_oneof![4 => Just(0), 2 => 1..30_u64, 1 => 100..1500_u64];
    let write = (picks(), any::<bool>(), millis());
    let schema_takes = prop_oneof![2 => millis().prop_map(Some), 1 => Just(None)];
    let takes = prop_oneof![1 => Just((0, 0, 0)), 3 => (millis(), millis(), millis())];
    let wait = prop_oneof![3 => 1..200_u64, 2 => 200..1500_u64, 1 => 1500..7000_u64];
    prop_oneof![
        10 => write.prop_map(|(picks, through, takes)| Step::Write { picks, through, takes }),
        4 => picks().prop_map(|picks| Step::Begin { picks }),
        4 => (any::<Index>(), prop::bool::weighted(0.85)).prop_map(|(which, commits)| Step::End { which, commits }),
        3 => (any::<Index>(), schema_takes).prop_map(|(schema, takes)| Step::WriteSchema { schema, takes }),
        3 => (0..2_usize, 0..4_usize, any::<bool>())
            .prop_map(|(node, back, of_transaction)| Step::Quantize { node, back, of_transaction }),
        1 => (0..2_usize).prop_map(Step::Node),
        1 => (1..3_usize).prop_map(Step::ShareHead),
        2 => takes.prop_map(|(before, after, schema)| Step::Takes { before, after, schema }),
        5 => wait.prop_map(Step::Wait),
        30 => read().prop_map(Step::Read),
        5 => attack(ASKED).prop_map(Step::Attack),
        22 => of_feed().prop_map(Step::Feed),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    // About a quarter of them exist at the beginning.
    let present = (any::<Present>(), any::<Present>()).prop_map(|(one, other)| one & other);
    let all: Vec<usize> = (0..QUESTION_COUNT).collect();
    let questions = prop::sample::subsequence(all, ASKED);
    let pace = prop::sample::select(&[Pace::BySteps, Pace::AtOnce, Pace::Late][..]);
    let stamps = prop_oneof![4 => Just(4096), 1 => Just(128)];
    let structure = prop_oneof![2 => Just(0), 1 => Just(4), 3 => Just(100)];
    let steps = prop::collection::vec(step(), 1..120);
    let world = (fragments(), present, questions);
    (world, pace, any::<[bool; 2]>(), (stamps, structure), steps).prop_map(
        |((fragments, present, questions), pace, [background_reads, opens_with_schema], (stamps, structure), steps)| {
            Case {
                fragments,
                present,
                questions,
                pace,
                background_reads,
                opens_with_schema,
                stamps,
                structure,
                steps,
            }
        },
    )
}
