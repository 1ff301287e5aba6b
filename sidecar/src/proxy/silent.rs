//! Connections that have not said yet what they speak.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Those of all ports. They take file descriptors that others need, so the oldest are closed when there are no more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silent {
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    open: BTreeMap<u64, oneshot::Sender<()>>,
    /// How many were told to close and still hold their descriptors.
    closing: usize,
}

/// One of them, until this is dropped.
pub(super) struct Place {
    silent: Silent,
    number: u64,
    closed: oneshot::Receiver<()>,
}

impl Silent {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self) -> Place {
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        let (close, closed) = oneshot::channel();
        waiting.open.insert(number, close);
        Place {
            silent: self.clone(),
            number,
            closed,
        }
    }

    /// Closes the older half of them. Says whether there were any. While some are still about to close, it closes no more:
    /// otherwise a busy machine would close those that have only just come.
    pub(super) fn close_older_half(&self) -> bool {
        let mut waiting = self.waiting();
        if waiting.closing > 0 {
            return true;
        }
        let newer = waiting.open.keys().nth(waiting.open.len().div_ceil(2)).copied();
        let newer = newer.map_or_else(BTreeMap::new, |first| waiting.open.split_off(&first));
        // Their places see it.
        let older = std::mem::replace(&mut waiting.open, newer);
        waiting.closing = older.len();
        !older.is_empty()
    }
}

impl Place {
    /// Waits until the connection has to be closed.
    pub(super) async fn closed(&mut self) {
        // Nothing is ever sent: it is dropped.
        let _ = (&mut self.closed).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.silent.waiting();
        if waiting.open.remove(&self.number).is_none() {
            waiting.closing -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_closed_before_the_first_have_gone() {
        let silent = Silent::default();
        let mut places: Vec<Place> = (0..8).map(|_| silent.enter()).collect();
        assert!(silent.close_older_half() && silent.close_older_half());
        let newest = places.split_off(4);
        assert_eq!(silent.waiting().open.len(), 4);
        drop(places);
        assert!(silent.close_older_half());
        assert_eq!(silent.waiting().open.len(), 2);
        drop(newest);
        assert!(!silent.close_older_half());
    }
}
