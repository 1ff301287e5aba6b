//! One upstream call, and what its reply may be taken for.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use tokio::time::Instant;

use super::decision::{Decision, Span};
use super::flights::{End, Flight, Landed};
use super::{Fingerprint, Inner, ReadAt, ReadMode, Weigh};
use crate::knowledge::{CallStart, Claim, Instants, Source};
use crate::revision::Revision;

/// The questions that one upstream call is to answer.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    /// The flight's name: the question itself, or one fingerprint for all.
    pub(crate) flight: Fingerprint,
    pub(crate) each: Arc<[Fingerprint]>,
    /// Who asks, for the cap on flights.
    pub(crate) credential: u64,
    /// Whoever asks these can also make a probe.
    pub(crate) can_probe: bool,
}

impl Questions {
    /// Whether whoever asks these can also make a probe.
    pub(crate) fn with_probes(self, can_probe: bool) -> Self {
        Self { can_probe, ..self }
    }

    /// No questions: the call is made for what its reply says of the store.
    pub(super) fn none(&self) -> Self {
        Self {
            each: Arc::new([]),
            ..self.clone()
        }
    }

    pub(crate) fn one(question: Fingerprint, credential: u64) -> Self {
        Self {
            flight: question,
            each: Arc::new([question]),
            credential,
            can_probe: false,
        }
    }
}

/// Why an upstream call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To answer the questions as the caller demands.
    Answer,
    /// To answer them at more than the caller demands: if the upstream rejects the revision, it is asked once more.
    AnswerAtMore,
    /// To learn a fresh revision, and nothing else.
    Probe,
    /// To learn a fresh revision while there is traffic, with no one waiting. The answer is stored like any.
    Background,
}

/// One upstream call, about to be made.
pub(crate) struct Turn {
    pub(crate) ask: ReadAt,
    pub(crate) purpose: Purpose,
    /// The reply may be stored or given to others, so nothing of the caller's own spelling may be in what is asked.
    pub(crate) shared: bool,
    begin: Box<dyn Fn() + Send + Sync>,
}

impl Turn {
    /// To be called just before the upstream is: what it answers is no older than this instant.
    pub(crate) fn begin(&self) {
        (self.begin)();
    }
}

/// What came of one upstream call. The reply as such goes to the caller by another way.
#[derive(Debug)]
pub(crate) enum Upstream<V> {
    Answered {
        items: Vec<Item<V>>,
        /// The revision that the reply names.
        revision: Option<Revision>,
    },
    /// The upstream would not answer at the revision that it was told.
    RevisionRejected,
    /// The reply holds no answer that anybody could share.
    Unshared,
    Failed,
}

#[derive(Debug)]
pub(crate) struct Item<V> {
    pub(crate) value: V,
    pub(crate) keep: bool,
    pub(crate) expires_in: Option<Duration>,
}

/// How an upstream call ended for its flight.
pub(super) enum Called<V> {
    Ended(End<V>),
    RevisionRejected,
}

impl<V> Called<V> {
    pub(super) fn end(self) -> End<V> {
        match self {
            Self::Ended(end) => end,
            Self::RevisionRejected => End::Unshared,
        }
    }
}

impl<V: Weigh> Inner<V> {
    pub(super) async fn call<F, Fut>(
        self: &Arc<Self>,
        questions: &Questions,
        flight: &Arc<Flight<V>>,
        ask: ReadAt,
        purpose: Purpose,
        upstream: &mut F,
        keep: bool,
    ) -> Called<V>
    where
        F: FnMut(Turn) -> Fut,
        Fut: Future<Output = Upstream<V>>,
    {
        let begin = {
            let (cache, flight) = (Arc::clone(self), Arc::clone(flight));
            move || {
                cache.counters.upstream_call(purpose);
                flight.begin(cache.knowledge.begin());
            }
        };
        let reply = upstream(Turn {
            ask: ask.clone(),
            purpose,
            shared: keep && !matches!(ask, ReadAt::Unmodified(_)),
            begin: Box::new(begin),
        })
        .await;
        match (reply, flight.start()) {
            (Upstream::Answered { items, revision }, Some(start)) => {
                let landed = self.land(questions, ask, &start, items, revision, keep);
                Called::Ended(End::Answered(Arc::new(landed)))
            }
            (Upstream::Answered { .. } | Upstream::Unshared, _) => Called::Ended(End::Unshared),
            (Upstream::RevisionRejected, _) => Called::RevisionRejected,
            (Upstream::Failed, _) => Called::Ended(End::Failed),
        }
    }

