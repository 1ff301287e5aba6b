//! One upstream call, and what its reply may be taken for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::decision::{Decision, Span};
use crate::cache::fetch::{About, Fetch, Item, Questions, Replied, Turn};
use crate::cache::flight::{End, Flight};
use crate::cache::landed::Landed;
use crate::cache::miss::NotStored;
use crate::cache::purpose::Purpose;
use crate::cache::read_at::ReadAt;
use crate::cache::weigh::Weigh;
use crate::cache::{Fingerprint, Inner};
use crate::knowledge::{CallStart, Claim, Instants, ReadMode, Source};
use crate::revision::Revision;

/// How an upstream call ended: for its flight, and for its own caller.
pub(super) struct Called<V, O> {
    pub(super) end: End<V>,
    pub(super) own: O,
    /// The upstream would not answer at the revision that it was asked at.
    pub(super) revision_rejected: bool,
}

impl<V: Weigh> Inner<V> {
    /// Asks the upstream `questions` at `ask`. `share`: the answers may be stored and given to others.
    pub(super) async fn call<U: Fetch<V>>(
        self: &Arc<Self>,
        questions: &Questions,
        flight: &Arc<Flight<V>>,
        ask: ReadAt,
        purpose: Purpose,
        share: bool,
        upstream: U,
    ) -> Called<V, U::Own> {
        let turn = Turn {
            shared: share && !matches!(ask, ReadAt::Unmodified(_)),
            ask: ask.clone(),
            purpose,
            counters: Arc::clone(&self.counters),
            knowledge: Arc::clone(&self.knowledge),
            flight: Arc::clone(flight),
        };
        let replied = upstream.ask(turn).await;
        let revision_rejected = matches!(replied, Replied::RevisionRejected { .. });
        let (end, own) = match replied {
            Replied::Answered { own, items, revision } => {
                let landed = flight
                    .start()
                    .and_then(|start| self.land(questions, ask, &start, items, revision, share));
                (landed.map_or(End::Unshared, |landed| End::Answered(landed)), own)
            }
            Replied::Unshared { own, why } => {
                self.none_stored(questions, why);
                (End::Unshared, own)
            }
            Replied::RevisionRejected { own } => {
                self.none_stored(questions, NotStored::ErrorStatus);
                (End::Unshared, own)
            }
            Replied::Failed { own } => {
                self.none_stored(questions, NotStored::ErrorStatus);
                (End::Failed, own)
            }
        };
        Called {
            end,
            own,
            revision_rejected,
        }
    }

    /// Probes the store for a fresh revision, and learns it. `true`: the store named one.
    pub(super) async fn probe<U: Fetch<V>>(self: &Arc<Self>, upstream: U) -> bool {
        let flight = Flight::new(ReadAt::Head);
        let turn = Turn {
            ask: ReadAt::Head,
            purpose: Purpose::Probe,
            shared: false,
            counters: Arc::clone(&self.counters),
            knowledge: Arc::clone(&self.knowledge),
            flight: Arc::clone(&flight),
        };
        match (upstream.probe(turn).await, flight.start()) {
            (Some(revision), Some(start)) => {
                self.knowledge.learn(&start, &revision, Source::Head);
                true
            }
            _ => false,
        }
    }

