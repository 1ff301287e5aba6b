mod instead;
mod reader;
mod reply;
mod timestamp;
mod value;

use std::borrow::Cow;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use self::value::Values;
use crate::cache::{Fingerprint, FingerprintBuilder, Named, Part};
use crate::protobuf;
use crate::protobuf::{fields, only, write_bytes, write_number};
use crate::protocol::call::{Key, Route, Unreadable};
use crate::protocol::feed::FeedWire;
use crate::protocol::kit::grpc::{
    Code, Status, content_type, frame, is_grpc, is_proto, message, next_message, reject, timeout,
};
use crate::protocol::kit::json::digest::{Hashed, Members};
use crate::protocol::operation::{Field, Is, Operation};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::Reply;
use crate::protocol::stored_response::{StoredResponse, copied};
use crate::protocol::wire::{Edit, Ended, Member, Put, Question, Streamed, Wire};

/// Protocol Buffers over gRPC.
#[derive(Debug)]
pub(in crate::protocol) struct Grpc;

impl Wire for Grpc {
    const ECHOES: bool = false;
    const FEED: FeedWire = FeedWire::Grpc;

    type Reader<'m> = protobuf::Field<'m>;
    type Question = GrpcQuestion;

    fn called(operations: &[Operation], _: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<usize> {
        // gRPC servers read a query as part of the method's name, and no method has such a name.
        if *method != Method::POST || uri.query().is_some() || !is_grpc(headers) {
            return None;
        }
        operations.iter().position(|operation| operation.grpc == uri.path())
    }

    fn endpoint(operation: &Operation, _: &str) -> (Method, String) {
        (Method::POST, operation.grpc.to_owned())
    }

    /// A question's content type is checked with its key.
    fn check_headers(_: &HeaderMap) -> Result<(), Unreadable> {
        Ok(())
    }

    fn request(body: &[u8]) -> Result<protobuf::Field<'_>, Unreadable> {
        Ok(protobuf::Field::of_message(message(body)?))
    }

    fn metadata(headers: &HeaderMap) -> impl Iterator<Item = &str> {
        headers.keys().map(|name| name.as_str())
    }

    fn timeout(headers: &HeaderMap) -> Option<Duration> {
        timeout(headers)
    }

