use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::RequestBody;
use super::decide::Asking;
use super::forward::{Forward, Slot};
use super::shared::Shared;
use crate::cache::{Outcome, Questions};
use crate::consistency::{Floor, Freshness};
use crate::protocol::{Kept, Protocol};
use crate::revision::Revision;

/// One way to ask the inner service.
pub(super) struct Asker<'a, S, P> {
    pub(super) shared: &'a Arc<Shared<P>>,
    pub(super) service: S,
    pub(super) asking: &'a Arc<Asking>,
    pub(super) open: Arc<[usize]>,
}

impl<S, P: Protocol> Asker<'_, S, P> {
    /// Asks as fresh as the request wants it, and once more where that turns out not to do.
    pub(super) async fn ask<B, R>(&mut self, questions: &Questions) -> (Outcome<Kept>, Slot<R, S::Error>)
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let wanted = &self.asking.wanted;
        let Some(floor) = &wanted.floor else {
            return self.run(questions, &wanted.freshness).await;
        };
        if wanted.as_it_came {
            return self.as_it_came(questions, &floor.revision).await;
        }
        // A browser sends its cookie by itself, so a cookie of a store that is gone is no reason to turn it away.
        if !wanted.explicit && wanted.elsewhere.is_empty() && self.shared.cache.is_foreign(&floor.revision) {
            return self.run(questions, &Freshness::Full).await;
        }
        let (outcome, slot) = self.run(questions, &wanted.freshness).await;
        if matches!(outcome, Outcome::Foreign) && wanted.in_message {
            return match wanted.freshness {
                Freshness::AtLeast { head_within: None, .. } => self.as_it_came(questions, &floor.revision).await,
                _ => self.run(questions, &Freshness::Full).await,
            };
        }
        if !wanted.explicit {
            let turned_away = match &outcome {
                Outcome::Foreign => true,
                Outcome::Asked(_) => slot.refused(),
                _ => false,
            };
            if turned_away {
                let (at_head, head_slot) = self.run(questions, &Freshness::Full).await;
                // A head of the cookie's own store that lacks what the cookie names is no answer to it.
                return if reaches(&at_head, floor) {
                    (at_head, head_slot)
                } else {
                    (outcome, slot)
                };
            }
        }
        let (Freshness::Full, Outcome::Asked(Some(landed)) | Outcome::Joined(landed)) = (&wanted.freshness, &outcome)
        else {
            return (outcome, slot);
        };
        // A head does not know the floor: another store's, or not there yet.
        let label = landed.decisions.first().and_then(|first| first.label());
        match label {
            Some(head) if head.store() != floor.revision.store() && wanted.explicit && !wanted.in_message => {
                (Outcome::Foreign, slot)
            }
            Some(head) => match wanted.floors().find(|floor| lacks(head, &floor.revision)) {
                Some(floor) => {
                    let freshness = Freshness::AtLeast {
                        floor: Some(floor.clone()),
                        head_within: None,
                    };
                    self.run(questions, &freshness).await
                }
                None => (outcome, slot),
            },
            None => (outcome, slot),
        }
    }

    /// Lets the upstream judge the request's own floor.
    async fn as_it_came<B, R>(&mut self, questions: &Questions, floor: &Revision) -> (Outcome<Kept>, Slot<R, S::Error>)
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let slot = Slot::new();
        let forward = self.forward(&slot);
        let upstream = move |turn| forward.clone().ask(turn);
        (self.shared.cache.ask_as_it_came(questions, floor, upstream).await, slot)
    }

    fn forward<B, R: Body>(&self, slot: &Slot<R, S::Error>) -> Forward<S, P, B, R, S::Error>
    where
        S: Service<Request<B>> + Clone,
    {
        Forward {
            shared: Arc::clone(self.shared),
            service: self.service.clone(),
            asking: Arc::clone(self.asking),
            open: Arc::clone(&self.open),
            slot: slot.clone(),
            body: PhantomData,
        }
    }

    pub(super) async fn run<B, R>(
        &mut self,
        questions: &Questions,
        freshness: &Freshness,
    ) -> (Outcome<Kept>, Slot<R, S::Error>)
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let slot = Slot::new();
        let forward = self.forward(&slot);
        let arrived = self.asking.arrived;
        let upstream = move |turn| forward.clone().ask(turn);
        (
            self.shared.cache.run(questions, freshness, arrived, upstream).await,
            slot,
        )
    }
}

/// Whether a head has not come to a floor of its own store. Where revisions have no order, it is taken at its word.
fn lacks(head: &Revision, floor: &Revision) -> bool {
    head.partial_cmp(floor).is_none_or(Ordering::is_lt) && head.join(floor).is_some()
}

/// Whether answers do not lie below a floor, as far as they tell: a floor of another store demands nothing of them.
fn reaches(outcome: &Outcome<Kept>, floor: &Floor) -> bool {
    let (Outcome::Asked(Some(landed)) | Outcome::Joined(landed) | Outcome::Hit(landed)) = outcome else {
        return true;
    };
    landed.decisions.iter().all(|decision| {
        let elsewhere = |label: &Revision| label.store() != floor.revision.store();
        decision.label().is_none_or(elsewhere) || decision.covers(floor)
    })
}
