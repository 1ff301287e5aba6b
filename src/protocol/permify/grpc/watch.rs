use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::request::Parts;
use http::{Request, Version};

use crate::protobuf::{only, write_bytes};
use crate::protocol::grpc::frame;

/// Opens the change feed of a tenant.
pub(in crate::protocol::permify) fn watch(tenant: &str) -> Option<(Parts, Bytes)> {
    const TENANT_ID: u32 = 1;
    let request = Request::post("/base.v1.Watch/Watch")
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers");
    let (parts, ()) = request.body(()).ok()?.into_parts();
    let message = frame(tenant.len() + 4, |into| write_bytes(into, TENANT_ID, tenant.as_bytes()));
    Some((parts, message))
}

/// The token in one message of the change feed.
pub(in crate::protocol::permify) fn feed_token(message: &[u8]) -> Option<&str> {
    const CHANGES: u32 = 1;
    const SNAP_TOKEN: u32 = 1;
    let token = only(only(message, CHANGES)?, SNAP_TOKEN)?;
    std::str::from_utf8(token).ok().filter(|token| !token.is_empty())
}
