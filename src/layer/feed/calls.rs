use std::future::poll_fn;
use std::marker::PhantomData;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::changes::SchemaText;
use crate::layer::body::{Read, Reader, Replay, RequestBody};
use crate::layer::feed::messages::Messages;
use crate::layer::feed::source::Source;
use crate::layer::feed::timing::in_time;
use crate::protocol::{FeedFailure, FeedProtocol, Protocol, ReadSchema, Reply};

/// Makes a feed's calls.
#[derive(Debug)]
pub(super) struct Calls<P, S, B> {
    pub(super) source: Source<P>,
    service: S,
    body: PhantomData<fn() -> B>,
}

impl<P: Protocol, S, B> Calls<P, S, B> {
    pub(super) fn new(source: Source<P>, service: S) -> Self {
        Self {
            source,
            service,
            body: PhantomData,
        }
    }
}

impl<P, S, B, R> Calls<P, S, B>
where
    P: Protocol,
    S: Service<Request<B>, Response = Response<R>>,
    B: RequestBody,
    R: Body<Data = Bytes>,
{
    async fn call(&mut self, (mut parts, message): (Parts, Bytes)) -> Result<Response<R>, FeedFailure> {
        parts.headers.extend(self.source.headers.clone());
        let request = Request::from_parts(parts, B::replay(Replay::whole(message, None)));
        if poll_fn(|cx| self.service.poll_ready(cx)).await.is_err() {
            return Err(FeedFailure::interrupted("the upstream is not ready"));
        }
        let reply = self.service.call(request).await;
        reply.map_err(|_| FeedFailure::interrupted("the upstream failed"))
    }

    /// A call whose reply is a stream.
    pub(super) async fn stream(&mut self, asked: (Parts, Bytes)) -> Result<Messages<R>, FeedFailure> {
        Ok(Messages::new(self.call(asked).await?))
    }

    /// A call with one reply, which `read` reads.
    pub(super) async fn whole<T>(
        &mut self,
        asked: (Parts, Bytes),
        read: impl FnOnce(&dyn FeedProtocol, &Reply<'_>) -> Result<T, FeedFailure>,
    ) -> Result<T, FeedFailure> {
        let (parts, body) = in_time(async {
            let (parts, body) = self.call(asked).await?.into_parts();
            let mut reader = Reader::new(Box::pin(body), self.source.longest_message());
            Ok((parts, poll_fn(|cx| reader.poll_read(cx)).await))
        })
        .await?;
        let Read::Whole { message, trailers, .. } = body else {
            return Err(FeedFailure::interrupted("a reply broke off, or is over the limit"));
        };
        let reply = Reply::new(parts.status, &parts.headers, &message, trailers.as_ref());
        read(self.source.api()?, &reply)
    }

    /// The schema, and the reply that it was in.
    pub(super) async fn schema(&mut self) -> Result<Option<(SchemaText, ReadSchema)>, FeedFailure> {
        let Some(asked) = self.source.api()?.read_schema(&self.source.tenant) else {
            return Ok(None);
        };
        let schema = self.whole(asked, |api, reply| api.schema(reply)).await?;
        let text = SchemaText {
            text: schema.text.clone(),
            at: self.source.read(&schema.token)?,
        };
        Ok(Some((text, schema)))
    }
}
