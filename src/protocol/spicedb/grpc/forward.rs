use bytes::Bytes;
use http::request::Parts as Head;

use super::super::super::grpc::{Forwarded, call_instead, frame, message};
use super::super::super::{Call, Kind};
use super::super::wish::Wish;
use super::consistency::{self, CONSISTENCY};
use super::method::{CHECK_BULK, METHODS};
use super::request::ITEM;
use crate::cache::Ask;
use crate::token::Zookie;

/// A bulk check without items, fully consistent.
const PROBE: [u8; 9] = [0, 0, 0, 0, 4, 0x0a, 2, 0x20, 1];

/// The body with its consistency replaced, and of a bulk's items only those that are `open`.
pub(in super::super) fn ask(
    call: &Call,
    body: &Bytes,
    open: &[usize],
    at: &Ask,
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

/// Turns a head into one that asks for the head revision: a bulk check without items is answered with just that.
pub(in super::super) fn probe(head: &mut Head) -> Option<(Call, Bytes)> {
    let body = Bytes::from_static(&PROBE);
    call_instead(head, METHODS.of(CHECK_BULK)?.path, &body)?;
    let call = Call::new(CHECK_BULK, Kind::Bulk(Vec::new()));
    Some((call, body))
}
