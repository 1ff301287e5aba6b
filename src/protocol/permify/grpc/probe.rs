use http::request::Parts;

use crate::protobuf::write_bytes;
use crate::protocol::call::{Call, Kind, Probe, Route};
use crate::protocol::grpc::{call_instead, frame};
use crate::protocol::permify::grpc::method::METHODS;

const DELETE: &str = "/base.v1.Data/Delete";

/// Turns the parts of a request into those of a deletion of nothing in a tenant. The reply still has a token.
pub(in crate::protocol::permify) fn probe(parts: &mut Parts, tenant: &str) -> Option<Probe> {
    const TENANT_ID: u32 = 1;
    const TUPLE_FILTER: u32 = 2;
    const ATTRIBUTE_FILTER: u32 = 3;
    let route = METHODS.0.iter().position(|method| method.path == DELETE)?;
    let body = frame(64 + tenant.len(), |into| {
        write_bytes(into, TENANT_ID, tenant.as_bytes());
        write_bytes(into, TUPLE_FILTER, &nothing());
        write_bytes(into, ATTRIBUTE_FILTER, &[]);
    });
    call_instead(parts, DELETE, &body)?;
    let call = Call::new(Kind::Write {
        schema: false,
        stream: false,
    });
    Some(Probe::new(Route(route), call, body))
}

/// A filter without matches. With an empty filter Permify would not write, and its reply would have no token.
fn nothing() -> Vec<u8> {
    const ENTITY: u32 = 1;
    const TYPE: u32 = 1;
    const IDS: u32 = 2;
    let (mut entity, mut filter) = (Vec::new(), Vec::new());
    write_bytes(&mut entity, TYPE, b"zookie");
    write_bytes(&mut entity, IDS, b"probe");
    write_bytes(&mut filter, ENTITY, &entity);
    filter
}
