use bytes::Bytes;

use crate::cache::ReadAt;
use crate::protocol::call::Received;
use crate::protocol::grpc::{Forwarded, frame, message};
use crate::protocol::spicedb::consistency::MessageConsistency;
use crate::protocol::spicedb::grpc::consistency;
use crate::protocol::spicedb::grpc::consistency::CONSISTENCY;
use crate::protocol::spicedb::grpc::request::ITEM;
use crate::token::Zookie;

/// The body with another consistency, and a bulk with only its items `open`.
pub(in crate::protocol::spicedb) fn ask(
    received: Received<'_>,
    open: &[usize],
    at: &ReadAt,
    zookie: Option<&Zookie>,
) -> Option<Bytes> {
    let forwarded = Forwarded::of(received.call, open)?;
    let stated = MessageConsistency::of(at, zookie);
    if forwarded == Forwarded::Whole && stated.is_stated_by(received.call) {
        return None;
    }
    let message = message(received.message).ok()?;
    Some(frame(message.len() + consistency::len(&stated), |into| {
        consistency::write(into, &stated);
        let fields = forwarded.fields(message, ITEM);
        for field in fields.filter(|field| field.number != CONSISTENCY) {
            into.extend_from_slice(field.bytes);
        }
    }))
}
