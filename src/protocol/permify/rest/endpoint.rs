use http::Method;

use super::super::super::Route;
use super::super::super::path::is_plain;
use super::super::FIRST_REST;

/// A call of the gateway.
#[derive(Debug)]
pub(super) struct Endpoint {
    method: Method,
    /// What comes behind the tenant.
    pub(super) path: &'static str,
    pub(super) what: What,
}

/// What a call does.
#[derive(Debug)]
pub(super) enum What {
    Check,
    Expand,
    Bulk,
    /// Never kept.
    Read {
        stream: bool,
    },
    /// Of relationships and attributes.
    Write,
    /// Of the schema, or of the whole tenant.
    Schema,
}

pub(super) const TENANTS: &str = "/v1/tenants/";

/// The HTTP annotations of `base.v1`, but for those that neither answer at a snapshot nor change an answer.
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

/// The endpoint of a path, of which all but the tenant has to be spelled byte for byte.
pub(super) fn find(method: &Method, path: &str) -> Option<(Route, &'static Endpoint)> {
    let (_, rest) = split(path)?;
    let is_asked = |endpoint: &Endpoint| endpoint.path == rest && endpoint.method == *method;
    let index = ENDPOINTS.iter().position(is_asked)?;
    Some((Route(FIRST_REST + index), &ENDPOINTS[index]))
}

/// The tenant in a path, as it is spelled there.
pub(super) fn tenant(path: &str) -> Option<&str> {
    split(path).map(|(tenant, _)| tenant)
}

fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix(TENANTS)?;
    let (tenant, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    is_plain(tenant).then_some((tenant, rest))
}

impl Endpoint {
    pub(super) fn of(Route(route): Route) -> Option<&'static Self> {
        ENDPOINTS.get(route.checked_sub(FIRST_REST)?)
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self.what, What::Write | What::Schema)
    }
}
