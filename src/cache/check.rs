use std::time::Duration;

use tokio::time::Instant;

use crate::cache::DecisionCache;
use crate::cache::decision::Decision;
use crate::cache::fetch::{About, Fetch, Item, Questions, Replied, Turn};
use crate::cache::fingerprint::Fingerprint;
use crate::cache::landed::Landed;
use crate::cache::miss::{Miss, NotStored};
use crate::cache::purpose::Purpose;
use crate::cache::read_at::ReadAt;
use crate::cache::run::{Demand, Failure, Fetched};
use crate::cache::weigh::Weigh;
use crate::changes::{Question, Verdict};
use crate::consistency::Freshness;
use crate::revision::Revision;

/// What the upstream answered.
#[derive(Clone, Debug)]
pub struct Answer<V> {
    value: V,
    revision: Option<Revision>,
    expires_in: Option<Duration>,
    store: bool,
    about: About,
}

impl<V> Answer<V> {
    /// An answer evaluated at `revision`.
    pub fn at(value: V, revision: Revision) -> Self {
        Self {
            value,
            revision: Some(revision),
            expires_in: None,
            store: true,
            about: About::default(),
        }
    }

    /// An answer of a store that does not say at which revision it evaluates.
    pub fn without_revision(value: V) -> Self {
        Self {
            value,
            revision: None,
            expires_in: None,
            store: true,
            about: About::default(),
        }
    }

    /// The answer changes with the clock: it is served no longer than this.
    #[must_use]
    pub fn expires_in(mut self, duration: Duration) -> Self {
        self.expires_in = Some(duration);
        self
    }

    /// What the answer is about, so that it outlives the changes of a [followed](DecisionCache::follow) feed that do not
    /// concern it.
    #[must_use]
    pub fn about(mut self, question: Question, verdict: Verdict) -> Self {
        self.about = About {
            question: Some(question),
            verdict,
        };
        self
    }

    /// The answer is for this caller only.
    #[must_use]
    pub fn for_the_caller_only(mut self) -> Self {
        self.store = false;
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
    /// The newest revision at which a [followed](DecisionCache::follow) feed shows that it holds too. `None` where none does.
    pub through: Option<Revision>,
    /// Why the cache did not have it; `None` for a hit.
    pub miss: Option<Miss>,
    /// Whether another caller's upstream call answered.
    pub coalesced: bool,
    /// Whether it is stored for others.
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

impl<V: Weigh> DecisionCache<V> {
    /// The answer to `question`, from the cache if an entry satisfies `freshness`, and otherwise from `upstream`, which
    /// one caller calls for all who wait and whose freshness it satisfies.
    ///
    /// `upstream` goes on when this caller leaves, and may be called twice: when asking at more than the caller's own floor
    /// failed, it is asked once more at that floor. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`CheckError`]; failures are not stored.
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
        // Callers have no credentials here, so each question has that share of the flights to itself.
        let questions = Questions::one(question, question.low_half());
        let mut upstream = Asking(upstream);
        let miss = match self.look(question, freshness, arrived) {
            Ok(decision) => {
                if self.wants_background_read(arrived) {
                    self.read_in_background(&questions, upstream);
                }
                return Ok(self.checked(&decision, None, false, true));
            }
            Err(miss) => miss,
        };
        let demand = Demand::of(freshness, arrived);
        let only = |landed: &Landed<V>, coalesced| self.checked(&landed.first, Some(miss), coalesced, landed.stored);
        match self.run(&questions, demand, &mut upstream).await? {
            Fetched::Shared(landed) => Ok(only(&landed, true)),
            Fetched::Own { reply: Err(error), .. } => Err(CheckError::Upstream(error)),
            Fetched::Own {
                reply: Ok(()),
                landed: Some(landed),
            } => Ok(only(&landed, false)),
            // An answer always lands, because it is the one item of its call.
            Fetched::Own {
                reply: Ok(()),
                landed: None,
            } => Err(CheckError::Shared),
        }
    }

    fn checked(&self, decision: &Decision<V>, miss: Option<Miss>, coalesced: bool, stored: bool) -> Checked<V> {
        Checked {
            value: decision.value.clone(),
            revision: decision.label().cloned(),
            through: decision.frontier(self.0.knowledge.history()),
            miss,
            coalesced,
            stored,
        }
    }
}

/// A closure that asks the upstream.
#[derive(Clone)]
struct Asking<F>(F);

impl<V, F, Fut, E> Fetch<V> for Asking<F>
where
    V: Weigh,
    F: FnMut(ReadAt) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Answer<V>, E>> + Send + 'static,
    E: Send + 'static,
{
    type Own = Result<(), E>;

    fn ask(mut self, turn: Turn<V>) -> impl Future<Output = Replied<V, Self::Own>> + Send + 'static {
        turn.begin();
        let answer = (self.0)(turn.ask);
        async move {
            match answer.await {
                Ok(Answer {
                    value,
                    revision,
                    expires_in,
                    store,
                    about,
                }) => Replied::Answered {
                    own: Ok(()),
                    items: vec![Item {
                        value,
                        not_stored: (!store).then_some(NotStored::Unshared),
                        expires_in,
                        about,
                    }],
                    revision: revision.ok_or(NotStored::NoToken),
                },
                Err(error) => match turn.purpose {
                    Purpose::AnswerAtMore => Replied::RevisionRejected { own: Err(error) },
                    _ => Replied::Failed { own: Err(error) },
                },
            }
        }
    }
}

impl<E> From<Failure> for CheckError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Upstream => Self::Shared,
            Failure::TimedOut => Self::TimedOut,
            Failure::Foreign => Self::Foreign,
            Failure::Behind(revision) => Self::Behind(revision),
            Failure::Apart => Self::Apart,
        }
    }
}
