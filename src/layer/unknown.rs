use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::protocol::Protocol;

/// When schema writes of unknown outcome have ended all answers.
///
/// Whoever may not write schemas can still begin such writes and break them off, so that these end answers at most once in
/// a window, however many there are: the first at once, and those that come within a window of it together, at its end.
#[derive(Debug, Default)]
pub(super) struct UnknownOutcomes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ended: Option<Instant>,
    /// Answers will be ended once more.
    pending: bool,
}

impl UnknownOutcomes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Protocol> Shared<P> {
    /// Ends all answers because the schema may have changed, now or at the window's end.
    pub(super) fn schema_may_have_changed(self: &Arc<Self>) {
        let now = Instant::now();
        let mut state = self.unknown_outcomes.state();
        let next = state.ended.map(|ended| ended + self.cache.interval());
        if let Some(next) = next.filter(|next| *next > now)
            && let Ok(runtime) = Handle::try_current()
        {
            if !std::mem::replace(&mut state.pending, true) {
                let shared = Arc::downgrade(self);
                runtime.spawn(async move {
                    sleep_until(next).await;
                    if let Some(shared) = shared.upgrade() {
                        shared.end_for_unknown(&mut shared.unknown_outcomes.state());
                    }
                });
            }
            return;
        }
        self.end_for_unknown(&mut state);
    }

    fn end_for_unknown(&self, state: &mut State) {
        *state = State {
            ended: Some(Instant::now()),
            pending: false,
        };
        self.cache.schema_changed();
    }
}