    /// Learns from a reply, and stores those of its answers that may be stored. `replied` is the revision that it names.
    /// `None`: it holds no answer.
    fn land(
        &self,
        questions: &Questions,
        asked: ReadAt,
        start: &CallStart,
        items: Vec<Item<V>>,
        named: Result<Revision, NotStored>,
        share: bool,
    ) -> Option<Landed<V>> {
        let unnamed = named.as_ref().err().copied();
        // Where the revisions in replies can't be relied on, they count as not named.
        let replied = named.ok().filter(|_| self.capabilities.names_revisions);
        // Read before the epoch is compared, so that an answer of another history is not stored.
        let history = self.knowledge.history();
        let same_store = self.learn(&asked, replied.as_ref(), start);
        let claim = match &asked {
            _ if !same_store => Claim::None,
            // A protocol may have asked at head because its message can't name the revision.
            ReadAt::Unmodified(_) if replied.is_none() => Claim::None,
            ReadAt::Exact(snapshot) => self.knowledge.claim_exact(snapshot, replied.as_ref(), start),
            other => self.knowledge.claim(other.revision(), replied.as_ref(), start),
        };
        let by_age_alone = !self.capabilities.names_revisions && asked.revision().is_none();
        let fresh = match &claim {
            Claim::Named(revision) => self.knowledge.freshness(revision, start.began),
            Claim::None if by_age_alone => Instants::at(start.began, asked == ReadAt::Head),
            Claim::Settled(_) | Claim::None => Instants::default(),
        };
        let now = Instant::now();
        let bound = self.settings.window.bound();
        let young = fresh.any.is_some_and(|at| now.saturating_duration_since(at) <= bound);
        // A store names only what it has passed, but Permify names a write before all that its snapshot may see has ended.
        let settled = |revision| self.capabilities.read_mode != ReadMode::Exactly || start.settles(revision);
        let repeats = self.capabilities.reads_repeat && claim.revision().is_some_and(settled);
        let serves_exact = matches!(asked, ReadAt::Exact(_)) && repeats && claim != Claim::None;
        // It was named when the read was planned, but the store may have been replaced since.
        let still_named = match &asked {
            ReadAt::AtLeast(asked) => self.knowledge.named_before(asked, start),
            ReadAt::Unmodified(_) => false,
            ReadAt::Any | ReadAt::Head | ReadAt::Exact(_) => true,
        };
        let may_store = share && same_store && still_named && (young || serves_exact);
        let of_another_store = || {
            let asked = asked.revision().map(Revision::store);
            asked.is_some() && replied.as_ref().is_some_and(|replied| Some(replied.store()) != asked)
        };
        let why_not = if of_another_store() {
            NotStored::OtherStore
        } else if !same_store || !still_named {
            NotStored::Replaced
        } else if !share && !matches!(asked, ReadAt::Unmodified(_) | ReadAt::Exact(_)) {
            NotStored::Unshared
        } else if let (Some(why), Claim::None) = (unnamed, &claim) {
            why
        } else if fresh.any.is_some() && !young {
            NotStored::TooOld
        } else {
            NotStored::Unsettled
        };

        let mut shared = may_store;
        let mut stored = false;
        let mut decisions = items.into_iter().zip(questions.each()).map(|(item, question)| {
            let About {
                question: asks,
                verdict,
            } = &item.about;
            let placed = claim
                .revision()
                .filter(|_| repeats || !self.capabilities.reads_repeat)
                .and_then(|revision| self.following.place(history, revision, asks.as_ref(), *verdict));
            let time_to_live = match &placed {
                Some(placed) if placed.stays_until_changed() => self.settings.longest_life(),
                _ => self.settings.time_to_live,
            };
            let lives = item.expires_in.unwrap_or(Duration::MAX).min(time_to_live);
            let decision = Arc::new(Decision {
                value: item.value,
                span: claim.revision().map(|revision| Span::at(revision.clone(), repeats)),
                fresh,
                began: start.began,
                // The reply may have been under way for as long as the call took.
                expires: start.began + lives,
                epoch: start.epoch,
                placed: placed.map(Arc::new),
            });
            shared &= item.not_stored.is_none();
            let kept = may_store && item.not_stored.is_none();
            if kept {
                if serves_exact && let Some(revision) = claim.revision() {
                    self.exact
                        .insert(self.keyer.at(*question, revision), Arc::clone(&decision));
                }
                if young {
                    self.store_newest(*question, &decision);
                }
                stored = true;
            }
            match kept && young {
                true => self.past.stored(*question, decision.expires, decision.epoch),
                false => self.past.not_stored(*question, item.not_stored.unwrap_or(why_not)),
            }
            decision
        });
        let first = decisions.next()?;
        let rest = decisions.collect();
        Some(Landed {
            first,
            rest,
            shared,
            stored,
            asked,
            replied,
        })
    }

    fn none_stored(&self, questions: &Questions, why: NotStored) {
        for question in questions.each() {
            self.past.not_stored(*question, why);
        }
    }

    /// Learns what a reply says of the store. `false`: the reply is not stored, because the store is not the one that the
    /// call began with.
    fn learn(&self, ask: &ReadAt, replied: Option<&Revision>, start: &CallStart) -> bool {
        let knowledge = &self.knowledge;
        match (replied, ask) {
            (None, _) => start.epoch == knowledge.epoch(),
            (Some(replied), ReadAt::Any) => knowledge.learn(start, replied, Source::Read),
            (Some(replied), ReadAt::Head) => knowledge.learn(start, replied, Source::Head),
            (Some(replied), ReadAt::AtLeast(asked) | ReadAt::Unmodified(asked)) => {
                knowledge.learn_at_least(start, asked, replied)
            }
            (Some(replied), ReadAt::Exact(asked)) => knowledge.notice(start, asked, replied),
        }
    }

    /// Whether an answer claims a revision and is still young enough to be given to many.
    fn serves_floors(&self, entry: &Decision<V>, now: Instant) -> bool {
        let current = entry.epoch == self.knowledge.epoch() && now < entry.expires;
        current && entry.label().is_some() && entry.age(now) <= self.settings.window.interval()
    }

    /// Stores an answer as the newest, unless the entry that is there covers it.
    fn store_newest(&self, question: Fingerprint, decision: &Arc<Decision<V>>) {
        self.newest.update(question, |entry| match entry {
            None => Some(Arc::clone(decision)),
            // An answer without a revision serves no floor, so it does not take the place of one that does.
            Some(entry) if decision.label().is_none() && self.serves_floors(entry, decision.began) => None,
            Some(entry) => {
                let successor = Decision::clone(decision).succeed(entry, self.capabilities.reads_repeat);
                successor.map(Arc::new)
            }
        });
    }
}
