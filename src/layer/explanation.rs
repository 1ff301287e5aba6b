use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::cache::{Miss, Named};

/// What the layer would do with a request, and why: see [`Handle::explain`](crate::Handle::explain).
///
/// It has the names of what the request is judged by, and no values: neither tokens nor credentials.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Which call of the API it is, as method and path. `None`: the protocol does not claim it.
    pub operation: Option<String>,
    /// What would happen.
    pub would: String,
    /// The names of what distinguishes its questions from others: what is not listed here makes no difference.
    pub key: Vec<KeyPart>,
    /// How fresh the answer must be. `None` where that is not judged: for a write, or a request that passes.
    pub requirement: Option<String>,
    /// What the cache has for each of its questions.
    pub questions: Vec<ExplainedQuestion>,
}

/// The name of a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyPart {
    /// `endpoint`, `credential`, `header`, `cookie`, `query`, `member` or `context`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl KeyPart {
    pub(super) fn new(named: Named, name: String) -> Self {
        let kind = match named {
            Named::Endpoint => "endpoint",
            Named::Credential => "credential",
            Named::Header => "header",
            Named::Cookie => "cookie",
            Named::Query => "query",
            Named::Member => "member",
            Named::Context => "context",
        };
        Self { kind, name }
    }
}

/// What the cache has for one question.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExplainedQuestion {
    /// Why it would not be answered from the cache. `None`: it would be.
    #[serde(serialize_with = "by_name")]
    pub miss: Option<Miss>,
    /// The newest answer that is stored.
    pub stored: Option<StoredAnswer>,
}

/// A stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StoredAnswer {
    /// How old it is.
    pub age: Duration,
    /// How long it still has to live.
    pub ends_in: Duration,
    /// Whether it holds at a revision that the store named. Without one it satisfies no token.
    pub has_revision: bool,
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn by_name<S: Serializer>(miss: &Option<Miss>, serializer: S) -> Result<S::Ok, S::Error> {
    miss.map(Miss::name).serialize(serializer)
}
