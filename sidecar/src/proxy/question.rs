//! The question that the sidecar asks its upstream once, when it starts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_zookie::protocol::kit::grpc::{frame, message};
use tower_zookie::protocol::kit::protobuf::only;
use tower_zookie::protocol::{Protocol, spicedb};
use tower_zookie::token::TokenFormat;
use tower_zookie::token::spicedb::ZedTokens;
use tower_zookie::{Handle, Warning};

use super::mixups::MixUps;
use super::origin::Origin;
use super::speaks::Speaks;
use super::system::System;
use super::upstream::{Forward, UpstreamError};

const WITHIN: Duration = Duration::from_secs(5);
const LONGEST: usize = 4 << 20;

/// Asks for something that each deployment has and that costs little: SpiceDB's schema, Permify's tenants.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) layer: Handle<Arc<dyn Protocol>>,
    pub(super) system: System,
    pub(super) upstream: Forward,
    pub(super) origin: Origin,
    pub(super) speaks: Speaks,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) mix_ups: Arc<MixUps>,
}

/// What came of it.
enum Found {
    /// A reply with this token, or with none.
    Answer(Option<String>),
    /// It wants credentials, or other ones.
    Refused,
    /// It does not know the operation.
    Unknown,
    /// It has no schema.
    NoSchema,
    /// Another status.
    Status(String),
}

impl Question {
    /// Asks, and says in one line what was found.
    pub(super) async fn ask(self) {
        let name = self.system.name();
        let at = &self.origin;
        let found = match timeout(WITHIN, self.found(&self.system)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                self.mix_ups.failed(&error);
                let error = &error as &dyn std::error::Error;
                return tracing::warn!(error, "{at} can't be reached; is {} right?", self.flag());
            }
            Err(_) => return tracing::warn!("{at} does not answer; is {} right?", self.flag()),
        };
        match found {
            Found::Answer(Some(token)) => self.judge(&token),
            Found::Answer(None) if matches!(self.system, System::Permify(_)) => tracing::info!(
                "{at} answers as {name} does. Only replies to writes name a token, so the first write shows whether \
                 `--engine` is right"
            ),
            Found::Answer(None) => tracing::warn!("{at} answers, but not as {name} does; is `--system` right?"),
            Found::NoSchema => tracing::info!(
                "{at} answers as {name} does, and has no schema yet. The first reply with a token shows whether `--engine` \
                 is right"
            ),
            Found::Refused if self.authorization.is_none() => tracing::info!(
                "{at} answers, and wants a credential. Set `--probe-authorization-env` to learn more when the sidecar starts"
            ),
            Found::Refused => {
                tracing::warn!(
                    "{at} does not take the credential of `--probe-authorization-env`; callers have their own"
                );
            }
            Found::Unknown => self.suspect().await,
            Found::Status(status) => {
                tracing::warn!("{at} answers with {status}, which says nothing of `--system` and `--engine`");
            }
        }
    }

    fn flag(&self) -> &'static str {
        match self.speaks {
            Speaks::Grpc => "`--upstream`",
            Speaks::Http => "`--http-upstream`",
        }
    }

    /// Whether the configured engine reads the token of a reply.
    fn judge(&self, token: &str) {
        let (name, at) = (self.system.name(), &self.origin);
        if reads(&*self.system.protocol().format(), token) {
            return tracing::info!("{at} is {name}, and the configured `--engine` reads its tokens");
        }
        let could: Vec<_> = ENGINES
            .iter()
            .filter(|(_, engine)| reads(&ZedTokens::new(*engine), token))
            .map(|(name, _)| *name)
            .collect();
        self.layer.warn(Warning::OtherEngine.name(), || match &could[..] {
            [] => tracing::warn!("{at} is {name}, but no engine reads its tokens, so nothing is stored"),
            could => tracing::warn!(
                "{at} is {name}, but the configured `--engine` can't read its tokens, so nothing is stored; set `--engine {}`",
                could.join("` or `--engine ")
            ),
        });
    }

    /// Looks whether it is the other system.
    async fn suspect(&self) {
        let other = self.system.other();
        let is_other = timeout(WITHIN, self.found(&other)).await;
        let (at, name) = (&self.origin, self.system.name());
        self.layer.warn(Warning::OtherSystem.name(), || match is_other {
            Ok(Ok(Found::Unknown | Found::Status(_)) | Err(_)) | Err(_) => {
                tracing::warn!(
                    "{at} does not know {name}'s operations; is `--system` right, and {}?",
                    self.flag()
                );
            }
            Ok(Ok(_)) => tracing::warn!("{at} is {}; set `--system {0}`", other.name()),
        });
    }

    async fn found(&self, system: &System) -> Result<Found, UpstreamError> {
        let reply = self.upstream.clone().oneshot(self.request(system)).await?;
        let (parts, body) = reply.into_parts();
        let Ok(body) = http_body_util::Limited::new(body, LONGEST).collect().await else {
            return Ok(Found::Status("a reply that breaks off".to_owned()));
        };
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        Ok(match self.speaks {
            Speaks::Grpc => grpc(trailers.as_ref().unwrap_or(&parts.headers), &body),
            Speaks::Http => http(parts.status, &body),
        })
    }

    fn request(&self, system: &System) -> Request<super::upstream::RequestBody> {
        let (path, content_type, body) = match self.speaks {
            Speaks::Grpc => (system.question().0, "application/grpc", frame(0, |_| ())),
            Speaks::Http => (system.question().1, "application/json", Bytes::from_static(b"{}")),
        };
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.origin.uri(&Uri::from_static(path)).unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.speaks == Speaks::Grpc {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

const ENGINES: [(&str, spicedb::Engine); 5] = [
    ("memory", spicedb::Engine::Memory),
    ("postgres", spicedb::Engine::Postgres),
    ("cockroachdb", spicedb::Engine::CockroachDb),
    ("spanner", spicedb::Engine::Spanner),
    ("mysql", spicedb::Engine::MySql),
];

fn reads(format: &dyn TokenFormat, token: &str) -> bool {
    format.decode(token).is_ok() && format.issues(token)
}

fn grpc(status: &HeaderMap, body: &[u8]) -> Found {
    let code = status
        .get("grpc-status")
        .and_then(|code| code.to_str().ok())
        .unwrap_or("none");
    match code {
        "0" => {
            // ReadSchemaResponse's `read_at`, whose token is its first field.
            let token = message(body).ok().and_then(|message| only(only(message, 2)?, 1));
            Found::Answer(token.and_then(|token| String::from_utf8(token.to_vec()).ok()))
        }
        "5" => Found::NoSchema,
        "7" | "16" => Found::Refused,
        "12" => Found::Unknown,
        code => Found::Status(format!("gRPC's status {code}")),
    }
}

fn http(status: StatusCode, body: &[u8]) -> Found {
    let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    match status {
        StatusCode::OK => Found::Answer(json["readAt"]["token"].as_str().map(str::to_owned)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Found::Refused,
        // A gateway says so in its own form.
        StatusCode::NOT_FOUND if json["message"].as_str().is_some_and(|why| why.contains("schema")) => Found::NoSchema,
        StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => Found::Unknown,
        status => Found::Status(format!("the status {status}")),
    }
}
