use bytes::Bytes;
use http::Method;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::protocol::call::{Call, Kind, Probe};
use crate::protocol::gateway::post_instead;
use crate::protocol::path::is_plain;
use crate::protocol::permify::rest::endpoint;
use crate::protocol::permify::rest::endpoint::TENANTS;

/// Deletes nothing. With an empty filter Permify would not write, and its reply would have no token.
const NOTHING: &[u8] = br#"{"tuple_filter":{"entity":{"type":"zookie","ids":["probe"]}},"attribute_filter":{}}"#;

/// Turns the parts of a request into those of a deletion of nothing in a tenant. The reply still has a token.
pub(in crate::protocol::permify) fn probe(parts: &mut Parts, tenant: &str) -> Option<Probe> {
    if !is_plain(tenant) {
        return None;
    }
    let path = PathAndQuery::try_from(format!("{TENANTS}{tenant}/data/delete")).ok()?;
    let (route, _) = endpoint::find(&Method::POST, path.path())?;
    let body = Bytes::from_static(NOTHING);
    post_instead(parts, path, &body)?;
    let call = Call::new(Kind::Write {
        schema: false,
        stream: false,
    });
    Some(Probe::new(route, call, body))
}
