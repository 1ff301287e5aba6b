use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// What a history has most of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Checks with tokens, none of them exact.
    Floors,
    /// Checks and bulks at exact snapshots.
    Snapshots,
    /// Bulks, and checks of the same questions, none of them exact.
    Bulks,
}

/// One history.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// What begins in each round, each action after some milliseconds.
    pub(super) rounds: Vec<Vec<(u64, Action)>>,
    /// How long it takes until each round, in milliseconds.
    pub(super) pauses: Vec<u64>,
    /// How long the store's calls take, before and after they are evaluated.
    pub(super) delays: Vec<(u64, u64)>,
    /// By how many revisions the store's own choice lies behind its head.
    pub(super) lags: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Ask {
        questions: Questions,
        demand: Demand,
        /// The token is in a header, also where the message has a field for it.
        in_header: bool,
    },
    Write {
        question: usize,
        allowed: bool,
        /// Without the layer.
        behind: bool,
    },
    /// The adversary asks.
    Forge {
        questions: Questions,
        forgery: Forgery,
        exact: bool,
        in_header: bool,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Questions {
    One(usize),
    Several(Vec<usize>),
}

/// What an honest caller demands. A number chooses one of the tokens that callers have got.
#[derive(Clone, Copy, Debug)]
pub(super) enum Demand {
    Nothing,
    Newest,
    Seen(u8),
    Exact(u8),
    Full,
}

/// A token that no caller got.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forgery {
    /// So many revisions after head.
    Future(u64),
    /// Any revision of the past.
    Past(u8),
    Bad(u8),
}

fn questions(focus: Focus) -> impl Strategy<Value = Questions> {
    let bulks = if focus == Focus::Floors { 1 } else { 4 };
    prop_oneof![
        4 => (0..3_usize).prop_map(Questions::One),
        bulks => vec(0..3_usize, 1..5).prop_map(Questions::Several),
    ]
}

fn demand(focus: Focus) -> BoxedStrategy<Demand> {
    let other = prop_oneof![
        3 => Just(Demand::Nothing),
        4 => Just(Demand::Newest),
        3 => any::<u8>().prop_map(Demand::Seen),
        1 => Just(Demand::Full),
    ];
    match focus {
        Focus::Snapshots => prop_oneof![other, any::<u8>().prop_map(Demand::Exact)].boxed(),
        Focus::Floors | Focus::Bulks => other.boxed(),
    }
}

fn action(focus: Focus) -> impl Strategy<Value = Action> {
    let forgery = prop_oneof![
        (1..4_u64).prop_map(Forgery::Future),
        any::<u8>().prop_map(Forgery::Past),
        any::<u8>().prop_map(Forgery::Bad),
    ];
    prop_oneof![
        6 => (questions(focus), demand(focus), prop::bool::weighted(0.2)).prop_map(|(questions, demand, in_header)| {
            Action::Ask { questions, demand, in_header }
        }),
        2 => (0..3_usize, any::<bool>(), prop::bool::weighted(0.3)).prop_map(|(question, allowed, behind)| {
            Action::Write { question, allowed, behind }
        }),
        1 => (questions(focus), forgery, any::<bool>(), any::<bool>()).prop_map(
            |(questions, forgery, exact, in_header)| Action::Forge { questions, forgery, exact, in_header }
        ),
    ]
}

pub(super) fn case(focus: Focus) -> impl Strategy<Value = Case> {
    let delays = select(vec![0_u64, 0, 1, 20, 45]);
    let pauses = select(vec![0_u64, 10, 400, 3000, 6000]);
    (
        vec(vec((0..60_u64, action(focus)), 1..6), 1..7),
        vec(pauses, 7),
        vec((delays.clone(), delays), 0..24),
        vec(weighted(0.5, 0..4_u64).prop_map(Option::unwrap_or_default), 0..24),
    )
        .prop_map(|(rounds, pauses, delays, lags)| Case {
            rounds,
            pauses,
            delays,
            lags,
        })
}
