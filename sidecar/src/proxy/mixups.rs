//! Ports that are mixed up: who speaks what to which of them.

use std::error::Error;
use std::io;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use tokio_rustls::rustls;
use tower_zookie::Handle;
use tower_zookie::protocol::Protocol;

use super::Route;
use super::connect::ConnectError;
use super::failure::Form;
use super::pool::{CallError, Heard};
use super::speaks::Speaks;
use super::upstream::UpstreamError;
use super::warnings::{PLAINTEXT_TO_TLS, SWAPPED_PORTS, TLS_TO_PLAINTEXT};

/// Warns of what one port's callers, or its upstream, show to be mixed up.
#[derive(Clone, Debug)]
pub(super) struct MixUps {
    pub(super) layer: Handle<Arc<dyn Protocol>>,
    pub(super) route: Route,
}

impl MixUps {
    /// A caller speaks TLS to a port without it.
    pub(super) fn tls_from_caller(&self) {
        let listen = self.route.listen;
        self.layer.warn(TLS_TO_PLAINTEXT, || {
            tracing::warn!(
                "a caller speaks TLS to {listen}, which has none: set `--tls-cert` and `--tls-key`, or let callers \
                 connect without TLS"
            );
        });
    }

    /// A caller does not speak TLS to a port that wants it.
    pub(super) fn plaintext_from_caller(&self) {
        let listen = self.route.listen;
        self.layer.warn(PLAINTEXT_TO_TLS, || {
            tracing::warn!(
                "a caller does not speak TLS to {listen}: let callers connect with TLS, or leave out `--tls-cert` and \
                 `--tls-key`"
            );
        });
    }

    /// Looks at a request.
    pub(super) fn requested(&self, parts: &Parts, form: Form) {
        let is_json = || {
            let content_type = parts.headers.get(CONTENT_TYPE);
            content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
        };
        let listen = self.route.listen;
        match (self.route.speaks, form) {
            (Speaks::Http, Form::Grpc(_)) => self.layer.warn(SWAPPED_PORTS, || {
                tracing::warn!(
                    "a caller sends gRPC to {listen}, the port of `--http-listen`: gRPC is served on `--listen`"
                );
            }),
            (Speaks::Grpc, Form::Http) if is_json() => self.layer.warn(SWAPPED_PORTS, || {
                tracing::warn!(
                    "a caller sends JSON to {listen}, the port of `--listen`: HTTP is served on `--http-listen`"
                );
            }),
            _ => {}
        }
    }

    /// Looks at why a call has no reply.
    pub(super) fn failed(&self, error: &UpstreamError) {
        let flag = match self.route.speaks {
            Speaks::Grpc => "--upstream",
            Speaks::Http => "--http-upstream",
        };
        let upstream = &self.route.upstream;
        match self.mixed_up(error) {
            Some(MixUp::Plaintext) => self.layer.warn(TLS_TO_PLAINTEXT, || {
                tracing::warn!("{upstream} does not speak TLS: write `{flag}` with http://");
            }),
            Some(MixUp::Tls) => self.layer.warn(PLAINTEXT_TO_TLS, || {
                tracing::warn!("{upstream} seems to want TLS: write `{flag}` with https://");
            }),
            Some(MixUp::Http) => self.layer.warn(SWAPPED_PORTS, || {
                tracing::warn!(
                    "{upstream} speaks HTTP/1.1, not gRPC: `--upstream` takes the port of the gRPC API, `--http-upstream` \
                     that of the HTTP gateway"
                );
            }),
            Some(MixUp::Grpc) => self.layer.warn(SWAPPED_PORTS, || {
                tracing::warn!(
                    "{upstream} does not speak HTTP/1.1: `--http-upstream` takes the port of the HTTP gateway, `--upstream` \
                     that of the gRPC API"
                );
            }),
            None => {}
        }
    }

    fn mixed_up(&self, error: &UpstreamError) -> Option<MixUp> {
        match error {
            error if is_not_tls(error) => Some(MixUp::Plaintext),
            UpstreamError::Grpc(CallError::Unreachable(error)) => match &**error {
                ConnectError::NotHttp2 {
                    heard: Heard::Http1, ..
                } => Some(MixUp::Http),
                // TLS servers written in Go hang up without a word.
                ConnectError::NotHttp2 {
                    heard: Heard::Tls | Heard::Nothing,
                    ..
                } if !self.route.upstream.is_tls() => Some(MixUp::Tls),
                _ => None,
            },
            UpstreamError::Http(error) => causes(error).any(is_unparsable).then_some(MixUp::Grpc),
            UpstreamError::Grpc(_) => None,
        }
    }
}

/// What the upstream seems to speak.
enum MixUp {
    Plaintext,
    Tls,
    Http,
    Grpc,
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (**error).source())
}

fn is_unparsable(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}

/// What came in reply to the beginning of TLS is no TLS.
fn is_not_tls(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .filter_map(innermost)
        .any(|error| matches!(error.downcast_ref(), Some(rustls::Error::InvalidMessage(_))))
}

/// What an error of I/O is about. It may be in several of them.
fn innermost(error: &io::Error) -> Option<&(dyn Error + Send + Sync + 'static)> {
    let within = error.get_ref()?;
    match within.downcast_ref::<io::Error>() {
        Some(error) => innermost(error),
        None => Some(within),
    }
}
