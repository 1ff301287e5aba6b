use http::HeaderMap;

use crate::consistency::Consistency;
use crate::layer::headers::CONSISTENCY;
use crate::token::Zookie;

const LONGEST_TOKEN: usize = 16 << 10;

/// The consistency and the token that the inner service is asked at. It is in the request's extensions, and with the feature
/// `axum` it is an extractor.
///
/// The forwarded headers `zookie` and `zookie-consistency` say the same to services in other processes. On paths that the
/// layer does not know, the extractor reads these headers.
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
#[non_exhaustive]
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

impl Asked {
    /// What a request demands: for the tests of a service that reads it.
    pub fn new(consistency: Consistency, zookie: Option<Zookie>) -> Self {
        Self { consistency, zookie }
    }

    /// What a request demands whose tokens have these texts; `None`: the token is no text. An unreadable token, and
    /// several tokens, count as full consistency.
    pub(super) fn of<'a>(mut texts: impl Iterator<Item = Option<&'a str>>, headers: &HeaderMap) -> Self {
        let (first, several) = (texts.next(), texts.next().is_some());
        let zookie = first.flatten().and_then(|text| Zookie::new(text, LONGEST_TOKEN).ok());
        let unreadable = first.is_some() && zookie.is_none() || several;
        let mut stated = headers.get_all(CONSISTENCY).iter();
        let consistency = match (stated.next(), stated.next()) {
            _ if unreadable => Consistency::FullyConsistent,
            (None, _) if zookie.is_some() => Consistency::AtLeastAsFresh,
            (None, _) => Consistency::MinimizeLatency,
            (Some(value), None) => {
                let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
                parsed.unwrap_or(Consistency::FullyConsistent)
            }
            (Some(_), Some(_)) => Consistency::FullyConsistent,
        };
        Self { consistency, zookie }
    }

    /// What the headers of a request demand that passed no layer.
    #[cfg(feature = "axum")]
    fn from_headers(headers: &HeaderMap) -> Self {
        let values = headers.get_all("zookie").iter();
        Self::of(values.map(|value| value.to_str().ok().map(str::trim)), headers)
    }
}

/// Never fails: without the layer outside, and without its headers, any answer will do.
#[cfg(feature = "axum")]
impl<S: Sync> axum_core::extract::FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let by_layer = parts.extensions.get().cloned();
        Ok(by_layer.unwrap_or_else(|| Self::from_headers(&parts.headers)))
    }
}
