use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

/// What the layer needs of the inner service, written once.
///
/// Every cloneable service that takes requests with the body `B` is one, if what it returns can be sent between threads.
pub trait Upstream<B>:
    Service<Request<B>, Response = Response<<Self as Upstream<B>>::ResBody>, Error: Send, Future: Send>
    + Clone
    + Send
    + 'static
{
    /// The body of its replies.
    type ResBody: Body<Data = Bytes, Error: Send> + Send + 'static;
}

impl<S, B, R> Upstream<B> for S
where
    S: Service<Request<B>, Response = Response<R>, Error: Send, Future: Send> + Clone + Send + 'static,
    R: Body<Data = Bytes, Error: Send> + Send + 'static,
{
    type ResBody = R;
}
