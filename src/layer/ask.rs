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
use crate::cache::{Demand, Outcome, Questions, ReadAt};
use crate::consistency::{Floors, Freshness};
use crate::knowledge::Knowledge;
use crate::protocol::{Protocol, StoredResponse};

/// One way to ask the inner service.
pub(super) struct Asker<'a, S, P> {
    pub(super) shared: &'a Arc<Shared<P>>,
    pub(super) service: S,
    pub(super) asking: &'a Arc<Asking>,
    pub(super) open: Arc<[usize]>,
}

/// The end of asking: the outcome, the inner reply where this caller caused the call, and what was learned of its cookie.
pub(super) struct Asked<R: Body, E> {
    pub(super) outcome: Outcome<StoredResponse>,
    pub(super) slot: Slot<R, E>,
    /// The request's cookie is of no use: the reply sets another one.
    pub(super) replace_cookie: bool,
}

impl<R: Body, E> Asked<R, E> {
    fn replacing_cookie(self) -> Self {
        Self {
            replace_cookie: true,
            ..self
        }
    }
}

impl<S, P: Protocol> Asker<'_, S, P> {
    /// Asks as fresh as the request wants it, and once more where that turns out not to do.
    pub(super) async fn ask<B, R>(&mut self, questions: &Questions) -> Asked<R, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let wanted = &self.asking.wanted;
        let cache = &self.shared.cache;
        let at_least = matches!(wanted.freshness, Freshness::AtLeast { head_within: None, .. });
        let foreign = || {
            wanted
                .floors
                .iter()
                .any(|floor| cache.knowledge().is_foreign(&floor.revision))
        };
        if wanted.unmodified || wanted.in_message && at_least && foreign() {
            return self.unmodified(questions).await;
        }
        // A browser sends its cookie by itself, so a cookie of a store that is gone is no reason to turn it away.
        let mut yields = !wanted.explicit && foreign();
        let mut asked = match yields {
            true => self.run(questions, &Freshness::Full, &Floors::none()).await,
            false => self.run(questions, &wanted.freshness, &wanted.floors).await,
        };
        if matches!(asked.outcome, Outcome::Foreign) {
            if wanted.in_message && at_least {
                return self.unmodified(questions).await;
            }
            if wanted.in_message || !wanted.explicit {
                yields = !wanted.explicit;
                asked = self.run(questions, &Freshness::Full, &Floors::none()).await;
            }
        }
        asked.replace_cookie |= yields;
        match &asked.outcome {
            // The store has never named what the cookie says, and two heads lack it.
            Outcome::Behind(_) if !wanted.explicit && !has_passed(cache.knowledge(), &wanted.floors) => {
                asked.replacing_cookie()
            }
            Outcome::Asked(Some(landed)) | Outcome::Joined(landed) => match landed.lacks(&wanted.elsewhere) {
                Some(floors) => {
                    let freshness = Freshness::AtLeast {
                        floors: floors.clone(),
                        head_within: None,
                    };
                    self.run(questions, &freshness, &floors).await
                }
                None => asked,
            },
            _ => asked,
        }
    }

    /// Lets the upstream judge the request's own token.
    async fn unmodified<B, R>(&mut self, questions: &Questions) -> Asked<R, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let wanted = &self.asking.wanted;
        let ask = match (&wanted.freshness, wanted.floors.top()) {
            (Freshness::Exact(snapshot), _) => ReadAt::Exact(snapshot.clone()),
            (_, Some(top)) => ReadAt::Unmodified(top.revision.clone()),
            (_, None) => ReadAt::Head,
        };
        let slot = Slot::new();
        let forward = self.forward(&slot);
        let upstream = move |turn| forward.clone().ask(turn);
        let cache = &self.shared.cache;
        Asked {
            outcome: cache.ask_unmodified(questions, ask, &wanted.floors, upstream).await,
            slot,
            replace_cookie: wanted.replace_cookie,
        }
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
        floors: &Floors,
    ) -> Asked<R, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let slot = Slot::new();
        let forward = self.forward(&slot);
        let upstream = move |turn| forward.clone().ask(turn);
        let demand = Demand::new(freshness, floors, self.asking.arrived);
        Asked {
            outcome: self.shared.cache.run(questions, demand, upstream).await,
            slot,
            replace_cookie: self.asking.wanted.replace_cookie,
        }
    }

    /// Asks in the background, with no one waiting.
    pub(super) fn ask_in_background<B, R>(&self, questions: &Questions)
    where
        S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
        B: RequestBody,
        R: Body<Data = Bytes, Error: Send> + Send + 'static,
    {
        let forward = self.forward(&Slot::new());
        let upstream = move |turn| forward.clone().ask(turn);
        self.shared.cache.read_in_background(questions, upstream);
    }
}

fn has_passed(knowledge: &Knowledge, floors: &Floors) -> bool {
    floors.iter().all(|floor| knowledge.has_passed(&floor.revision))
}
