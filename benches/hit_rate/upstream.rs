//! The authorization service behind the caches: it answers after a while, at the revision that it is asked at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::world::{Millis, Question, World};

/// What a service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    /// The revision that it was evaluated at.
    pub(crate) revision: u64,
    /// The instant that its age is counted from: it knows of all that was written until then.
    pub(crate) as_of: Millis,
}

/// Where to evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Head,
    /// At one revision, which stands for the state of the store at an instant.
    Exactly {
        revision: u64,
        as_of: Millis,
    },
}

/// One service, one run.
pub(crate) struct Upstream {
    pub(crate) world: World,
    pub(crate) latency: Duration,
    started: Instant,
    calls: AtomicU64,
}

impl Upstream {
    pub(crate) fn new(world: World, latency: Duration) -> Self {
        Self {
            world,
            latency,
            started: Instant::now(),
            calls: AtomicU64::new(0),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    pub(crate) fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis(at.max(0) as u64)
    }

    pub(crate) fn head(&self) -> u64 {
        self.world.head_at(self.now())
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Half of the latency is before the evaluation, half after it: a write may happen in between.
    pub(crate) async fn ask(&self, question: Question, at: At) -> Answer {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let began = self.now();
        self.travel().await;
        let head = self.head();
        let (revision, as_of) = match at {
            At::Head => (head, began),
            At::Exactly { revision, as_of } => (revision, as_of.min(began)),
        };
        assert!(
            revision <= head,
            "no caller can ask for a revision that is not written yet"
        );
        let allowed = self.world.decision(question, revision);
        self.travel().await;
        Answer {
            allowed,
            revision,
            as_of,
        }
    }

    async fn travel(&self) {
        if !self.latency.is_zero() {
            sleep(self.latency / 2).await;
        }
    }
}