    fn rewrite(body: &Bytes, edit: Option<&Edit<'_>>, items: Option<(&'static Field, &[usize])>) -> Option<Bytes> {
        let message = message(body).ok()?;
        let mut edit = edit.filter(|edit| !edit.is_stated);
        let mut nested = None;
        if let Some(within) = edit.and_then(|edit| edit.within) {
            nested = only(message, within.number);
            edit = edit.filter(|_| nested.is_some());
        }
        if edit.is_none() && items.is_none() {
            return None;
        }
        let left = left(message, items);
        Some(frame(message.len() + 64, |into| match edit {
            None => left.for_each(|field| into.extend_from_slice(field.bytes)),
            Some(edit) => match (edit.within, nested) {
                (Some(within), Some(nested)) => {
                    let mut message = Vec::with_capacity(nested.len() + 64);
                    set(&mut message, fields(nested).flatten(), edit);
                    for field in left {
                        match field.number == within.number {
                            true => write_bytes(into, within.number, &message),
                            false => into.extend_from_slice(field.bytes),
                        }
                    }
                }
                _ => set(into, left, edit),
            },
        }))
    }

    fn ended<'a>(reply: &Reply<'a>) -> Ended<'a> {
        match Status::of(reply) {
            None => Ended::Unclear,
            Some(Status { code: Code::Ok, .. }) => Ended::Succeeded(reply::answer(reply)),
            Some(Status { code, message }) => {
                let message = message.map_or(&b""[..], HeaderValue::as_bytes);
                Ended::Failed(code, Cow::Borrowed(message))
            }
        }
    }

    fn reply(message: &[u8]) -> Result<protobuf::Field<'_>, Unreadable> {
        Ok(protobuf::Field::of_message(message))
    }

    /// The body is a copy: a stored reply must not keep its receive buffer in memory.
    fn whole(content_type: HeaderValue, reply: &Reply<'_>, more: fn(&mut HeaderMap)) -> StoredResponse {
        let status = Status::of(reply);
        let message = status.and_then(|status| status.message).map(copied);
        let body = Bytes::copy_from_slice(reply.body);
        StoredResponse {
            trailers: Some(trailers(message, more)),
            ..StoredResponse::new(StatusCode::OK, content_type, body)
        }
    }

    fn merge(
        first: Option<(&Field, Put<'_>)>,
        results: &Field,
        answers: &[Option<&StoredResponse>],
        missing: &dyn Fn(usize) -> Bytes,
        more: fn(&mut HeaderMap),
    ) -> StoredResponse {
        let length: usize = answers.iter().flatten().map(|answer| answer.body.len() + 8).sum();
        let body = frame(length + 256, |into| {
            if let Some((field, value)) = first {
                put(into, field, value);
            }
            for (index, answer) in answers.iter().enumerate() {
                match answer {
                    Some(answer) => write_bytes(into, results.number, &answer.body),
                    None => write_bytes(into, results.number, &missing(index)),
                }
            }
        });
        reply::merged(answers, body, trailers(Some(HeaderValue::from_static("")), more))
    }

    fn spell(fields: &[(&Field, Put<'_>)]) -> Bytes {
        let mut message = Vec::new();
        fields
            .iter()
            .for_each(|(field, value)| put(&mut message, field, *value));
        message.into()
    }

    fn call_instead(
        parts: &mut Parts,
        operation: &Operation,
        _: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<Bytes> {
        let body = request(tenant, fields);
        instead::call_instead(parts, operation.grpc, &body)?;
        Some(body)
    }

    fn tenant<'u>(_: &str, _: &'u Uri) -> Cow<'u, [u8]> {
        Cow::Borrowed(&[])
    }

    fn call(
        operation: &Operation,
        _: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<(Parts, Bytes)> {
        Some((instead::parts_to(operation.grpc)?, request(tenant, fields)))
    }

    fn next(arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
        next_message(arrived, longest)
    }

    fn streamed(message: &[u8]) -> Result<Streamed<'_>, Unreadable> {
        Ok(Streamed::Message(message))
    }

    fn reject(why: &Rejection) -> Response<Bytes> {
        reject(why)
    }
}

/// The body of a request with these fields.
fn request(tenant: Option<(&Field, &str)>, fields: &[(&Field, Put<'_>)]) -> Bytes {
    frame(64 + tenant.map_or(0, |(_, tenant)| tenant.len()), |into| {
        if let Some((field, tenant)) = tenant {
            put(into, field, Put::Text(tenant));
        }
        fields.iter().for_each(|(field, value)| put(into, field, *value));
    })
}

fn trailers(grpc_message: Option<HeaderValue>, more: fn(&mut HeaderMap)) -> HeaderMap {
    let mut trailers = reply::trailers(grpc_message);
    more(&mut trailers);
    trailers
}

/// The fields of a message, with only these items of a bulk, ascending.
fn left<'a>(message: &'a [u8], items: Option<(&'a Field, &'a [usize])>) -> impl Iterator<Item = protobuf::Field<'a>> {
    let mut items = items.map(|(field, open)| (field.number, open.iter().copied().peekable()));
    let mut nth = 0;
    fields(message).flatten().filter(move |field| match &mut items {
        Some((number, open)) if field.number == *number => {
            nth += 1;
            open.next_if_eq(&(nth - 1)).is_some()
        }
        _ => true,
    })
}

/// Writes these fields with the edited one in its place, in the order of numbers.
fn set<'m>(into: &mut Vec<u8>, fields: impl Iterator<Item = protobuf::Field<'m>>, edit: &Edit<'_>) {
    let mut value = Some(edit.value);
    for field in fields {
        if field.number >= edit.field.number
            && let Some(value) = value.take()
        {
            put(into, edit.field, value);
        }
        if field.number != edit.field.number {
            into.extend_from_slice(field.bytes);
        }
    }
    if let Some(value) = value {
        put(into, edit.field, value);
    }
}

