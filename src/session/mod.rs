//! Sessions: tokens that travel through a service on their way between its callers and what it calls.
//!
//! - [`SessionLayer`] around your service takes the tokens of its callers into a [`Session`], and returns what the session
//!   has become.
//! - [`PropagateLayer`] around your clients and channels adds the session's tokens to what goes out, and takes the tokens of
//!   the replies into it.
//!
//! So a caller that wrote through one service reads its own write through another one, and no handler has to know of tokens.
//! The guide `docs/sessions.md` says how to set both up.
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_zookie::session::{PropagateLayer, SessionLayer};
//! use tower_zookie::token::CounterTokens;
//! # use bytes::Bytes;
//! # use http_body_util::Full;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What your service calls. It says in the header `zookie` at which revision it wrote.
//! let permissions = service_fn(async |request: Request<Full<Bytes>>| {
//!     assert_eq!(request.headers()["zookie"], "41");
//!     Ok::<_, std::convert::Infallible>(Response::builder().header("zookie", "42").body(Full::<Bytes>::default()).unwrap())
//! });
//! let client = PropagateLayer::new().layer(permissions);
//!
//! // Your service, which knows no tokens.
//! let service = service_fn(move |_: Request<Full<Bytes>>| {
//!     client.clone().oneshot(Request::post("/write").body(Full::default()).unwrap())
//! });
//! let service = SessionLayer::builder(CounterTokens::new("example")).build()?.layer(service);
//!
//! let request = Request::post("/share").header("zookie", "41").body(Full::default())?;
//! assert_eq!(service.oneshot(request).await?.headers()["zookie"], "42");
//! # Ok(())
//! # }
//! ```

mod current;
mod floors;
mod inbound;
mod outbound;
mod reply;

pub use current::Session;
pub use inbound::{SessionBody, SessionFuture, SessionLayer, SessionLayerBuilder, SessionService};
pub use outbound::{PropagateBody, PropagateFuture, PropagateLayer, PropagateService};
