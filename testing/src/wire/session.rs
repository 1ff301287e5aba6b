//! A layer between a recording's requests and its replies.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_zookie::{ZookieLayer, ZookieService};

use crate::sample::Sample;
use crate::wire::table::Then;
use crate::wire::{Call, Recorded, Recording, Replay, Replayed, Traffic, texts};

pub struct Session<S: Sample> {
    pub upstream: Replay,
    pub layer: ZookieLayer<S::Protocol>,
    service: ZookieService<Replay, S::Protocol>,
}

/// What the session got back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
    /// The stream was cut off.
    pub broken: bool,
}

impl<S: Traffic> Session<S> {
    pub fn new(recording: &Recording, engine: S) -> Self {
        let layer = ZookieLayer::builder(engine.protocol()).build();
        Self::through(layer.unwrap(), recording)
    }

    /// A session just before a call was made.
    pub async fn before(recording: &Recording, engine: S, call: &Call) -> Self {
        let session = Self::new(recording, engine);
        S::prepare(&session, recording, call).await;
        session.upstream.skip_to(call.n);
        session
    }

    pub fn through(layer: ZookieLayer<S::Protocol>, recording: &Recording) -> Self {
        let upstream = Replay::new(recording);
        Self {
            service: layer.layer(upstream.clone()),
            upstream,
            layer,
        }
    }

    /// The recorded calls that the upstream answered since it had been asked `since` times, and `?` for a call
    /// that was not recorded.
    pub fn asked(&self, since: usize) -> Vec<String> {
        let asked = self.upstream.asked();
        let name = |asked: &Replayed| asked.call.as_ref().map_or("?", |call| &call.case).to_owned();
        asked[since..].iter().map(name).collect()
    }

    pub async fn send(&self, request: &Request<Bytes>) -> Reply {
        self.try_send(request)
            .await
            .expect("the upstream has a reply to what it is asked")
    }

    pub async fn try_send(&self, request: &Request<Bytes>) -> Result<Reply, io::Error> {
        let request = request.clone().map(Full::new);
        let response = self.service.clone().oneshot(request).await?;
        let (parts, mut body) = response.into_parts();
        let mut reply = Reply {
            status: parts.status,
            headers: parts.headers,
            body: Bytes::new(),
            trailers: None,
            broken: false,
        };
        let mut data = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(bytes)) => data.extend_from_slice(&bytes),
                Ok(Err(frame)) => reply.trailers = frame.into_trailers().ok(),
                Err(_) => reply.broken = true,
            }
        }
        reply.body = data.into();
        Ok(reply)
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `Cache-Status` without the layer's name.
    pub fn cache_status(&self) -> &str {
        self.header("cache-status")
            .map_or("none", |status| status.trim_start_matches("tower-zookie; "))
    }

    pub fn is_hit(&self) -> bool {
        self.cache_status() == "hit"
    }
}

/// What the layer adds to a reply's headers.
#[derive(Debug)]
pub struct Added {
    pub zookie: Option<String>,
    pub set_cookie: bool,
}

impl Reply {
    /// Asserts that it is the recorded reply, except for the headers that the layer adds to such a call.
    pub fn assert_is(mut self, recorded: &Recorded, then: Then) -> Added {
        assert_eq!(self.status, recorded.status);
        assert_eq!(self.body, recorded.body());
        assert_eq!(self.trailers, recorded.trailers);
        assert_eq!(self.broken, recorded.reset.is_some());
        let set_cookie = then == Then::Write && self.headers.remove("set-cookie").is_some();
        let zookie = self.header("zookie").map(str::to_owned);
        let cached = ["cache-status", "cache-control", "zookie"].map(|name| self.headers.remove(name).is_some());
        assert_eq!(self.headers, recorded.headers);
        assert_eq!(cached[0], then != Then::Passes);
        assert_eq!(cached[1], !matches!(then, Then::Passes | Then::Write));
        Added { zookie, set_cookie }
    }

    /// Asserts that it contains what is stored of the recorded reply, at this token, and no other header but those
    /// named `but`. The caller looks at the trailers.
    pub fn assert_is_from_memory(&self, recorded: &Recorded, token: Option<&str>, but: &[&str]) {
        assert!(self.is_hit(), "{}", self.cache_status());
        assert_eq!(self.status, recorded.status);
        assert_eq!(self.body, recorded.body());
        assert!(!self.broken);
        let expected = [
            ("cache-control", "no-store"),
            ("cache-status", "tower-zookie; hit"),
            ("content-type", recorded.headers["content-type"].to_str().unwrap()),
        ];
        let expected = expected.into_iter().chain(token.map(|token| ("zookie", token)));
        assert_eq!(texts(&self.headers, but), expected.collect());
    }
}
