use std::borrow::Cow;

use http::Method;

use crate::protocol::call::Route;
use crate::protocol::gateway::unescaped;
use crate::protocol::permify::form::FIRST_REST;

/// A call of the gateway.
#[derive(Debug)]
pub(super) struct Endpoint {
    method: Method,
    /// The path after the tenant.
    pub(super) path: &'static str,
    pub(super) what: What,
}

/// What a call does.
#[derive(Debug)]
pub(super) enum What {
    Check,
    Expand,
    Bulk,
    /// A read whose reply is never stored.
    Read {
        stream: bool,
    },
    /// A write of relationships or attributes.
    Write,
    /// A write of the schema, or the deletion of the tenant.
    Schema,
}

pub(super) const TENANTS: &str = "/v1/tenants/";

/// The HTTP annotations of `base.v1`, except calls that have no snapshot and change no answer.
static ENDPOINTS: [Endpoint; 17] = [
    post("/permissions/check", What::Check),
    post("/permissions/bulk-check", What::Bulk),
    post("/permissions/expand", What::Expand),
    post("/permissions/lookup-entity", What::Read { stream: false }),
    post("/permissions/lookup-entity-stream", What::Read { stream: true }),
    post("/permissions/lookup-subject", What::Read { stream: false }),
    post("/permissions/subject-permission", What::Read { stream: false }),
    post("/data/relationships/read", What::Read { stream: false }),
    post("/data/attributes/read", What::Read { stream: false }),
    post("/data/write", What::Write),
    post("/data/delete", What::Write),
    post("/data/run-bundle", What::Write),
    post("/relationships/write", What::Write),
    post("/relationships/delete", What::Write),
    post("/schemas/write", What::Schema),
    Endpoint {
        method: Method::PATCH,
        path: "/schemas/partial-write",
        what: What::Schema,
    },
    Endpoint {
        method: Method::DELETE,
        path: "",
        what: What::Schema,
    },
];

const fn post(path: &'static str, what: What) -> Endpoint {
    Endpoint {
        method: Method::POST,
        path,
        what,
    }
}

/// The endpoint of a path, escaped or not.
pub(super) fn find(method: &Method, path: &str) -> Option<(Route, &'static Endpoint)> {
    let path = after_tenants(path)?;
    let tenant = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    let (tenant, rest) = path.split_at(tenant);
    if tenant.is_empty() {
        return None;
    }
    let is_asked = |endpoint: &Endpoint| endpoint.path.as_bytes() == rest && endpoint.method == *method;
    let index = ENDPOINTS.iter().position(is_asked)?;
    Some((Route(FIRST_REST + index), &ENDPOINTS[index]))
}

/// The tenant and the path after it, unescaped. It copies only paths of this API that have escapes.
fn after_tenants(path: &str) -> Option<Cow<'_, [u8]>> {
    if !path.contains('%') {
        return path.strip_prefix(TENANTS).map(|rest| rest.as_bytes().into());
    }
    let mut path = unescaped(path);
    path.by_ref()
        .take(TENANTS.len())
        .eq(TENANTS.bytes())
        .then(|| path.collect())
}

impl Endpoint {
    pub(super) fn of(Route(route): Route) -> Option<&'static Self> {
        ENDPOINTS.get(route.checked_sub(FIRST_REST)?)
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self.what, What::Write | What::Schema)
    }
}
