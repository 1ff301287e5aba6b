//! One upstream call, and what its reply may be taken for.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use tokio::time::Instant;

use super::decision::{Decision, Span};
use super::flights::{End, Flight, Landed};
use super::{Ask, Fingerprint, Inner, Told, Weigh};
use crate::revision::Revision;
use crate::trust::{CallStart, Source, label};

/// The questions that one upstream call is to answer.
#[derive(Clone, Debug)]
pub(crate) struct Questions {
    /// The flight's name: the question itself, or one fingerprint for all.
    pub(crate) flight: Fingerprint,
    pub(crate) each: Arc<[Fingerprint]>,
    /// Who asks, for the cap on flights.
    pub(crate) credential: u64,
    /// Whoever asks these can also ask for the head revision alone.
    pub(crate) can_probe: bool,
}

impl Questions {
    /// Whether whoever asks these can also ask for the head revision alone.
    pub(crate) fn with_probes(self, can_probe: bool) -> Self {
        Self { can_probe, ..self }
    }

    /// None at all: the call is made for what its reply says of the store.
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
    /// To answer them at more than the caller demands: if the upstream refuses the revision, it is asked once more.
    AnswerAtMore,
    /// To learn the head revision, and nothing else.
    Probe,
}

/// One upstream call, about to be made.
pub(crate) struct Turn {
    pub(crate) ask: Ask,
    pub(crate) purpose: Purpose,
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
    RevisionRefused,
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
    RevisionRefused,
}

impl<V> Called<V> {
    pub(super) fn end(self) -> End<V> {
        match self {
            Self::Ended(end) => end,
            Self::RevisionRefused => End::Unshared,
        }
    }
}

impl<V: Weigh> Inner<V> {
    pub(super) async fn call<F, Fut>(
        self: &Arc<Self>,
        questions: &Questions,
        flight: &Arc<Flight<V>>,
        ask: Ask,
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
                flight.begin(cache.trust.begin());
            }
        };
        let reply = upstream(Turn {
            ask: ask.clone(),
            purpose,
            begin: Box::new(begin),
        })
        .await;
        match (reply, flight.start()) {
            (Upstream::Answered { items, revision }, Some(start)) => {
                let landed = self.land(questions, ask, &start, items, revision.as_ref(), keep);
                Called::Ended(End::Answered(Arc::new(landed)))
            }
            (Upstream::Answered { .. } | Upstream::Unshared, _) => Called::Ended(End::Unshared),
            (Upstream::RevisionRefused, _) => Called::RevisionRefused,
            (Upstream::Failed, _) => Called::Ended(End::Failed),
        }
    }

    /// Learns from a reply, labels its answers, and keeps those that may be kept.
    fn land(
        &self,
        questions: &Questions,
        ask: Ask,
        start: &CallStart,
        items: Vec<Item<V>>,
        borne: Option<&Revision>,
        keep: bool,
    ) -> Landed<V> {
        let same_store = match (borne, &ask) {
            (Some(borne), Ask::Unasked) => self.trust.learn(start, borne, Source::Unasked),
            (Some(borne), Ask::Full) => self.trust.learn(start, borne, Source::Head),
            (Some(borne), Ask::AtLeast(told) | Ask::Exact(told) | Ask::AsItCame(told)) => {
                self.trust.notice(start, told, borne)
            }
            (None, _) => start.epoch == self.trust.epoch(),
        };
        let label = label(ask.told(), borne, start).filter(|label| {
            // An exact reply that names another revision is not the answer at the one that was asked for.
            same_store && !matches!(&ask, Ask::Exact(told) if label != told)
        });
        let reads_exactly = self.abilities.told == Told::Exactly;
        let (as_of, head_as_of) = match &ask {
            Ask::Exact(told) => (self.window_as_of(told, start), None),
            Ask::AtLeast(told) | Ask::AsItCame(told) if reads_exactly => {
                (self.window_as_of(told, start).or(start.as_of(told)), None)
            }
            Ask::Full => (Some(start.began), Some(start.began)),
            Ask::Unasked | Ask::AtLeast(_) | Ask::AsItCame(_) => (Some(start.began), None),
        };
        let repeatable = match ask.told() {
            Some(told) if reads_exactly => start.settles(told),
            _ => true,
        };
        let exact = matches!(ask, Ask::Exact(_));
        let by_age_alone = !self.abilities.bears_revision && borne.is_none() && ask.told().is_none();
        // The floor was trusted when the flight was planned, but the store may have been restored since.
        let told_what_was_true = ask.told().is_none_or(|told| start.trusts(told));
        let keepable = keep
            && same_store
            && told_what_was_true
            && (label.is_some() || by_age_alone)
            && !matches!(ask, Ask::AsItCame(_));

        let mut shared = keepable;
        let mut stored = false;
        let now = Instant::now();
        let mut decisions = Vec::with_capacity(items.len());
        for (item, question) in items.into_iter().zip(&*questions.each) {
            let hard_end = now + self.settings.time_to_live;
            // The reply may have been under way for as long as the call took.
            let expires = item.expires_in.map_or(hard_end, |lives| {
                hard_end.min(start.began + lives.min(self.settings.time_to_live))
            });
            let decision = Arc::new(Decision {
                value: item.value,
                span: label.clone().map(|label| Span::at(label, repeatable)),
                as_of,
                head_as_of,
                began: start.began,
                expires,
                epoch: start.epoch,
            });
            shared &= item.keep;
            if keepable && item.keep {
                self.keep(*question, &decision, exact);
                stored = true;
            }
            decisions.push(decision);
        }
        Landed {
            decisions,
            shared,
            stored,
            ask,
        }
    }

    /// Whether an answer bears a revision and is still young enough to be given to many.
    fn serves_floors(&self, entry: &Decision<V>, now: Instant) -> bool {
        let current = entry.epoch == self.trust.epoch() && now < entry.expires;
        current && entry.label().is_some() && entry.age(now) <= self.settings.window.interval()
    }

    fn window_as_of(&self, told: &Revision, start: &CallStart) -> Option<Instant> {
        let window = self.trust.window(start.began)?;
        (window.revision == *told).then_some(window.as_of)
    }

    fn keep(&self, question: Fingerprint, decision: &Arc<Decision<V>>, exact: bool) {
        if exact && let Some(revision) = decision.label() {
            self.exact
                .insert(self.keyer.at(question, revision), Arc::clone(decision));
        }
        if decision.as_of.is_some() {
            self.newest.entry(question).and_compute_with(|entry| match entry {
                None => Op::Put(Arc::clone(decision)),
                // A head without a revision serves no floor, so it does not take the place of what does.
                Some(entry) if decision.label().is_none() && self.serves_floors(entry.value(), decision.began) => {
                    Op::Nop
                }
                Some(entry) => match Decision::clone(decision).succeed(entry.value()) {
                    Some(successor) => Op::Put(Arc::new(successor)),
                    None => Op::Nop,
                },
            });
        }
    }
}
