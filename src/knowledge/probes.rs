use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

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
