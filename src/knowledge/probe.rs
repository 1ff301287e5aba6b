use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::knowledge::Knowledge;
use crate::knowledge::probes::Turn;

/// What a caller may do whose floor no fresh revision covers.
#[derive(Debug)]
pub(crate) enum ProbeTurn {
    /// Probe the head; the probe ends when this is dropped, for whatever reason.
    Lead(Probing),
    /// Wait until the running probe ends.
    Wait(watch::Receiver<bool>),
    /// The last probe is too recent for another.
    TooSoon,
}

/// The running probe. Only one exists at a time.
#[derive(Debug)]
pub(crate) struct Probing {
    knowledge: Arc<Knowledge>,
    ended: watch::Sender<bool>,
    succeeded: bool,
}

impl Probing {
    fn new(knowledge: Arc<Knowledge>, ended: watch::Sender<bool>) -> Self {
        Self {
            knowledge,
            ended,
            succeeded: false,
        }
    }

    /// The probe named a revision. One that failed uses up nothing.
    pub(crate) fn succeeded(&mut self) {
        self.succeeded = true;
    }

    /// Turns true when the probe has ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.knowledge.probe_ended(self.succeeded);
        self.ended.send_replace(true);
    }
}

impl Knowledge {
    /// What a caller may do whose floor no fresh revision covers.
    pub(crate) fn probe(self: &Arc<Self>, now: Instant) -> ProbeTurn {
        let turn = self.state().probes.turn(now);
        match turn {
            Turn::Lead(ended) => ProbeTurn::Lead(Probing::new(Arc::clone(self), ended)),
            Turn::Wait(ended) => ProbeTurn::Wait(ended),
            Turn::TooSoon => ProbeTurn::TooSoon,
        }
    }

    fn probe_ended(&self, succeeded: bool) {
        self.state().probes.ended(succeeded);
    }
}