/// Writes a field. Nothing, an empty text and zero are left out, as proto3 leaves them out.
fn put(into: &mut impl BufMut, field: &Field, value: Put<'_>) {
    match value {
        value if value.is_unset() => {}
        Put::Nothing => {}
        Put::True => write_number(into, field.number, 1),
        Put::Number(number) | Put::Choice(number, _) => write_number(into, field.number, number),
        Put::Text(text) => write_bytes(into, field.number, text.as_bytes()),
        Put::Raw(bytes) => write_bytes(into, field.number, bytes),
        Put::List(values) => values.iter().for_each(|value| put(into, field, *value)),
        Put::Message(fields) => {
            let mut message = Vec::with_capacity(64);
            fields
                .iter()
                .for_each(|(field, value)| put(&mut message, field, *value));
            write_bytes(into, field.number, &message);
        }
    }
}

/// Every field is hashed as its bytes in the message, except a struct, which is hashed by its value.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct GrpcQuestion {
    base: FingerprintBuilder,
    fingerprint: FingerprintBuilder,
    /// Structs and parts, which may stand anywhere in the message.
    by_value: Members,
}

impl Question<Grpc> for GrpcQuestion {
    fn new(system: &str, route: Route, parts: &Parts, key: &Key<'_>) -> Result<Self, Unreadable> {
        let content_type = content_type(&parts.headers)
            .filter(is_proto)
            .ok_or(Unreadable("the content type is not that of Protocol Buffers over gRPC"))?;
        let mut fingerprint = key.base.clone().text(Part::System, system);
        key.base.note(Named::Endpoint, parts.uri.path(), b"");
        fingerprint.add_nth(Part::Method, route.0 as u16, b"");
        key.base.note(Named::Header, "content-type", content_type.as_bytes());
        fingerprint.add(Part::Header, content_type.as_bytes());
        Ok(Self {
            base: key.base.clone(),
            fingerprint,
            by_value: Members::default(),
        })
    }

    fn add(&mut self, member: &Member<'_>, value: &mut protobuf::Field<'_>) -> Result<(), Unreadable> {
        match member.field {
            Some((_, field)) if matches!(field.is, Is::Struct) => {
                // Its members are noted one by one, and an empty one has none.
                self.base.note(Named::Member, field.name, b"");
                let hashed = Values::new(&self.base).structure(value.bytes()?)?;
                self.add_by_value(Part::Context, field.number, &hashed);
            }
            known => {
                if self.base.is_traced() {
                    let number = format!("field {}", value.number);
                    let name = known.map_or(&*number, |(_, field)| field.name);
                    self.base.note(Named::Member, name, value.bytes);
                }
                self.fingerprint.add(Part::Body, value.bytes);
            }
        }
        Ok(())
    }

    fn part(&self) -> Self {
        Self {
            base: self.base.clone(),
            fingerprint: self.base.clone(),
            by_value: Members::default(),
        }
    }

    fn add_part(&mut self, member: &Member<'_>, part: &Self) {
        let number = member.field.map_or(0, |(_, field)| field.number);
        let hashed = part.finish().bits().to_le_bytes();
        self.add_by_value(Part::Schema, number, &hashed);
    }

    fn with_item(&self, item: Fingerprint) -> Fingerprint {
        let item = item.bits().to_le_bytes();
        self.whole().bytes(Part::Resource, &item).finish()
    }

    fn finish(&self) -> Fingerprint {
        self.whole().finish()
    }
}

impl GrpcQuestion {
    fn add_by_value(&mut self, part: Part, number: u32, hashed: &Hashed) {
        let mut member = self.base.clone();
        member.add_nth(part, number as u16, hashed);
        self.by_value.add(&member);
    }

    fn whole(&self) -> FingerprintBuilder {
        let mut whole = self.fingerprint.clone();
        if !self.by_value.is_empty() {
            self.by_value.feed(Part::Context, &mut whole);
        }
        whole
    }
}
