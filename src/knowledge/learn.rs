//! What a reply teaches of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::knowledge::named::Named;
use crate::knowledge::start::CallStart;
use crate::knowledge::watermarks::{Instants, Source, Watermark};
use crate::knowledge::{Knowledge, MOST_NEWEST, State};
use crate::revision::{Order, Revision};
use crate::token::unix_seconds;

impl Knowledge {
    /// Learns from the reply to a call that began at `start` and was asked at no revision, or from what the store said by
    /// itself. `false`: the reply is not stored, because the store is not the one that the call began with.
    pub(crate) fn learn(&self, start: &CallStart, revision: &Revision, source: Source) -> bool {
        let mut state = self.state();
        if start.epoch != self.epoch() {
            return false;
        }
        if state.store.as_ref().is_some_and(|store| store != revision.store()) {
            self.replaced(&mut state, revision);
            self.name(&mut state, start, revision, source);
            return false;
        }
        if source == Source::Head && !self.facts.head_may_trail_reads {
            let lacks = start
                .newest()
                .any(|known| known.order() != Order::Equality && !revision.is_at_or_after(known));
            match (lacks, state.behind_since) {
                (false, _) => state.behind_since = None,
                (true, None) => state.behind_since = Some(start.began),
                (true, Some(since)) if start.began >= since + self.head_lag => {
                    let newest = Arc::clone(&state.newest);
                    state.lost.extend(newest.iter().cloned());
                    let surplus = state.lost.len().saturating_sub(MOST_NEWEST);
                    state.lost.drain(..surplus);
                    self.replaced(&mut state, revision);
                    self.name(&mut state, start, revision, source);
                    return false;
                }
                (true, Some(_)) => {}
            }
        }
        state.store.get_or_insert_with(|| revision.store().clone());
        self.name(&mut state, start, revision, source);
        true
    }

    /// Learns of a revision that, as another process remembers, the store named. It may be of a history that is gone: such a
    /// revision is not learned again.
    pub(crate) fn recall(&self, revision: &Revision) {
        let start = self.begin();
        let is_lost = self.state().lost.iter().any(|lost| lost.is_at_or_after(revision));
        if !is_lost {
            self.learn(&start, revision, Source::Feed);
        }
    }

    /// Learns from the reply to a read that was asked at `asked` or above. `false`: as for [`Self::learn`].
    pub(crate) fn learn_at_least(&self, start: &CallStart, asked: &Revision, revision: &Revision) -> bool {
        let chosen = self.chose(asked, revision, start);
        let own_total_order = revision.order() == Order::Total && revision == asked;
        if chosen || own_total_order && self.named_here_before(asked, start) {
            self.learn(start, revision, Source::Read)
        } else {
            self.notice(start, asked, revision)
        }
    }

    /// Takes note of the store in the reply to a read that teaches no revision. If it is neither the one that was asked for
    /// nor the known one, the store was replaced. `false`: as for [`Self::learn`].
    pub(crate) fn notice(&self, start: &CallStart, asked: &Revision, replied: &Revision) -> bool {
        let mut state = self.state();
        if start.epoch != self.epoch() {
            return false;
        }
        let known = state.store.as_ref().is_none_or(|store| store == replied.store());
        let echoed = replied.store() == asked.store();
        if !known && !echoed {
            self.replaced(&mut state, replied);
        }
        known
    }

    fn name(&self, state: &mut State, start: &CallStart, revision: &Revision, source: Source) {
        let says_how_fresh = match source {
            Source::Read | Source::Head => true,
            Source::Write => self.facts.writes_include_earlier,
            Source::Feed => false,
        };
        let began = (says_how_fresh && state.behind_since.is_none()).then_some(start.began);
        let made = began.map(|began| Instants::at(began, source == Source::Head));
        if state.named.get(revision).is_none() {
            state.named_count += 1;
        }
        let number = state.named_count - 1;
        let named = Named {
            number,
            made: made.unwrap_or_default(),
            at: unix_seconds(SystemTime::now()),
        };
        state.named.add(revision, named);
        state.know(revision);
        state.watermarks.add(Watermark {
            revision: revision.clone(),
            source,
            began,
            named: Instant::now(),
        });
        let Some(began) = began else { return };
        self.newest_watermark.fetch_max(self.nanos(began) + 1, Ordering::AcqRel);
        let window = self.window(began);
        if source == Source::Read && state.shared.as_ref().is_none_or(|(shared, _)| *shared < window) {
            state.shared = Some((window, revision.clone()));
        }
    }

    fn replaced(&self, state: &mut State, revision: &Revision) {
        tracing::warn!("the store was replaced or restored: all cached answers are dropped");
        self.start_epoch(state);
        state.store = Some(revision.store().clone());
    }

    pub(super) fn start_epoch(&self, state: &mut State) {
        self.history.fetch_add(1, Ordering::AcqRel);
        let now = unix_seconds(SystemTime::now());
        self.history_began.store(now, Ordering::Release);
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.newest_watermark.store(0, Ordering::Release);
        state.forget_all();
    }
}
