//! Properties that prevent a request from being answered from memory, and do not change what it asks.

use std::future::ready;
use std::sync::OnceLock;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass {
    ParameterTwice,
    Range,
    Condition,
    Connection,
    BodyOfGet,
    NameTwice,
    NotJson,
    OverLong,
    Trailers,
}

use Bypass::*;

const OF_ALL: [Bypass; 3] = [Range, Condition, Connection];
const OF_GET: [Bypass; 2] = [ParameterTwice, BodyOfGet];
const OF_POST: [Bypass; 4] = [NameTwice, NotJson, OverLong, Trailers];

/// More than the layer reads.
const MANY: usize = (4 << 20) + 1;

/// An index into the bypasses of a form.
pub(crate) fn bypass() -> impl Strategy<Value = usize> {
    select((0..(OF_ALL.len() + OF_POST.len()) * OF_GET.len()).collect::<Vec<_>>())
}

impl Bypass {
    pub(crate) fn of(number: usize, posts: bool) -> Self {
        let own: &[Self] = if posts { &OF_POST } else { &OF_GET };
        let nth = number % (OF_ALL.len() + own.len());
        *OF_ALL.iter().chain(own).nth(nth).expect("there are as many")
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            ParameterTwice => "bypass: a parameter twice",
            Range => "bypass: a range",
            Condition => "bypass: a condition",
            Connection => "bypass: a connection header",
            BodyOfGet => "bypass: a body of a GET",
            NameTwice => "bypass: a name twice",
            NotJson => "bypass: no JSON",
            OverLong => "bypass: an over-long body",
            Trailers => "bypass: trailers",
        }
    }

    /// Whether the service itself can't answer such a request either.
    pub(crate) fn is_rejected(self) -> bool {
        matches!(self, NotJson | OverLong)
    }

    pub(crate) fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            ParameterTwice => &[("other", "1"), ("other", "2")],
            _ => &[],
        }
    }

    pub(crate) fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Range => Some(("range", "bytes=0-1")),
            Condition => Some(("if-none-match", "\"x\"")),
            Connection => Some(("connection", "x-tenant")),
            _ => None,
        }
    }

    /// The request's body, spelled so that the layer can't read it as a question.
    pub(crate) fn body(self, body: Option<&Value>) -> Body {
        static SPACES: OnceLock<Bytes> = OnceLock::new();
        let Some(body) = body.map(ToString::to_string) else {
            return if self == BodyOfGet {
                Body::from("a body")
            } else {
                Body::empty()
            };
        };
        match self {
            NameTwice => Body::from(format!(r#"{},"context":1,"context":2}}"#, &body[..body.len() - 1])),
            NotJson => Body::from(body[..body.len() / 2].to_owned()),
            OverLong => {
                let spaces = SPACES.get_or_init(|| vec![b' '; MANY].into()).clone();
                let frames = [Bytes::from(body), spaces].map(|data| Ok::<_, axum::Error>(Frame::data(data)));
                Body::new(StreamBody::new(tokio_stream::iter(frames)))
            }
            Trailers => {
                let name = HeaderName::from_static("checksum");
                let trailers = HeaderMap::from_iter([(name, HeaderValue::from_static("1"))]);
                Body::new(Full::new(Bytes::from(body)).with_trailers(ready(Some(Ok(trailers)))))
            }
            _ => Body::from(body),
        }
    }
}

/// A header of any name.
pub(crate) fn with_header(mut request: Request, name: &'static str, value: &str) -> Request {
    let value = HeaderValue::from_str(value).expect("all parts are ASCII");
    request.headers_mut().append(HeaderName::from_static(name), value);
    request
}
