//! One upstream, and the service that hands requests on to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::TRANSFER_ENCODING;
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use super::connect::Connector;
use super::hop;
use super::origin::Origin;
use super::pool::{CallError, Limits, Pool, ReplyBody};
use super::speaks::Speaks;
use super::unary::is_unary;

/// The body of a request on its way in, in a box that the layer can read and refill.
pub type RequestBody = UnsyncBoxBody<Bytes, hyper::Error>;

#[derive(Clone, Debug)]
pub struct Upstream {
    pub origin: Origin,
    pub speaks: Speaks,
    pub connector: Connector,
    pub limits: Limits,
}

/// Why the upstream has no reply.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error(transparent)]
    Grpc(#[from] CallError),
    #[error(transparent)]
    Http(#[from] hyper_util::client::legacy::Error),
}

impl UpstreamError {
    /// Whether there was no connection for the call.
    pub(super) fn is_connect(&self) -> bool {
        match self {
            Self::Grpc(error) => matches!(error, CallError::Unreachable(_)),
            Self::Http(error) => error.is_connect(),
        }
    }
}

impl Upstream {
    /// A client with connections of its own.
    pub fn client<B>(&self) -> Client<Connector, B>
    where
        B: Body<Data: Send> + Send,
    {
        Client::builder(TokioExecutor::new())
            .http2_only(self.speaks == Speaks::Grpc)
            .http1_max_buf_size(self.limits.http1_buffer())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .build(self.connector.clone())
    }

    /// Connections for unary calls and for streams apart, or for one call each.
    pub fn forward(&self) -> Forward {
        let pool = || {
            let uri = self.origin.uri(&Uri::from_static("/")).unwrap_or_default();
            Pool::new(self.connector.clone(), uri, self.limits)
        };
        match self.speaks {
            Speaks::Grpc => Forward::Grpc {
                unary: pool(),
                streams: pool(),
            },
            Speaks::Http => Forward::Http(Arc::new(self.client())),
        }
    }
}

/// Hands on requests whose URI is the upstream's. Clones share its connections.
#[derive(Clone, Debug)]
pub enum Forward {
    Grpc { unary: Pool, streams: Pool },
    Http(Arc<Client<Connector, RequestBody>>),
}

impl Service<Request<RequestBody>> for Forward {
    type Response = Response<ReplyBody>;
    type Error = UpstreamError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, UpstreamError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        // The connection decides, whatever the caller's own spoke.
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove(TRANSFER_ENCODING);
        match self {
            Self::Grpc { unary, streams } => {
                let pool = match is_unary(request.uri().path()) {
                    true => unary.clone(),
                    false => streams.clone(),
                };
                Box::pin(async move { Ok(stripped(pool.call(request).await?)) })
            }
            Self::Http(client) => {
                keep_body(&mut request);
                let reply = client.request(request);
                Box::pin(async move { Ok(stripped(reply.await?.map(ReplyBody::from))) })
            }
        }
    }
}

fn stripped(mut reply: Response<ReplyBody>) -> Response<ReplyBody> {
    hop::strip_reply(reply.headers_mut());
    reply
}

/// Without a header that says so, hyper takes it that such a request has no body.
fn keep_body(request: &mut Request<RequestBody>) {
    let body = request.body();
    let has_length = body.is_end_stream() || body.size_hint().exact().is_some();
    if !has_length && matches!(*request.method(), Method::GET | Method::HEAD) {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}
