use crate::consistency::Consistency;
use crate::token::Zookie;

/// What the inner service is asked at: in the request's extensions, and with the feature `axum` an extractor.
///
/// The same stands in the forwarded headers `zookie` and `zookie-consistency`, for services that are not in this process.
///
/// ```
/// use tower_zookie::Asked;
///
/// fn handler(request: http::Request<()>) {
///     if let Some(asked) = request.extensions().get::<Asked>() {
///         println!("answer {} at {:?}", asked.consistency, asked.zookie);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// How fresh the answer has to be.
    pub consistency: Consistency,
    /// The floor, or the exact snapshot.
    pub zookie: Option<Zookie>,
}

impl Default for Asked {
    /// Any answer.
    fn default() -> Self {
        Self {
            consistency: Consistency::MinimizeLatency,
            zookie: None,
        }
    }
}

/// Never fails: without the layer outside, anything will do.
#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
