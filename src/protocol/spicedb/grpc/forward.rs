use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts as Head;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};

use super::super::super::grpc::{Forwarded, frame, message};
use super::super::super::{Call, Kind};
use super::super::wish::Wish;
use super::consistency::{self, CONSISTENCY};
use super::method::{CHECK_BULK, METHODS};
use super::request::ITEM;
use crate::cache::Ask;
use crate::token::Zookie;

/// A bulk check without items, fully consistent.
const PROBE: [u8; 9] = [0, 0, 0, 0, 4, 0x0a, 2, 0x20, 1];

/// What describes the encoding of the call that a probe takes its head from. A probe and its reply have none.
const ENCODINGS: [HeaderName; 2] = [
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

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
    let method = METHODS.of(CHECK_BULK)?;
    let mut uri = head.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(method.path));
    head.uri = Uri::from_parts(uri).ok()?;
    for name in ENCODINGS {
        head.headers.remove(name);
    }
    if head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(PROBE.len()));
    }
    let call = Call::new(CHECK_BULK, Kind::Bulk(Vec::new()));
    Some((call, Bytes::from_static(&PROBE)))
}
