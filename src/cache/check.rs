use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::decision::Decision;
use super::flights::Landed;
use super::{DecisionCache, Demand, Fingerprint, Item, Miss, Outcome, Questions, ReadAt, Upstream, Weigh};
use crate::consistency::{Floors, Freshness};
use crate::revision::Revision;

/// What the upstream answered.
#[derive(Clone, Debug)]
pub struct Answer<V> {
    value: V,
    revision: Option<Revision>,
    expires_in: Option<Duration>,
    keep: bool,
}

impl<V> Answer<V> {
    /// An answer evaluated at `revision`.
    pub fn at(value: V, revision: Revision) -> Self {
        Self {
            value,
            revision: Some(revision),
            expires_in: None,
            keep: true,
        }
    }

    /// An answer of a store that does not say at which revision it evaluates.
    pub fn without_revision(value: V) -> Self {
        Self {
            value,
            revision: None,
            expires_in: None,
            keep: true,
        }
    }

    /// The answer changes with the clock: it is served no longer than this.
    #[must_use]
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }

    /// The answer is for this caller only.
    #[must_use]
    pub fn for_the_caller_only(mut self) -> Self {
        self.keep = false;
        self
    }
}

/// An answer and where it came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checked<V> {
    /// The answer.
    pub value: V,
    /// The revision that it holds at, where that is known.
    pub revision: Option<Revision>,
    /// Why the cache did not have it; `None` for a hit.
    pub miss: Option<Miss>,
    /// Whether somebody else's upstream call answered.
    pub coalesced: bool,
    /// Whether it is kept for others.
    pub stored: bool,
}

impl<V> Checked<V> {
    /// Whether the answer came from the cache.
    pub fn is_hit(&self) -> bool {
        self.miss.is_none()
    }
}

/// Why there is no answer. A failure is never an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError<E> {
    /// This caller's own upstream call failed.
    #[error("the upstream failed")]
    Upstream(#[source] E),
    /// The upstream call that this caller shared with others failed.
    #[error("the shared upstream call failed; ask again")]
    Shared,
    /// The upstream did not answer within the flight's time.
    #[error("the upstream did not answer in time; ask again, or raise flight_timeout")]
    TimedOut,
    /// The floor belongs to another store than the one that answers here.
    #[error("the floor belongs to another store; drop it and take the revision of the next answer")]
    Foreign,
    /// The store answered at this revision, and it does not cover the floors.
    #[error("the service answered at an older revision than the request demands; ask again later")]
    Behind(Revision),
    /// No one read covers all floors.
    #[error("no one read covers all floors; send one of them")]
    Apart,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<V: Weigh> DecisionCache<V> {
    /// The answer to `question`, from the cache if an entry satisfies `freshness`, and otherwise from `upstream`, which
    /// one caller calls for all who wait and whose freshness it satisfies.
    ///
    /// `upstream` runs in a task of its own, goes on when this caller leaves, and may be called twice: when asking
    /// at more than the caller's own floor failed, it is asked once more at that floor. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`CheckError`]; nothing of a failure is kept.
    pub async fn check<F, Fut, E>(
        &self,
        question: Fingerprint,
        freshness: &Freshness,
        upstream: F,
    ) -> Result<Checked<V>, CheckError<E>>
    where
        F: FnMut(ReadAt) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Answer<V>, E>> + Send + 'static,
        E: Send + 'static,
    {
        let arrived = Instant::now();
        // No one is known by credentials here, so each question has that share of the flights to itself.
        let questions = Questions::one(question, question.low_half());
        let miss = match self.look(question, freshness, arrived) {
            Ok(decision) if !self.wants_background_read(arrived) => return Ok(checked(&decision, None, false, true)),
            Ok(decision) => {
                self.read_in_background(&questions, answering(upstream, Arc::default()));
                return Ok(checked(&decision, None, false, true));
            }
            Err(miss) => miss,
        };
        let own_error = Arc::default();
        let ask = answering(upstream, Arc::clone(&own_error));
        let only = |landed: &Landed<V>, coalesced| {
            let decision = landed.decisions.first().ok_or(CheckError::Shared)?;
            Ok(checked(decision, Some(miss), coalesced, landed.stored))
        };
        let none = Floors::none();
        let floors = match freshness {
            Freshness::AtLeast { floors, .. } => floors,
            Freshness::Exact(_) | Freshness::Full => &none,
        };
        match self.run(&questions, Demand::new(freshness, floors, arrived), ask).await {
            Outcome::Hit(landed) | Outcome::Joined(landed) => only(&landed, true),
            Outcome::Asked(Some(landed)) => only(&landed, false),
            Outcome::Asked(None) => {
                let error = own_error.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(error.map_or(CheckError::Shared, CheckError::Upstream))
            }
            Outcome::Failed => Err(CheckError::Shared),
            Outcome::TimedOut => Err(CheckError::TimedOut),
            Outcome::Foreign => Err(CheckError::Foreign),
            Outcome::Behind(revision) => Err(CheckError::Behind(revision)),
            Outcome::Apart => Err(CheckError::Apart),
        }
    }
}

/// `upstream` as the cache calls it: its last error goes into `slot`.
fn answering<V, F, Fut, E>(
    mut upstream: F,
    slot: Arc<Mutex<Option<E>>>,
) -> impl FnMut(super::Turn) -> BoxFuture<Upstream<V>> + Clone + Send + 'static
where
    V: Weigh,
    F: FnMut(ReadAt) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer<V>, E>> + Send + 'static,
    E: Send + 'static,
{
    move |turn: super::Turn| {
        let slot = Arc::clone(&slot);
        turn.begin();
        let answer = upstream(turn.ask.clone());
        Box::pin(async move {
            match answer.await {
                Ok(Answer {
                    value,
                    revision,
                    expires_in,
                    keep,
                }) => Upstream::Answered {
                    items: vec![Item {
                        value,
                        keep,
                        expires_in,
                    }],
                    revision,
                },
                Err(error) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    if turn.purpose == super::Purpose::AnswerAtMore {
                        Upstream::RevisionRejected
                    } else {
                        Upstream::Failed
                    }
                }
            }
        })
    }
}

fn checked<V: Clone>(decision: &Decision<V>, miss: Option<Miss>, coalesced: bool, stored: bool) -> Checked<V> {
    Checked {
        value: decision.value.clone(),
        revision: decision.label().cloned(),
        miss,
        coalesced,
        stored,
    }
}
