//! Recorded traffic of real servers. `tests/wire/README.md` describes the format.

pub mod permify;
mod replay;
mod session;
pub mod spicedb;
pub mod table;
mod traffic;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use serde::Deserialize;

pub use self::replay::{Replay, Replayed};
pub use self::session::{Reply, Session};
pub use self::traffic::{Case, Table, Traffic, assert_complete};

pub type ReplayBody = UnsyncBoxBody<Bytes, io::Error>;

type Pairs = Vec<(String, String)>;

/// The calls of one file, in the order they were made.
#[derive(Clone, Debug)]
pub struct Recording {
    pub calls: Vec<Arc<Call>>,
}

/// One recorded call.
#[derive(Debug)]
pub struct Call {
    pub n: usize,
    pub case: String,
    pub why: Option<String>,
    /// Milliseconds since the first call.
    pub at_ms: Option<u64>,
    pub request: Request<Bytes>,
    pub response: Recorded,
}

/// What the server replied.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body, in the pieces in which it was received.
    pub frames: Vec<Bytes>,
    pub trailers: Option<HeaderMap>,
    pub trailers_only: bool,
    /// The stream was cancelled, with this HTTP/2 error code.
    pub reset: Option<u32>,
}

impl Recorded {
    pub fn body(&self) -> Bytes {
        self.frames.concat().into()
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(&self, body: Bytes) -> Self {
        Self {
            frames: vec![body],
            ..self.clone()
        }
    }

    /// A trailer, wherever it was received.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        let map = if self.trailers_only {
            Some(&self.headers)
        } else {
            self.trailers.as_ref()
        };
        map?.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Recording {
    /// The recording `tests/wire/{name}.jsonl`.
    pub fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/wire/{name}.jsonl"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let calls = text.lines().map(|line| {
            let line: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}"));
            Arc::new(line.read())
        });
        Self { calls: calls.collect() }
    }

    /// The call of this name.
    pub fn call(&self, case: &str) -> &Arc<Call> {
        let mut found = self.calls.iter().filter(|call| call.case == case);
        match (found.next(), found.next()) {
            (Some(call), None) => call,
            _ => panic!("not exactly one recorded call is called {case}"),
        }
    }

    /// With one more call, which was not recorded.
    #[must_use]
    pub fn and(mut self, case: &str, request: Request<Bytes>, response: Recorded) -> Self {
        self.calls.push(Arc::new(Call {
            n: self.calls.len(),
            case: case.to_owned(),
            why: None,
            at_ms: None,
            request,
            response,
        }));
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    n: usize,
    case: String,
    why: Option<String>,
    #[serde(rename = "engine")]
    _engine: String,
    at_ms: Option<u64>,
    request: Asked,
    response: Answered,
    #[serde(rename = "reset_by")]
    _reset_by: Option<String>,
    reset_code: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: Option<String>,
    path: Option<String>,
    headers: Pairs,
    body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    status: Option<u16>,
    headers: Pairs,
    body: String,
    trailers: Option<Pairs>,
    #[serde(default)]
    trailers_only: bool,
    #[serde(default)]
    frames: Vec<(u64, usize)>,
}

impl Line {
    fn read(self) -> Call {
        let grpc = self.request.method.is_none();
        let bytes = |body: String| -> Bytes {
            if grpc {
                STANDARD.decode(body).unwrap().into()
            } else {
                body.into()
            }
        };
        let (pseudo, headers) = split(self.request.headers);
        let part = |name: &str| {
            pseudo
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, value)| &**value)
        };
        let uri = match self.request.path {
            Some(path) => path,
            None => format!(
                "{}://{}{}",
                part(":scheme").unwrap(),
                part(":authority").unwrap(),
                part(":path").unwrap()
            ),
        };
        let method = self.request.method.as_deref().or(part(":method")).unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .body(bytes(self.request.body))
            .unwrap();
        *request.headers_mut() = headers;

        let (pseudo, headers) = split(self.response.headers);
        let status = self.response.status.unwrap_or_else(|| pseudo[0].1.parse().unwrap());
        let mut rest = bytes(self.response.body);
        let mut frames: Vec<_> = self
            .response
            .frames
            .iter()
            .map(|(_, len)| rest.split_to(*len))
            .collect();
        if !rest.is_empty() {
            assert!(frames.is_empty(), "{}: frames that are not all of the body", self.case);
            frames.push(rest);
        }
        let response = Recorded {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            frames,
            trailers: self.response.trailers.map(|trailers| split(trailers).1),
            trailers_only: self.response.trailers_only,
            reset: self.reset_code,
        };
        Call {
            n: self.n,
            case: self.case,
            why: self.why,
            at_ms: self.at_ms,
            request,
            response,
        }
    }
}

/// Whether a path is that of a gRPC method.
pub fn is_grpc(path: &str) -> bool {
    path.contains('.')
}

/// Headers or trailers, except those with the names `but`.
pub fn texts<'a>(map: &'a HeaderMap, but: &[&str]) -> BTreeMap<&'a str, &'a str> {
    let texts = map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    texts.filter(|(name, _)| !but.contains(name)).collect()
}

/// The pseudo headers, and the others.
fn split(pairs: Pairs) -> (Pairs, HeaderMap) {
    let (pseudo, others): (Pairs, Pairs) = pairs.into_iter().partition(|(name, _)| name.starts_with(':'));
    let header = |(name, value): (String, String)| -> (HeaderName, HeaderValue) {
        (
            name.parse().unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    let mut headers = HeaderMap::new();
    for (name, value) in others.into_iter().map(header) {
        headers.append(name, value);
    }
    (pseudo, headers)
}

impl Recorded {
    /// The reply, unmodified.
    pub fn replay(&self) -> Response<ReplayBody> {
        let data = self.frames.iter().cloned().map(|data| Ok(Frame::data(data)));
        let trailers = self
            .trailers
            .iter()
            .cloned()
            .map(|trailers| Ok(Frame::trailers(trailers)));
        let reset = self
            .reset
            .iter()
            .map(|code| Err(io::Error::other(format!("reset with {code}"))));
        let frames: Vec<_> = data.chain(trailers).chain(reset).collect();
        let mut response = Response::new(match frames.is_empty() {
            // It states that it is empty, as trailers-only replies must.
            true => Empty::new().map_err(|never| match never {}).boxed_unsync(),
            false => StreamBody::new(tokio_stream::iter(frames)).boxed_unsync(),
        });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}
