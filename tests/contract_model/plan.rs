//! What a case does, and when.

use std::time::Duration;

use gateway::checker::ConsistencyLevel;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::adversary::{Forge, forge};
use crate::bypass::bypass;
use crate::schema::{Fragment, fragment};

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) schema: Fragment,
    pub(crate) window: (Duration, u8),
    pub(crate) quantize: Duration,
    /// How long each call of the service takes before and after it reads the store. Once these are used up there is no
    /// delay.
    pub(crate) delays: Vec<(Duration, Duration)>,
    pub(crate) rounds: Vec<Round>,
}

/// Actions under way at the same time, each begun so long after the start.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) pause: Duration,
    pub(crate) actions: Vec<(Duration, Action)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Ask(Ask),
    Forge(Forge),
    Write {
        /// Like a write by another replica: the layer does not see it.
        behind: bool,
        changes: Vec<(&'static str, u16)>,
        /// All of this store.
        tokens: Vec<(Place, Kind)>,
    },
    /// All snapshots except the last ones, of this number, are collected.
    Collect {
        retained: u64,
    },
    Purge,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) form: Form,
    pub(crate) questions: Vec<u8>,
    /// `None`: the request does not say.
    pub(crate) consistency: Option<ConsistencyLevel>,
    pub(crate) tokens: Vec<(Place, Kind)>,
    /// A client that chains its own zookies, and where it sends them.
    pub(crate) session: Option<(u32, Place)>,
    pub(crate) no_cache: bool,
    /// Which of the form's bypasses it forces.
    pub(crate) bypass: Option<usize>,
    /// Hangs up after this long.
    pub(crate) gives_up_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Check,
    Evaluation,
    /// All items are answered, or only those up to the first of this decision.
    Evaluations {
        until: Option<bool>,
    },
}

impl Form {
    pub(crate) fn posts(self) -> bool {
        self != Self::Check
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Header,
    Cookie,
    /// The query parameter of this name.
    Query(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Old(u8),
    Newest,
    /// Of the last write behind the layer's back.
    Behind,
    /// Forged: this far ahead of the store.
    Future(u64),
    Foreign,
    /// Of this store and of another one: it can be compared with neither's revisions.
    Concurrent(u8),
    Malformed(&'static str),
    /// Well spelled, but not a revision.
    Zero,
}

impl Kind {
    pub(crate) fn is_bad(self) -> bool {
        matches!(
            self,
            Self::Foreign | Self::Concurrent(_) | Self::Malformed(_) | Self::Zero
        )
    }
}

fn millis(choices: &[u64]) -> impl Strategy<Value = Duration> + use<> {
    select(choices.to_vec()).prop_map(Duration::from_millis)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        6 => any::<u8>().prop_map(Kind::Old),
        4 => Just(Kind::Newest),
        4 => Just(Kind::Behind),
        3 => select(vec![1, 1, 1, 2, 3, 10_000_000]).prop_map(Kind::Future),
        1 => prop_oneof![
            2 => Just(Kind::Foreign),
            1 => any::<u8>().prop_map(Kind::Concurrent),
            1 => select(vec!["%%%", "bm90IGEgdG9rZW4=", "e30", "A"]).prop_map(Kind::Malformed),
            1 => Just(Kind::Zero),
        ],
    ]
}

pub(crate) fn place() -> impl Strategy<Value = Place> {
    select(vec![
        Place::Header,
        Place::Header,
        Place::Cookie,
        Place::Query("zookie"),
        Place::Query("token"),
    ])
}

fn consistency() -> impl Strategy<Value = Option<ConsistencyLevel>> {
    prop_oneof![
        6 => Just(None),
        2 => Just(Some(ConsistencyLevel::Any)),
        2 => Just(Some(ConsistencyLevel::Exact)),
        1 => Just(Some(ConsistencyLevel::Full)),
        2 => millis(&[1, 100, 1000, 3000, 20_000]).prop_map(|bound| Some(ConsistencyLevel::Bounded(bound))),
    ]
}

pub(crate) fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        4 => Just(Form::Check),
        2 => Just(Form::Evaluation),
        3 => select(vec![None, None, Some(true), Some(false)]).prop_map(|until| Form::Evaluations { until }),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let question = prop_oneof![3 => select(vec![0_u8, 1, 4]), 1 => 0..8_u8];
    let tokens = prop_oneof![
        5 => Just(0..=0_usize),
        5 => Just(1..=1),
        2 => Just(2..=3),
    ]
    .prop_flat_map(|count| vec((place(), kind()), count));
    (
        form(),
        vec(question, 2..5),
        consistency(),
        tokens,
        weighted(0.3, (0..3_u32, place())),
        prop::bool::weighted(0.03),
        weighted(0.12, bypass()),
        weighted(0.05, millis(&[0, 10, 500])),
    )
        .prop_map(
            |(form, questions, consistency, tokens, session, no_cache, bypass, gives_up_after)| Ask {
                form,
                questions,
                consistency,
                tokens,
                session,
                no_cache,
                bypass,
                gives_up_after,
            },
        )
}

fn action() -> impl Strategy<Value = Action> {
    let changes = vec(
        (select(vec!["touch", "create", "delete", "delete"]), any::<u16>()),
        1..3,
    );
    let own = prop_oneof![
        any::<u8>().prop_map(Kind::Old),
        Just(Kind::Newest),
        Just(Kind::Behind),
        (1..4_u64).prop_map(Kind::Future),
    ];
    let tokens = vec((place(), own), 0..3);
    prop_oneof![
        12 => ask().prop_map(Action::Ask),
        4 => forge().prop_map(Action::Forge),
        5 => (any::<bool>(), changes, tokens).prop_map(|(behind, changes, tokens)| Action::Write {
            behind,
            changes,
            tokens,
        }),
        1 => (0..4_u64).prop_map(|retained| Action::Collect { retained }),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let pause = millis(&[0, 0, 1, 50, 99, 100, 101, 700, 1000, 2500, 4900, 5000, 5600, 61_000]);
    let offset = || millis(&[0, 0, 0, 1, 60, 150, 1200]);
    let one = (offset(), action()).prop_map(|one| vec![one]);
    let rarely = prop_oneof![
        20 => vec((offset(), action()), 2..7),
        20 => one,
        1 => Just(vec![(Duration::ZERO, Action::Purge)]),
    ];
    (pause, rarely).prop_map(|(pause, actions)| Round { pause, actions })
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let quantize = millis(&[0, 0, 700, 5000]);
    let window = (millis(&[5000, 5000, 800]), select(vec![0, 10, 50]));
    // A call that is retried in the same flight still ends before the flight's deadline.
    let delay = || millis(&[0, 0, 0, 1, 40, 110, 900, 2400]);
    let delays = prop_oneof![Just(0..1_usize), Just(10..40)].prop_flat_map(move |count| vec((delay(), delay()), count));
    (fragment(), window, quantize, delays, vec(round(), 4..24)).prop_map(
        |(schema, window, quantize, delays, rounds)| Case {
            schema,
            window,
            quantize,
            delays,
            rounds,
        },
    )
}
