use bytes::Bytes;

use crate::cache::ReadAt;
use crate::protocol::call::Call;
use crate::protocol::grpc::{Forwarded, frame, message};
use crate::protocol::spicedb::consistency::MessageConsistency;
use crate::protocol::spicedb::grpc::consistency;
use crate::protocol::spicedb::grpc::consistency::CONSISTENCY;
use crate::protocol::spicedb::grpc::request::ITEM;
use crate::token::Zookie;

/// The body with another consistency, and a bulk with only its items `open`.
pub(in crate::protocol::spicedb) fn ask(
    call: &Call,
    body: &Bytes,
    open: &[usize],
    at: &ReadAt,
    zookie: Option<&Zookie>,
) -> Option<Bytes> {
    let forwarded = Forwarded::of(call, open)?;
    let stated = MessageConsistency::of(at, zookie);
    if forwarded == Forwarded::Whole && stated.is_stated_by(call) {
        return None;
    }
    let message = message(body).ok()?;
    Some(frame(message.len() + consistency::len(&stated), |into| {
        consistency::write(into, &stated);
        let fields = forwarded.fields(message, ITEM);
        for field in fields.filter(|field| field.number != CONSISTENCY) {
            into.extend_from_slice(field.bytes);
        }
    }))
}
