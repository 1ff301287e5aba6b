//! Who asks what: honest callers, and the adversary among them.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tower_zookie::consistency::Freshness;
use tower_zookie::revision::Revision;

use super::store::{Engine, History};
use crate::workload::{Check, Workload};
use crate::world::{Millis, Question};

/// The adversary makes one of this many requests.
const ONE_IN: u32 = 10;

/// It asks the question of one of the next honest callers, out of this many.
const NEXT: usize = 100;

/// How often it asks as soon as a window begins, before the honest callers.
const AT_A_WINDOW: u32 = 16;

/// What a caller demands.
#[derive(Clone, Debug)]
pub(crate) enum Demand {
    AtLeast {
        floor: Revision,
        head_within: Option<Duration>,
    },
    Exact(Revision),
    Full,
}

impl Demand {
    /// The demand of a caller that arrives now.
    pub(crate) fn freshness(&self) -> Freshness {
        match self {
            Self::AtLeast { floor, head_within } => {
                let freshness = Freshness::at_least(floor.clone());
                match head_within {
                    Some(bound) => freshness.head_within(*bound),
                    None => freshness,
                }
            }
            Self::Exact(snapshot) => Freshness::Exact(snapshot.clone()),
            Self::Full => Freshness::Full,
        }
    }

    /// Whether an answer at this revision covers the floor.
    pub(crate) fn is_covered(&self, revision: &Revision) -> bool {
        match self {
            Self::AtLeast { floor, .. } => revision >= floor,
            Self::Exact(_) | Self::Full => true,
        }
    }
}

/// How the adversary makes its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Forgery {
    /// Future transactions.
    Future,
    /// Everything that is committed, except the last write that changed the decision.
    AllButOneWrite,
    /// Future transactions, except that write.
    FutureButOneWrite,
    /// An older state, except some writes.
    PastButSomeWrites,
    /// A token that the store issued.
    Genuine,
}

impl Forgery {
    pub(crate) fn all(engine: Engine) -> &'static [Self] {
        match engine {
            Engine::Counter => &[Self::Future, Self::Genuine],
            Engine::Postgres => &[
                Self::Future,
                Self::AllButOneWrite,
                Self::FutureButOneWrite,
                Self::PastButSomeWrites,
                Self::Genuine,
            ],
        }
    }

    fn make(self, history: &History, question: Question, now: Millis, dice: &mut StdRng) -> Revision {
        let end = history.end(now);
        let recent = end.saturating_sub(dice.random_range(1..=64)).max(1);
        let change = history
            .last_change(question, now)
            .filter(|_| dice.random_bool(0.8))
            .unwrap_or(recent);
        let future = end + dice.random_range(1..=1_000);
        match self {
            Self::Future => history.snapshot(future, []),
            Self::AllButOneWrite => history.snapshot(end, [change]),
            Self::FutureButOneWrite => history.snapshot(future, [change]),
            Self::PastButSomeWrites => {
                let past = end - dice.random_range(0..=end.min(64) / 2);
                let unseen: Vec<u64> = (0..3)
                    .map(|_| past.saturating_sub(dice.random_range(1..=64)).max(1))
                    .collect();
                history.snapshot(past, unseen.into_iter().chain([change]))
            }
            Self::Genuine => match history.transactions.get(..(end - history.first()) as usize) {
                Some([.., last]) if last.commits <= now => last.token.clone(),
                _ => history.head(now),
            },
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Millis,
    pub(crate) question: Question,
    pub(crate) demand: Demand,
    /// `None`: an honest caller's.
    pub(crate) forgery: Option<Forgery>,
}

/// The workload's checks, and among them the adversary's if there is one.
pub(crate) fn requests(history: &History, workload: &Workload, adversary: bool) -> Vec<Request> {
    let mut dice = StdRng::seed_from_u64(0xbad);
    let mut turns = StdRng::seed_from_u64(0x7e4);
    let honest = |check: &Check| Request {
        at: check.at,
        question: check.question,
        demand: Demand::AtLeast {
            floor: history.token(check.floor.unwrap_or(0)),
            head_within: None,
        },
        forgery: None,
    };
    let mut requests = Vec::new();
    let mut window = 0;
    for (index, check) in workload.checks.iter().enumerate() {
        let mut forge = |at| {
            let next = &workload.checks[index..workload.checks.len().min(index + NEXT)];
            let question = next.choose(&mut dice).unwrap_or(check).question;
            forged(history, question, at, &mut dice)
        };
        let begins = history.window_of(check.at);
        if adversary && begins > window {
            window = begins;
            requests.extend((0..AT_A_WINDOW).map(|_| forge(begins)));
        }
        if adversary && turns.random_ratio(1, ONE_IN - 1) {
            requests.push(forge(check.at));
        }
        requests.push(honest(check));
    }
    requests
}

fn forged(history: &History, question: Question, at: Millis, dice: &mut StdRng) -> Request {
    let forgery = *Forgery::all(history.engine())
        .choose(dice)
        .expect("there are forgeries");
    let token = forgery.make(history, question, at, dice);
    let demand = match dice.random_range(0..10) {
        0..6 => Demand::AtLeast {
            floor: token,
            head_within: None,
        },
        6 => Demand::AtLeast {
            floor: token,
            head_within: Some(Duration::from_millis(dice.random_range(0..5_000))),
        },
        7..9 => Demand::Exact(token),
        _ => Demand::Full,
    };
    Request {
        at,
        question,
        demand,
        forgery: Some(forgery),
    }
}
