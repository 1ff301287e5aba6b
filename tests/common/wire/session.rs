//! A layer between a recording's requests and its replies.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_zookie::protocol::Protocol;
use tower_zookie::{ZookieLayer, ZookieService};

use super::{Recording, Replay, Replayed};

pub struct Session<P> {
    pub upstream: Replay,
    pub layer: ZookieLayer<P>,
    service: ZookieService<Replay, P>,
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

impl<P: Protocol> Session<P> {
    pub fn through(layer: ZookieLayer<P>, recording: &Recording) -> Self {
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
