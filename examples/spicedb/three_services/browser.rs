//! A client of the front end that keeps what it is given, as a browser keeps a cookie.

use std::fmt;
use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderName, HeaderValue, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::AnyError;

const ZOOKIE: HeaderName = HeaderName::from_static("zookie");
const LONGEST_REPLY: usize = 1 << 10;

/// What a client keeps of a response for its next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The cookie: a browser.
    Cookie,
    /// The header: a program.
    Header,
}

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cookie => "the cookie",
            Self::Header => "the header",
        })
    }
}

pub(crate) struct Browser {
    client: Client<HttpConnector, Body>,
    front_end: SocketAddr,
    keeps: Keeps,
    kept: Option<HeaderValue>,
}

impl Browser {
    pub(crate) fn new(front_end: SocketAddr, keeps: Keeps) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            front_end,
            keeps,
            kept: None,
        }
    }

    /// What the front end answers.
    pub(crate) async fn ask(&mut self, method: &str, path: &str) -> Result<String, AnyError> {
        let uri = format!("http://{}{path}", self.front_end);
        let mut request = Request::builder().method(method).uri(uri).body(Body::empty())?;
        if let Some(kept) = &self.kept {
            let name = match self.keeps {
                Keeps::Cookie => COOKIE,
                Keeps::Header => ZOOKIE,
            };
            request.headers_mut().insert(name, kept.clone());
        }
        let response = self.client.request(request).await?;
        let headers = response.headers();
        let given = match self.keeps {
            Keeps::Cookie => headers.get(SET_COOKIE).map(pair).transpose()?,
            Keeps::Header => headers.get(ZOOKIE).cloned(),
        };
        self.kept = given.or(self.kept.take());
        let status = response.status();
        let said = to_bytes(Body::new(response.into_body()), LONGEST_REPLY).await?;
        if !status.is_success() {
            return Ok(status.to_string());
        }
        Ok(String::from_utf8(said.into())?)
    }
}

/// The `name=value` of a cookie that is set.
fn pair(set: &HeaderValue) -> Result<HeaderValue, AnyError> {
    let pair = set.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    Ok(HeaderValue::from_bytes(pair)?)
}
