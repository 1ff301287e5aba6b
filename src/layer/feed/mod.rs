//! The change feed of the store behind a layer, over a client of the store.

mod calls;
mod events;
mod following;
mod messages;
mod promised;
mod source;
mod timing;

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tower_service::Service;

use self::calls::Calls;
use self::events::Events;
use self::following::{Begun, Following};
use self::source::Source;
use self::timing::in_time;
use crate::changes::{Change, ChangeFeed, FeedError, Opened, Pending, SchemaText, TupleFilter};
use crate::layer::body::RequestBody;
use crate::layer::handle::Handle;
use crate::protocol::{Checkpoints, FeedFailure, FeedWire, Protocol};
use crate::revision::Revision;

/// The protocol has no change feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this API has no change feed that could be followed")]
#[non_exhaustive]
pub struct NoChangeFeed;

/// The change feed of the store behind a layer, by the API's own calls: made by [`Handle::feed`], for [`Handle::follow`].
///
/// A feed that was silent for half a minute is opened again where it was, which shows whether the store is still there.
pub struct ApiFeed<P, S, B> {
    source: Source<P>,
    /// Each use has a clone: a client has its own readiness.
    service: Mutex<S>,
    body: PhantomData<fn() -> B>,
}

impl<P: Protocol> Handle<P> {
    /// The store's change feed.
    ///
    /// `service` is the client that the layer was put before, not the layered one. Each call has the feed's own credentials:
    /// see [`ApiFeed::header`], or wrap the client in a layer that adds them.
    ///
    /// # Errors
    ///
    /// [`NoChangeFeed`] where the API has none.
    pub fn feed<S, B, R>(&self, service: S) -> Result<ApiFeed<P, S, B>, NoChangeFeed>
    where
        S: Service<Request<B>, Response = Response<R>> + Clone,
    {
        let wires = [FeedWire::Grpc, FeedWire::Http];
        let wire = wires.into_iter().find(|wire| self.0.protocol.feed(*wire).is_some());
        let source = Source {
            layer: self.clone(),
            tenant: "".into(),
            wire: wire.ok_or(NoChangeFeed)?,
            headers: HeaderMap::new(),
            reported: Arc::default(),
        };
        Ok(ApiFeed {
            source,
            service: Mutex::new(service),
            body: PhantomData,
        })
    }
}

impl<P: Protocol, S, B> ApiFeed<P, S, B> {
    /// Follows the changes of this tenant. Permify needs it.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.source.tenant = tenant.into();
        self
    }

    /// Over which wire the client calls the store. By default it is gRPC, if the API has it.
    #[must_use]
    pub fn wire(mut self, wire: FeedWire) -> Self {
        self.source.wire = wire;
        self
    }

    /// Sends this header with each call, for example `authorization`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.source.headers.insert(name, value);
        self
    }

    fn calls(&self) -> Calls<P, S, B>
    where
        S: Clone,
    {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Calls::new(self.source.clone(), service)
    }
}

impl<P, S, B> fmt::Debug for ApiFeed<P, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiFeed").finish_non_exhaustive()
    }
}

impl<P, S, B, R> ChangeFeed for ApiFeed<P, S, B>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    B: RequestBody,
    R: Body<Data = Bytes> + Send + 'static,
{
    fn is_complete(&self) -> bool {
        let api = self.source.api();
        api.is_ok_and(|api| api.checkpoints() != Checkpoints::Nothing)
    }

    fn tenant(&self) -> &str {
        &self.source.tenant
    }

    fn open<'a>(&'a self, from: Option<&'a Revision>) -> Pending<'a, Opened> {
        Box::pin(async move {
            let mut following = Following::new(self.calls())?;
            let Begun { start, schema, events } = match from {
                Some(from) => following.resume(from.clone()).await?,
                None => following.begin().await?,
            };
            let opened = Opened::new(start, Events::new(following, events));
            Ok(match schema {
                Some(schema) => opened.with_schema(schema),
                None => opened,
            })
        })
    }

    fn schema(&self) -> Pending<'_, Option<SchemaText>> {
        Box::pin(async move { Ok(self.calls().schema().await?.map(|(text, _)| text)) })
    }

    fn relationships<'a>(&'a self, filter: TupleFilter<'a>, at: &'a Revision) -> Pending<'a, Option<Vec<Change>>> {
        Box::pin(async move {
            let mut calls = self.calls();
            let asked = match calls.source.spell(at) {
                Some(zookie) => calls
                    .source
                    .api()?
                    .read_relationships(&calls.source.tenant, filter, &zookie),
                None => None,
            };
            let Some(asked) = asked else {
                return Ok(None);
            };
            let mut messages = in_time(calls.stream(asked)).await?;
            let mut found = Vec::new();
            while found.len() < filter.limit {
                let Some(message) = in_time(messages.next(&calls.source)).await? else {
                    break;
                };
                let (change, token) = calls.source.api()?.relationship(&message)?;
                if calls.source.read(&token)? != *at {
                    return Err(FeedFailure::interrupted("the relationships are those of another revision").into());
                }
                found.push(change);
            }
            Ok(Some(found))
        })
    }
}

impl From<FeedFailure> for FeedError {
    fn from(failure: FeedFailure) -> Self {
        match failure.is_lost() {
            true => Self::Lost(Some(failure.into())),
            false => Self::Interrupted(failure.into()),
        }
    }
}
