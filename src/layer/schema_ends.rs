use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::cache::DecisionCache;
use crate::protocol::StoredResponse;

/// Ends all answers for schema writes of unknown outcome.
///
/// A caller who may not write schemas can still begin such writes and break them off. So they end answers at most once in a
/// window, however many there are: the first at once, and those that come within a window of it together, at its end.
#[derive(Debug)]
pub(super) struct SchemaEnds {
    cache: DecisionCache<StoredResponse>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ended: Option<Instant>,
    /// Answers will be ended once more.
    pending: bool,
}

impl SchemaEnds {
    pub(super) fn new(cache: DecisionCache<StoredResponse>) -> Arc<Self> {
        Arc::new(Self {
            cache,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all answers because the schema may have changed, now or at the window's end.
    pub(super) fn schema_may_have_changed(self: &Arc<Self>) {
        let now = Instant::now();
        let mut state = self.state();
        let next = state.ended.map(|ended| ended + self.cache.interval());
        if let Some(next) = next.filter(|next| *next > now)
            && let Ok(runtime) = Handle::try_current()
        {
            if !std::mem::replace(&mut state.pending, true) {
                let ends = Arc::downgrade(self);
                runtime.spawn(async move {
                    sleep_until(next).await;
                    if let Some(ends) = ends.upgrade() {
                        ends.end_answers(&mut ends.state());
                    }
                });
            }
            return;
        }
        self.end_answers(&mut state);
    }

    fn end_answers(&self, state: &mut State) {
        *state = State {
            ended: Some(Instant::now()),
            pending: false,
        };
        self.cache.schema_changed();
    }
}
