use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Knowledge;

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
    pub(super) fn new(knowledge: Arc<Knowledge>, ended: watch::Sender<bool>) -> Self {
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

/// At most one probe at a time, and one successful one in an interval: a hundred forged tokens cost one probe.
#[derive(Debug)]
pub(super) struct Probes {
    interval: Duration,
    last_began: Option<Instant>,
    running: Option<watch::Receiver<bool>>,
}

#[derive(Debug)]
pub(super) enum Turn {
    Lead(watch::Sender<bool>),
    Wait(watch::Receiver<bool>),
    TooSoon,
}

impl Probes {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            last_began: None,
            running: None,
        }
    }

    pub(super) fn turn(&mut self, now: Instant) -> Turn {
        if let Some(running) = &self.running {
            return Turn::Wait(running.clone());
        }
        if self
            .last_began
            .is_some_and(|last| now.saturating_duration_since(last) < self.interval)
        {
            return Turn::TooSoon;
        }
        let (ended, running) = watch::channel(false);
        self.last_began = Some(now);
        self.running = Some(running);
        Turn::Lead(ended)
    }

    pub(super) fn ended(&mut self, succeeded: bool) {
        self.running = None;
        if !succeeded {
            self.last_began = None;
        }
    }
}
