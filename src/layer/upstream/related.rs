use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use tokio::time::Instant;

use crate::cache::{About, Demand, Fetch, Fetched, Fingerprint, Item, NotStored, Part, Questions, Replied, Turn};
use crate::consistency::{Floors, Freshness};
use crate::layer::body::{Read, Replay, RequestBody};
use crate::layer::headers::Headers;
use crate::layer::inner::Upstream;
use crate::layer::state::LayerState;
use crate::layer::upstream::forward::strip_own_call;
use crate::layer::upstream::reply::{read_reply, whole};
use crate::layer::upstream::timed::Timed;
use crate::objects::OwnedObject;
use crate::protocol::{Probe, Protocol, Received, Route, StoredResponse};

/// The subjects of one object's relation: a question of the layer's own, which the cache answers as any other.
pub(super) struct Related<S, P, B> {
    pub(super) state: Arc<LayerState<P>>,
    pub(super) inner: S,
    /// The route and the parts of the request that needs them, for its credentials.
    pub(super) route: Route,
    pub(super) parts: Arc<Parts>,
    pub(super) object: OwnedObject,
    pub(super) relation: Arc<str>,
    pub(super) body: PhantomData<fn() -> B>,
}

impl<S: Clone, P, B> Clone for Related<S, P, B> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            inner: self.inner.clone(),
            route: self.route,
            parts: Arc::clone(&self.parts),
            object: self.object.clone(),
            relation: Arc::clone(&self.relation),
            body: PhantomData,
        }
    }
}

impl<S, P, B> Related<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    /// The subjects, as of a revision that covers these floors, or why they can't be told.
    pub(super) async fn read(mut self, floors: Floors, arrived: Instant) -> Result<Vec<OwnedObject>, &'static str> {
        let state = Arc::clone(&self.state);
        let (question, credential) = self.question();
        let freshness = Freshness::at_least(floors);
        if let Ok(decision) = state.cache.find(question, &freshness, arrived) {
            return stored(&decision.value);
        }
        let demand = Demand::of(&freshness, arrived);
        let questions = Questions::one(question, credential);
        match state.cache.run(&questions, demand, &mut self).await {
            Ok(Fetched::Shared(landed)) => stored(&landed.first.value),
            Ok(Fetched::Own { reply, .. }) => reply,
            Err(_) => Err("no reply of the service is fresh enough, or it did not come in time"),
        }
    }

    /// The question's key, and whom the cap on flights counts it for.
    fn question(&self) -> (Fingerprint, u64) {
        let headers = Headers::of(&self.parts.headers);
        let (base, caller) = self.state.key(&self.parts, &headers);
        let object = self.object.borrowed();
        let mut key = base
            .text(Part::System, "related")
            .text(Part::Permission, &self.relation);
        for part in [object.tenant, object.kind, object.id.unwrap_or_default()] {
            key.add(Part::Resource, part);
        }
        (key.finish(), caller.number())
    }

    /// The request that asks at the turn's revision.
    fn request(&self, turn: &Turn<StoredResponse>) -> Option<(Probe, Parts, Request<B>)> {
        let state = &self.state;
        let mut parts = Parts::clone(&self.parts);
        strip_own_call(&mut parts.headers);
        let object = self.object.borrowed();
        let probe = state
            .protocol
            .related(self.route, &mut parts, &object, &self.relation)?;
        let zookie = match turn.ask.revision() {
            None => None,
            Some(revision) => Some(state.memo.format().encode(revision)?),
        };
        state.state_requirement(&mut parts, probe.route, turn.ask.consistency(), zookie.clone())?;
        let received = Received::new(probe.route, &probe.call, &probe.message);
        let body = match state.protocol.ask(received, &[], &turn.ask, zookie.as_ref()) {
            None => probe.message.clone(),
            Some(body) => {
                if parts.headers.contains_key(CONTENT_LENGTH) {
                    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
                }
                body
            }
        };
        let request = Request::from_parts(parts.clone(), B::replay(Replay::whole(body, None)));
        Some((probe, parts, request))
    }
}

fn stored(response: &StoredResponse) -> Result<Vec<OwnedObject>, &'static str> {
    OwnedObject::read_all(&response.body).ok_or("what the cache holds can't be read")
}

impl<S, P, B> Fetch<StoredResponse> for Related<S, P, B>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    type Own = Result<Vec<OwnedObject>, &'static str>;

    async fn ask(mut self, turn: Turn<StoredResponse>) -> Replied<StoredResponse, Self::Own> {
        let failed = |why| Replied::Failed { own: Err(why) };
        if poll_fn(|cx| self.inner.poll_ready(cx)).await.is_err() {
            return failed("the service is not ready");
        }
        let Some((probe, asked, request)) = self.request(&turn) else {
            let own = Err("the API can't ask for the relation of such an object");
            return Replied::RevisionRejected { own };
        };
        turn.begin();
        let timed = Timed::begin(&self.state.cache);
        let Ok(reply) = self.inner.call(request).await else {
            timed.failed();
            return failed("the service did not reply");
        };
        let (parts, body) = reply.into_parts();
        let read = read_reply(body, self.state.settings.max_reply_body).await;
        let Read::Whole { message, trailers, .. } = read else {
            timed.replied(&parts, None);
            return failed("the reply is too large, or broke off");
        };
        let is_error = timed.replied(&parts, trailers.as_ref());
        let reply = whole(&parts, &message, trailers.as_ref());
        let received = Received::new(probe.route, &probe.call, &probe.message);
        let mut found = Vec::new();
        let token = self.state.protocol.subjects(received, &asked, &reply, &mut |subject| {
            found.extend(OwnedObject::of(&subject));
        });
        let Some(token) = token else {
            return failed(match is_error {
                true => "the service replied with an error; check that the type has the relation",
                false => {
                    "the reply can't be read; the relation may be a permission, or have other subjects than objects"
                }
            });
        };
        let revision = match self.state.reply_token(&parts.headers, token.as_deref()) {
            Some(token) => Ok(token.revision.clone()),
            None => Err(NotStored::NoToken),
        };
        const KIND: HeaderValue = HeaderValue::from_static("application/octet-stream");
        let body = Bytes::from(OwnedObject::write_all(&found));
        let item = Item {
            value: StoredResponse::new(StatusCode::OK, KIND, body),
            not_stored: None,
            expires_in: None,
            about: About::default(),
        };
        Replied::Answered {
            own: Ok(found),
            items: vec![item],
            revision,
        }
    }
}
