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

    /// Closes the older half of them. Says whether there were any.
    pub(super) fn close_older_half(&self) -> bool {
        let mut waiting = self.waiting();
        let newer = waiting.open.keys().nth(waiting.open.len().div_ceil(2)).copied();
        let newer = newer.map_or_else(BTreeMap::new, |first| waiting.open.split_off(&first));
        // Their places see it.
        let older = std::mem::replace(&mut waiting.open, newer);
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
        self.silent.waiting().open.remove(&self.number);
    }
}
