use crate::protocol::call::Route;
use crate::protocol::gateway::unescaped;
use crate::protocol::spicedb::form::FIRST_JSON;

/// A path of the gateway.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) what: What,
}

/// The operation of a path.
#[derive(Debug)]
pub(super) enum What {
    Check,
    Bulk,
    Write {
        schema: bool,
        /// The member of the reply with the token of the write.
        token: Option<&'static str>,
    },
    /// A read whose reply is never stored.
    Read {
        stream: bool,
        /// The member of the reply with the token. Streams are not read.
        token: Option<&'static str>,
    },
    /// A read whose reply is never stored, always at head whatever the message states.
    ReadAtHead {
        /// The member of the reply with the token.
        token: &'static str,
    },
}

pub(super) const CHECK_BULK: &str = "/v1/permissions/checkbulk";

/// The HTTP annotations of `authzed.api.v1` as of 1.57, except calls that have no consistency and change no answer:
/// `watch`, and counting relationships.
static ENDPOINTS: [Endpoint; 23] = [
    Endpoint {
        path: "/v1/permissions/check",
        what: What::Check,
    },
    Endpoint {
        path: CHECK_BULK,
        what: What::Bulk,
    },
    Endpoint {
        path: "/v1/experimental/permissions/bulkcheckpermission",
        what: What::Bulk,
    },
    write("/v1/relationships/write", "writtenAt"),
    write("/v1/relationships/delete", "deletedAt"),
    Endpoint {
        path: "/v1/schema/write",
        what: What::Write {
            schema: true,
            token: Some("writtenAt"),
        },
    },
    import("/v1/relationships/importbulk"),
    import("/v1/experimental/relationships/bulkimport"),
    unary("/v1/permissions/expand", "expandedAt"),
    stream("/v1/permissions/resources"),
    stream("/v1/permissions/subjects"),
    stream("/v1/relationships/read"),
    stream("/v1/relationships/exportbulk"),
    stream("/v1/experimental/relationships/bulkexport"),
    Endpoint {
        path: "/v1/schema/read",
        what: What::ReadAtHead { token: "readAt" },
    },
    unary("/v1/schema/reflectschema", "readAt"),
    unary("/v1/schema/permissions/computable", "readAt"),
    unary("/v1/schema/permissions/dependent", "readAt"),
    unary("/v1/schema/diffschema", "readAt"),
    unary("/v1/experimental/reflectschema", "readAt"),
    unary("/v1/experimental/permissions/computable", "readAt"),
    unary("/v1/experimental/permissions/dependent", "readAt"),
    unary("/v1/experimental/diffschema", "readAt"),
];

const fn write(path: &'static str, token: &'static str) -> Endpoint {
    let what = What::Write {
        schema: false,
        token: Some(token),
    };
    Endpoint { path, what }
}

const fn import(path: &'static str) -> Endpoint {
    let what = What::Write {
        schema: false,
        token: None,
    };
    Endpoint { path, what }
}

const fn unary(path: &'static str, token: &'static str) -> Endpoint {
    let what = What::Read {
        stream: false,
        token: Some(token),
    };
    Endpoint { path, what }
}

const fn stream(path: &'static str) -> Endpoint {
    let what = What::Read {
        stream: true,
        token: None,
    };
    Endpoint { path, what }
}

/// The endpoint of a path, escaped or not.
pub(super) fn find(path: &str) -> Option<(Route, &'static Endpoint)> {
    let index = if path.contains('%') {
        let is_asked = |endpoint: &Endpoint| unescaped(path).eq(endpoint.path.bytes());
        ENDPOINTS.iter().position(is_asked)?
    } else if path.starts_with("/v1/") {
        ENDPOINTS.iter().position(|endpoint| endpoint.path == path)?
    } else {
        return None;
    };
    Some((Route(FIRST_JSON + index), &ENDPOINTS[index]))
}

impl Endpoint {
    pub(super) fn of(Route(route): Route) -> Option<&'static Self> {
        ENDPOINTS.get(route.checked_sub(FIRST_JSON)?)
    }
}
