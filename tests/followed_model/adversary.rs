//! The adversary: a caller that sends any revision, mostly one that it has made from those that it has seen.

use proptest::prelude::*;
use tower_zookie::revision::{PostgresSnapshot, Revision};
use tower_zookie_testing::model::Tally;

use crate::store::{Engine, Store, mark_complete, mark_in_progress, snapshot, snapshot_of};

/// How it makes a revision from one that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    Replayed,
    /// The same without one transaction.
    WithoutOne,
    /// The same with one more.
    WithOneMore,
    /// An old one with some of the transactions since.
    WithSome,
    FarAhead,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Sends {
    AtLeast,
    Exactly,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    pub(crate) question: usize,
    forgery: Forgery,
    /// Which of the revisions that it has seen it begins with, counted from the last one.
    of: usize,
    /// Which transactions, as bits counted from the newest.
    which: u8,
    pub(crate) sends: Sends,
}

const FORGERIES: [Forgery; 5] = [
    Forgery::Replayed,
    Forgery::WithoutOne,
    Forgery::WithOneMore,
    Forgery::WithSome,
    Forgery::FarAhead,
];

pub(crate) fn attack(questions: usize) -> impl Strategy<Value = Attack> {
    let sends = prop_oneof![2 => Just(Sends::AtLeast), 3 => Just(Sends::Exactly)];
    let forgery = prop::sample::select(&FORGERIES[..]);
    (0..questions, forgery, 0..8_usize, any::<u8>(), sends).prop_map(|(question, forgery, of, which, sends)| Attack {
        question,
        forgery,
        of,
        which,
        sends,
    })
}

/// Fails if there is anything that it never did.
pub(crate) fn assert_complete(tally: &Tally) {
    tally.assert_all(FORGERIES.iter().map(|forgery| format!("{forgery:?}")));
}

impl Attack {
    /// The revision that it makes.
    pub(crate) fn forge(&self, store: &mut Store, seen: &[Revision], tally: &Tally) -> Revision {
        tally.add(format!("{:?}", self.forgery));
        let of = &seen[seen.len().saturating_sub(self.of + 1)];
        match (store.engine, self.forgery) {
            (Engine::Postgres, _) => snapshot(self.snapshot(store, snapshot_of(of))),
            (_, Forgery::FarAhead) => store.ahead(),
            // Every other number is a revision that the store has passed.
            _ => of.clone(),
        }
    }

    fn snapshot(&self, store: &Store, of: &PostgresSnapshot) -> PostgresSnapshot {
        let chosen = |bit: u32| self.which >> bit & 1 == 1;
        let recent = store.recent();
        let nth_last = recent.end - 1 - u64::from(self.which) % (recent.end - recent.start);
        match self.forgery {
            Forgery::Replayed => of.clone(),
            Forgery::WithoutOne => mark_in_progress(of, nth_last),
            Forgery::WithOneMore => mark_complete(of, nth_last),
            Forgery::WithSome => {
                let some = recent.rev().zip(0..8).filter(|(_, bit)| chosen(*bit));
                some.fold(of.clone(), |point, (id, _)| mark_complete(&point, id))
            }
            Forgery::FarAhead => PostgresSnapshot::new(0, recent.end + 1_000_000, []).unwrap(),
        }
    }
}
