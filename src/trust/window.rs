use std::time::Duration;

use tokio::time::Instant;

use crate::revision::Revision;

/// The revision at which the reads of one window share answers.
#[derive(Clone, Debug)]
pub(crate) struct WindowRevision {
    pub(crate) revision: Revision,
    /// The instant before the call whose reply bore the revision.
    pub(crate) as_of: Instant,
}

/// One window at a time, counted in intervals since the start.
#[derive(Debug)]
pub(super) struct Windows {
    origin: Instant,
    interval: Duration,
    current: Option<(u128, WindowRevision)>,
}

impl Windows {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            origin: Instant::now(),
            interval,
            current: None,
        }
    }

    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    fn index(&self, at: Instant) -> u128 {
        at.saturating_duration_since(self.origin).as_nanos() / self.interval.as_nanos().max(1)
    }

    /// Takes `revision` for the window in which its call began, if it is the first there.
    pub(super) fn offer(&mut self, revision: &Revision, as_of: Instant) {
        let index = self.index(as_of);
        if self.current.as_ref().is_none_or(|(current, _)| *current < index) {
            self.current = Some((
                index,
                WindowRevision {
                    revision: revision.clone(),
                    as_of,
                },
            ));
        }
    }

    pub(super) fn current(&self, now: Instant) -> Option<WindowRevision> {
        let index = self.index(now);
        self.current
            .as_ref()
            .filter(|(current, _)| *current == index)
            .map(|(_, window)| window.clone())
    }

    pub(super) fn forget(&mut self, failed: &Revision) {
        if self
            .current
            .as_ref()
            .is_some_and(|(_, window)| window.revision == *failed)
        {
            self.clear();
        }
    }

    pub(super) fn clear(&mut self) {
        self.current = None;
    }
}
