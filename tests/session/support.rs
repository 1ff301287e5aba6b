//! A service in between, and a scripted one that it calls.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::session::{PropagateLayer, SessionLayer, SessionLayerBuilder};
use tower_zookie::token::CounterTokens;

pub(crate) type Body = Full<Bytes>;

/// Headers and their values.
pub(crate) type Lines = Vec<(&'static str, &'static str)>;

/// A service that answers with scripted headers, and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Called(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    replies: Vec<Lines>,
    asked: Vec<HeaderMap>,
}

impl Called {
    /// It gives these replies, one after the other, and then empty ones.
    pub(crate) fn replies(replies: &[&[(&'static str, &'static str)]]) -> Self {
        let called = Self::default();
        let replies = replies.iter().rev().map(|lines| lines.to_vec());
        called.0.lock().unwrap().replies = replies.collect();
        called
    }

    pub(crate) fn client(&self) -> BoxCloneService<Request<Body>, Response<Body>, Infallible> {
        let called = self.clone();
        BoxCloneService::new(service_fn(move |request: Request<Body>| {
            let mut state = called.0.lock().unwrap();
            state.asked.push(request.headers().clone());
            let mut response = Response::new(Body::default());
            for (name, value) in state.replies.pop().unwrap_or_default() {
                response.headers_mut().append(name, value.parse().unwrap());
            }
            std::future::ready(Ok(response))
        }))
    }

    pub(crate) fn asked(&self) -> Vec<HeaderMap> {
        self.0.lock().unwrap().asked.clone()
    }

    /// The header of the last request that it was asked.
    pub(crate) fn last(&self, name: &str) -> Option<String> {
        let asked = self.asked();
        let value = asked.last().unwrap().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }
}

/// A call by this method that has these headers.
pub(crate) fn request(method: Method, lines: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.method_mut() = method;
    for (name, value) in lines {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

pub(crate) fn builder() -> SessionLayerBuilder<CounterTokens> {
    SessionLayer::builder(CounterTokens::new("a"))
}

/// What a caller gets of a service in between, which makes these calls one after the other.
pub(crate) async fn through(
    layer: &SessionLayer,
    called: &Called,
    calls: &[Method],
    lines: &[(&str, &str)],
) -> (StatusCode, HeaderMap) {
    let client = PropagateLayer::new().layer(called.client());
    let calls = calls.to_vec();
    let service = service_fn(move |_: Request<Body>| {
        let (client, calls) = (client.clone(), calls.clone());
        async move {
            for method in calls {
                client.clone().oneshot(request(method, &[])).await?;
            }
            Ok::<_, Infallible>(Response::new(Body::default()))
        }
    });
    let response = layer
        .layer(service)
        .oneshot(request(Method::POST, lines))
        .await
        .unwrap();
    (response.status(), response.headers().clone())
}

/// The header of a response.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}
