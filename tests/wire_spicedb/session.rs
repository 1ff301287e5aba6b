//! A layer between a recording's requests and its replies.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::{Zookie, ZookieLayer};

use crate::common::wire::{Call, Recording, Replay, Replayed};

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) upstream: Replay,
    pub(crate) layer: ZookieLayer<SpiceDb>,
    service: Zookie<Replay, SpiceDb>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// The stream broke off.
    pub(crate) broken: bool,
}

impl Session {
    pub(crate) fn new(recording: &Recording, engine: Engine) -> Self {
        let upstream = Replay::new(recording);
        let layer = ZookieLayer::spicedb(engine);
        Self {
            service: layer.layer(upstream.clone()),
            upstream,
            layer,
        }
    }

    /// A session through which all writes before a call have gone.
    pub(crate) async fn before(recording: &Recording, engine: Engine, n: usize) -> Self {
        let session = Self::new(recording, engine);
        for write in recording.calls.iter().filter(|call| call.n < n && is_write(call)) {
            session.upstream.skip_to(write.n);
            session.send(&write.request).await;
        }
        session.upstream.skip_to(n);
        session
    }

    /// The recorded calls that the upstream answered since it had been asked `since` times, and `?` for what nobody
    /// recorded.
    pub(crate) fn asked(&self, since: usize) -> Vec<String> {
        let asked = self.upstream.asked();
        let name = |asked: &Replayed| asked.call.as_ref().map_or("?", |call| &call.case).to_owned();
        asked[since..].iter().map(name).collect()
    }

    pub(crate) async fn send(&self, request: &Request<Bytes>) -> Reply {
        self.try_send(request)
            .await
            .expect("the upstream has a reply to what it is asked")
    }

    pub(crate) async fn try_send(&self, request: &Request<Bytes>) -> Result<Reply, io::Error> {
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

pub(crate) fn is_write(call: &Call) -> bool {
    let path = call.request.uri().path();
    [
        "/WriteSchema",
        "/WriteRelationships",
        "/DeleteRelationships",
        "/ImportBulkRelationships",
    ]
    .iter()
    .any(|method| path.ends_with(method))
        || [
            "/v1/relationships/write",
            "/v1/relationships/delete",
            "/v1/schema/write",
        ]
        .contains(&path)
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `Cache-Status` without the layer's name.
    pub(crate) fn cache_status(&self) -> &str {
        self.header("cache-status")
            .map_or("none", |status| status.trim_start_matches("tower-zookie; "))
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache_status() == "hit"
    }
}
