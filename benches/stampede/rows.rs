//! What stands before the upstream.

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use http_body_util::Full;
use tower::util::BoxCloneService;
use tower::{BoxError, Layer, Service, ServiceExt};
use tower_zookie::ZookieLayer;
use tower_zookie::protocol::{CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::token::InferaDb;
use tower_zookie_benches::peers;

use crate::upstream::Upstream;

/// One way to stand before the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    NoLayer,
    Ours,
    /// Our layer, without the callers' tokens: shows that the judge sees wrong answers.
    OursBlind,
    HttpCacheTower,
    HttpCacheTowerServer,
    TowerHttpCache,
    AxumResponseCache,
}

pub(crate) type Caller = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

/// A row, ready to be called.
pub(crate) struct Front {
    pub(crate) checks: Caller,
    pub(crate) writes: Caller,
}

impl Row {
    pub(crate) const ALL: [Self; 7] = [
        Self::NoLayer,
        Self::Ours,
        Self::OursBlind,
        Self::HttpCacheTower,
        Self::HttpCacheTowerServer,
        Self::TowerHttpCache,
        Self::AxumResponseCache,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoLayer => "no layer",
            Self::Ours => "tower-zookie",
            Self::OursBlind => "tower-zookie, tokens stripped",
            Self::HttpCacheTower => "http-cache-tower",
            Self::HttpCacheTowerServer => "http-cache-tower-server",
            Self::TowerHttpCache => "tower-http-cache",
            Self::AxumResponseCache => "axum-response-cache",
        }
    }

    /// Puts an empty cache before the upstream. Writes go through it too.
    pub(crate) fn before(self, upstream: &Upstream) -> Front {
        let inner = upstream.clone();
        let checks = match self {
            Self::NoLayer => caller(inner),
            Self::Ours => caller(ours().layer(inner)),
            Self::OursBlind => {
                let layered = ours().layer(inner);
                caller(layered.map_request(|mut request: Request<Body>| {
                    request.headers_mut().remove("zookie");
                    request
                }))
            }
            Self::HttpCacheTower => caller(peers::http_cache_tower(inner)),
            Self::HttpCacheTowerServer => caller(peers::http_cache_tower_server(inner)),
            Self::TowerHttpCache => caller(peers::tower_http_cache(inner)),
            Self::AxumResponseCache => caller(peers::axum_response_cache(
                inner.map_response(|response: Response<Full<Bytes>>| response.map(Body::new)),
            )),
        };
        let writes = match self {
            // This cache would answer the second write from memory.
            Self::AxumResponseCache => caller(upstream.clone()),
            _ => checks.clone(),
        };
        Front { checks, writes }
    }
}

fn ours() -> ZookieLayer<Routes> {
    let api = Routes::builder(InferaDb::new("stampede"))
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .write(WriteRoute::post("/relationships"))
        .build()
        .expect("the routes are valid");
    ZookieLayer::builder(api).build().expect("the defaults are valid")
}

fn caller<S, R>(service: S) -> Caller
where
    S: Service<Request<Body>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    service
        .map_response(|response: Response<R>| response.map(Body::new))
        .map_err(Into::into)
        .boxed_clone()
}
