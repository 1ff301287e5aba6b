use bytes::Bytes;

use crate::cache::ReadAt;
use crate::protocol::call::Call;
use crate::protocol::grpc::{Forwarded, frame, message};
use crate::protocol::spicedb::grpc::consistency;
use crate::protocol::spicedb::grpc::consistency::CONSISTENCY;
use crate::protocol::spicedb::grpc::request::ITEM;
use crate::protocol::spicedb::wish::Wish;
use crate::token::Zookie;

/// The body with its consistency replaced, and of a bulk's items only those that are `open`.
pub(in crate::protocol::spicedb) fn ask(
    call: &Call,
    body: &Bytes,
    open: &[usize],
    at: &ReadAt,
    zookie: Option<&Zookie>,
) -> Option<Bytes> {
    let forwarded = Forwarded::of(call, open)?;
    let wish = Wish::of(at, zookie);
    if forwarded == Forwarded::Whole && wish.is_stated_by(call) {
        return None;
    }
    let message = message(body).ok()?;
    Some(frame(message.len() + consistency::len(&wish), |into| {
        consistency::write(into, &wish);
        let fields = forwarded.fields(message, ITEM);
        for field in fields.filter(|field| field.number != CONSISTENCY) {
            into.extend_from_slice(field.bytes);
        }
    }))
}
