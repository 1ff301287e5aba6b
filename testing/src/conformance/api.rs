use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use serde_json::Value;
use tower_zookie::Asked;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Protocol;

/// The header in which tokens travel where the API's message has no field for them.
const ZOOKIE: HeaderName = HeaderName::from_static("zookie");
const CONSISTENCY: HeaderName = HeaderName::from_static("zookie-consistency");

/// What a request asks. The model's questions are numbers below [`Api::QUESTIONS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    Check(usize),
    Bulk(Vec<usize>),
    /// From now on, the answer to this question is `allowed`.
    Write {
        question: usize,
        allowed: bool,
    },
}

impl Asks {
    /// The questions in their order.
    pub fn questions(&self) -> &[usize] {
        match self {
            Self::Check(question) => std::slice::from_ref(question),
            Self::Bulk(questions) => questions,
            Self::Write { .. } => &[],
        }
    }
}

/// How fresh an answer has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    pub token: Option<String>,
    /// `None`: at least as fresh as the token, if there is one.
    pub consistency: Option<Consistency>,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For each question the answer, or `None` where the reply has an error in its place.
    pub verdicts: Vec<Option<bool>>,
    /// The token of the revision at which they hold.
    pub token: Option<String>,
}

/// How one API spells the model's calls: what its clients send and read, and what its servers read and send.
pub trait Api: fmt::Debug + Clone + Send + Sync + 'static {
    type Protocol: Protocol;

    /// How many questions the model has.
    const QUESTIONS: usize = 4;

    fn protocol(&self) -> Self::Protocol;

    /// The store's token of a revision. Revisions are numbered from 1.
    fn token(&self, revision: u64) -> String;

    /// Texts that no store of this format issued for one of its revisions: malformed, or of another store.
    fn bad_tokens(&self) -> Vec<String> {
        vec!["?".to_owned(), "x".repeat(5000)]
    }

    /// Whether messages state the token. Otherwise [`in_headers`] does.
    fn has_token_in_messages(&self) -> bool {
        false
    }

    /// A client's request. `None` if the API has no such call, such as a bulk.
    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>>;

    /// What a server reads of a request.
    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)>;

    /// A server's reply with these answers, or to a write, at this revision. A gRPC reply has its trailers in its
    /// extensions, as a [`HeaderMap`](http::HeaderMap).
    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes>;

    /// A server's reply to a request at a revision that it has not reached.
    fn refuse(&self) -> Response<Bytes>;

    /// What a client reads of a reply to a request that asked this. `None` for an error.
    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer>;

    /// The names of the members of a JSON message that state the freshness, at its top level. They may not be in the key.
    fn freshness_members(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What a JSON message means, without its freshness: two messages with one meaning have the same answer. By default
    /// each value has a meaning of its own.
    fn meaning(&self, message: &Value) -> Value {
        message.clone()
    }

    /// Requests of one check, each of which may have another answer than all others: one for each field of the API. The
    /// suite itself varies the members of JSON messages, the query and the credentials.
    fn variations(&self) -> Vec<Request<Bytes>> {
        Vec::new()
    }
}

/// States the freshness in a request's headers.
pub fn in_headers(request: &mut Request<Bytes>, fresh: &Fresh) {
    let headers = request.headers_mut();
    if let Some(token) = &fresh.token
        && let Ok(token) = HeaderValue::from_str(token)
    {
        headers.insert(ZOOKIE, token);
    }
    if let Some(consistency) = fresh.consistency {
        let consistency = HeaderValue::try_from(consistency.to_string()).expect("a header's value");
        headers.insert(CONSISTENCY, consistency);
    }
}

/// The freshness that a forwarded request states outside its message: in the extension [`Asked`], or in its headers.
pub fn stated(request: &Request<Bytes>) -> Fresh {
    if let Some(asked) = request.extensions().get::<Asked>() {
        return Fresh {
            token: asked.zookie.as_ref().map(ToString::to_string),
            consistency: Some(asked.consistency),
        };
    }
    let text = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    Fresh {
        token: text(ZOOKIE),
        consistency: text(CONSISTENCY).and_then(|text| text.parse().ok()),
    }
}
