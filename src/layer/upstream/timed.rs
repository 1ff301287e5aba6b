use http::HeaderMap;
use http::response::Parts;
use tokio::time::Instant;

use crate::cache::{DecisionCache, UpstreamError};
use crate::protocol::StoredResponse;

/// A call to the inner service: counts how long its reply takes, and how it fails.
#[derive(Debug)]
pub(super) struct Timed {
    cache: DecisionCache<StoredResponse>,
    began: Instant,
}

impl Timed {
    /// To be called just before the inner service is.
    pub(super) fn begin(cache: &DecisionCache<StoredResponse>) -> Self {
        Self {
            cache: cache.clone(),
            began: Instant::now(),
        }
    }

    /// The inner service failed: there is no reply.
    pub(super) fn failed(self) {
        self.cache.counters().upstream_failed(UpstreamError::NoReply);
    }

    /// The reply has come as far as it is read. Returns whether it says that the call failed.
    pub(super) fn replied(self, parts: &Parts, trailers: Option<&HeaderMap>) -> bool {
        let counters = self.cache.counters();
        counters.upstream_replied(self.began.elapsed());
        let error = error(parts, trailers);
        error.map(|error| counters.upstream_failed(error)).is_some()
    }
}

/// gRPC's status is in the trailers, or in the headers of a reply that has nothing else.
fn error(parts: &Parts, trailers: Option<&HeaderMap>) -> Option<UpstreamError> {
    let status = |headers: &HeaderMap| headers.get("grpc-status").cloned();
    if let Some(status) = trailers.and_then(status).or_else(|| status(&parts.headers)) {
        let code = status.to_str().ok().and_then(|text| text.parse().ok());
        // What can't be read is `UNKNOWN`.
        return Some(code.unwrap_or(2))
            .filter(|code| *code != 0)
            .map(UpstreamError::Grpc);
    }
    let status = parts.status;
    let failed = status.is_client_error() || status.is_server_error();
    failed.then(|| UpstreamError::Http(status.as_u16()))
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    #[test]
    fn a_reply_fails_by_grpcs_status_or_by_https() {
        let parts = |status: u16, grpc: Option<&str>| {
            let mut response = Response::builder().status(status);
            if let Some(grpc) = grpc {
                response = response.header("grpc-status", grpc);
            }
            response.body(()).unwrap().into_parts().0
        };
        let trailers = |status: &str| HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())]);
        for (parts, trailers, expected) in [
            (parts(200, None), None, None),
            (parts(302, None), None, None),
            (parts(404, None), None, Some(UpstreamError::Http(404))),
            (parts(200, Some("14")), None, Some(UpstreamError::Grpc(14))),
            (parts(200, Some("0")), None, None),
            (parts(200, None), Some(trailers("0")), None),
            (parts(200, None), Some(trailers("7")), Some(UpstreamError::Grpc(7))),
            (parts(200, None), Some(trailers("?")), Some(UpstreamError::Grpc(2))),
        ] {
            assert_eq!(error(&parts, trailers.as_ref()), expected, "{parts:?} {trailers:?}");
        }
    }
}