    /// Learns from a reply, and stores those of its answers that may be stored. `replied` is the revision that it names.
    fn land(
        &self,
        questions: &Questions,
        ask: ReadAt,
        start: &CallStart,
        items: Vec<Item<V>>,
        replied: Option<Revision>,
        keep: bool,
    ) -> Landed<V> {
        // Where what replies name can't be relied on, they name nothing; but a probe's reply is that of a write.
        let replied = replied.filter(|_| self.capabilities.names_revisions || questions.each.is_empty());
        let same_store = self.learn(&ask, replied.as_ref(), start);
        let exact = matches!(ask, ReadAt::Exact(_));
        let claim = match &ask {
            _ if !same_store => Claim::None,
            // A protocol may have put head in the place of what no message says.
            ReadAt::Unmodified(_) if replied.is_none() => Claim::None,
            ReadAt::Exact(asked) => self.knowledge.claim_exact(asked, replied.as_ref(), start),
            other => self.knowledge.claim(other.revision(), replied.as_ref(), start),
        };
        let by_age_alone = !self.capabilities.names_revisions && replied.is_none() && ask.revision().is_none();
        let fresh = match &claim {
            Claim::Named(revision) => self.knowledge.freshness(revision, start.began),
            Claim::None if by_age_alone => Instants::at(start.began, ask == ReadAt::Head),
            Claim::Settled(_) | Claim::None => Instants::default(),
        };
        let now = Instant::now();
        let bound = self.settings.window.bound();
        let young = fresh.any.is_some_and(|at| now.saturating_duration_since(at) <= bound);
        // A store names only what it has passed, but Permify names a write before all that its snapshot may see has ended.
        let settled = |revision| self.capabilities.read_mode != ReadMode::Exactly || start.settles(revision);
        let repeats = self.capabilities.reads_repeat && claim.revision().is_some_and(settled);
        let serves_exact = exact && repeats && claim != Claim::None;
        // It was named when the read was planned, but the store may have been replaced since.
        let still_named = match &ask {
            ReadAt::AtLeast(asked) => self.knowledge.named_before(asked, start),
            ReadAt::Unmodified(_) => false,
            ReadAt::Any | ReadAt::Head | ReadAt::Exact(_) => true,
        };
        let keepable = keep && same_store && still_named && (young || serves_exact);

        let mut shared = keepable;
        let mut stored = false;
        let mut decisions = Vec::with_capacity(items.len());
        for (item, question) in items.into_iter().zip(&*questions.each) {
            let lives = item.expires_in.unwrap_or(Duration::MAX).min(self.settings.time_to_live);
            let decision = Arc::new(Decision {
                value: item.value,
                span: claim.revision().map(|revision| Span::at(revision.clone(), repeats)),
                fresh,
                began: start.began,
                // The reply may have been under way for as long as the call took.
                expires: start.began + lives,
                epoch: start.epoch,
            });
            shared &= item.keep;
            if keepable && item.keep {
                if serves_exact && let Some(revision) = claim.revision() {
                    self.exact
                        .insert(self.keyer.at(*question, revision), Arc::clone(&decision));
                }
                if young {
                    self.keep(*question, &decision);
                }
                stored = true;
            }
            decisions.push(decision);
        }
        Landed {
            decisions,
            shared,
            stored,
            ask,
            replied,
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

    fn keep(&self, question: Fingerprint, decision: &Arc<Decision<V>>) {
        self.newest.entry(question).and_compute_with(|entry| match entry {
            None => Op::Put(Arc::clone(decision)),
            // A head without a revision serves no floor, so it does not take the place of what does.
            Some(entry) if decision.label().is_none() && self.serves_floors(entry.value(), decision.began) => Op::Nop,
            Some(entry) => match Decision::clone(decision).succeed(entry.value(), self.capabilities.reads_repeat) {
                Some(successor) => Op::Put(Arc::new(successor)),
                None => Op::Nop,
            },
        });
    }
}
