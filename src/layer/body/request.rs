use bytes::Bytes;
use http_body::Body;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

use crate::layer::body::replay::Replay;

/// A request body that the layer can read and then forward unchanged.
///
/// The inner service expects exactly the body type that the outer server or client gave. What the layer has read and what
/// is left become that type again by this conversion. It is implemented for [`Full`], [`BoxBody`] and
/// [`UnsyncBoxBody`], and with the features `axum` and `tonic` for the body types of these crates.
#[diagnostic::on_unimplemented(
    message = "the layer can't read request bodies of the type `{Self}` and hand them on",
    note = "map the body to one that it can, outside the layer: with `tower_http::map_request_body::MapRequestBodyLayer` \
            or `ServiceExt::map_request`, box it as `http_body_util::combinators::UnsyncBoxBody<Bytes, E>`; \
            for `axum::body::Body` enable the feature `axum`, for `tonic::body::Body` the feature `tonic`"
)]
pub trait RequestBody: Body<Data = Bytes, Error: Send> + Send + Unpin + Sized + 'static {
    /// The body that yields what was read, and then the rest.
    fn replay(replay: Replay<Self>) -> Self;
}

impl RequestBody for Full<Bytes> {
    fn replay(replay: Replay<Self>) -> Self {
        Self::new(replay.into_bytes())
    }
}

impl<E: Send + Sync + 'static> RequestBody for BoxBody<Bytes, E> {
    fn replay(replay: Replay<Self>) -> Self {
        replay.boxed()
    }
}

impl<E: Send + 'static> RequestBody for UnsyncBoxBody<Bytes, E> {
    fn replay(replay: Replay<Self>) -> Self {
        replay.boxed_unsync()
    }
}

#[cfg(feature = "axum")]
impl RequestBody for axum_core::body::Body {
    fn replay(replay: Replay<Self>) -> Self {
        Self::new(replay)
    }
}

#[cfg(feature = "tonic")]
impl RequestBody for tonic::body::Body {
    fn replay(replay: Replay<Self>) -> Self {
        Self::new(replay)
    }
}
