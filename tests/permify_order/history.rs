//! Random histories: whatever tokens were issued, answers at later ones include all that reads at earlier ones ever
//! see.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tower_zookie::revision::Revision;
use tower_zookie_testing::permify::database::{Database, Raw, Token};

/// The first transaction; all before it had ended. Below it, a token's eight letters could be a legacy token's bytes.
const FIRST: u64 = 10;

#[derive(Clone, Debug)]
enum Op {
    Begin,
    Number(Index),
    Commit(Index),
    Abort(Index),
    Write,
}

/// A token that was issued, and what was committed then.
#[derive(Debug)]
struct Issued {
    token: Token,
    revision: Revision,
    committed: BTreeSet<u64>,
}

/// The claims about two tokens that are tested.
#[derive(Clone, Copy)]
struct Claims {
    at_or_after: fn(&Issued, &Issued) -> bool,
    settles: fn(&Issued, &Issued) -> bool,
}

const OURS: Claims = Claims {
    at_or_after: |b, a| b.revision >= a.revision,
    settles: |b, a| b.revision.settles(&a.revision),
};

const BY_NUMBER: Claims = Claims {
    at_or_after: |b, a| b.token.xid >= a.token.xid,
    settles: OURS.settles,
};

const SETTLED_BY_EQUALS: Claims = Claims {
    at_or_after: OURS.at_or_after,
    settles: |b, a| b.revision >= a.revision,
};

#[derive(Debug)]
struct History {
    database: Database,
    issued: Vec<Issued>,
    watched: BTreeSet<u64>,
}

impl History {
    fn of(ops: &[Op]) -> Self {
        let mut history = Self {
            database: Database::new(FIRST),
            issued: vec![],
            watched: BTreeSet::new(),
        };
        for op in ops {
            let token = history.apply(op);
            history.issue(token);
            history.watch();
        }
        history
    }

    /// The token of an acknowledged write.
    fn apply(&mut self, op: &Op) -> Option<Token> {
        let database = &mut self.database;
        let (begun, open) = (database.begun(), database.in_progress());
        match op {
            Op::Begin => database.begin(),
            Op::Number(which) if begun > 0 => _ = database.number(which.index(begun)),
            Op::Commit(which) if !open.is_empty() => return Some(database.commit(*which.get(&open))),
            Op::Abort(which) if !open.is_empty() => _ = database.end(*which.get(&open)),
            Op::Write => return Some(database.write()),
            Op::Number(_) | Op::Commit(_) | Op::Abort(_) => {}
        }
        None
    }

    fn issue(&mut self, tokens: impl IntoIterator<Item = Token>) {
        self.issued.extend(tokens.into_iter().map(|token| Issued {
            revision: token.revision(),
            token,
            committed: self.database.committed.clone(),
        }));
    }

    /// Permify's watch reports what is committed and below all that is in progress.
    fn watch(&mut self) {
        let below = self.database.committed.range(..self.database.snapshot().xmin);
        let new: Vec<u64> = below.copied().filter(|xid| !self.watched.contains(xid)).collect();
        self.watched.extend(&new);
        self.issue(new.into_iter().map(Token::watched));
    }

    /// Commits all that is in progress, and writes once more.
    fn last_write(&mut self) -> Revision {
        for xid in self.database.in_progress() {
            let token = self.database.commit(xid);
            self.issue([token]);
        }
        let token = self.database.write();
        let revision = token.revision();
        self.issue([token]);
        revision
    }

    /// What is committed only grows: the first read at a token sees the least, and the last one the most.
    fn first_read(issued: &Issued) -> BTreeSet<u64> {
        issued.token.read(&issued.committed)
    }

    fn last_read(&self, issued: &Issued) -> BTreeSet<u64> {
        issued.token.read(&self.database.committed)
    }

    fn judge(&self, claims: Claims, forged: &[Issued]) -> Result<(), TestCaseError> {
        for b in &self.issued {
            prop_assert!(
                Self::first_read(b).contains(&b.token.xid),
                "{:?} lacks its own write",
                b
            );
            for a in self.issued.iter().chain(forged) {
                self.judge_pair(claims, b, a)?;
            }
        }
        Ok(())
    }

    fn judge_pair(&self, claims: Claims, b: &Issued, a: &Issued) -> Result<(), TestCaseError> {
        let (ever_seen, seen_by_then) = (self.last_read(a), a.token.read(&b.committed));
        if b.revision == a.revision {
            prop_assert_eq!(&self.last_read(b), &ever_seen, "{:?} {:?}", b, a);
        } else if (claims.at_or_after)(b, a) {
            prop_assert!(
                Self::first_read(b).is_superset(&ever_seen),
                "{:?} lacks some of {:?}",
                b,
                a
            );
        }
        if (claims.settles)(b, a) {
            prop_assert_eq!(&ever_seen, &seen_by_then, "{:?} did not settle {:?}", b, a);
        }
        Ok(())
    }
}

fn any_ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => Just(Op::Begin),
        4 => any::<Index>().prop_map(Op::Number),
        4 => any::<Index>().prop_map(Op::Commit),
        1 => any::<Index>().prop_map(Op::Abort),
        1 => Just(Op::Write),
    ];
    prop::collection::vec(op, 1..40)
}

/// A forged floor: it may see more than what is up to its write.
fn any_forged() -> impl Strategy<Value = Issued> {
    let ids = prop::collection::btree_set(FIRST - 2..FIRST + 12, 0..4);
    (FIRST..FIRST + 12, 0_u64..6, 1_u64..8, ids).prop_map(|(xid, below, above, mut ids)| {
        ids.retain(|id| *id < xid + above);
        let snapshot = Raw {
            xmin: xid - below,
            xmax: xid + above,
            in_progress: ids,
        };
        let token = Token::of(xid, snapshot);
        Issued {
            revision: token.revision(),
            token,
            committed: BTreeSet::new(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_01_later_tokens_see_all_that_earlier_ones_see(
        ops in any_ops(),
        forged in prop::collection::vec(any_forged(), 0..8),
    ) {
        let mut history = History::of(&ops);
        let last = history.last_write();
        history.judge(OURS, &forged)?;
        for issued in &history.issued {
            prop_assert!(last >= issued.revision && last.settles(&issued.revision), "{:?} after {:?}", last, issued);
        }
    }
}

#[test]
fn the_model_rejects_weaker_rules() {
    for claims in [BY_NUMBER, SETTLED_BY_EQUALS] {
        let mut runner = TestRunner::deterministic();
        let judged = runner.run(&any_ops(), |ops| History::of(&ops).judge(claims, &[]));
        assert!(judged.is_err());
    }
}
