mod instead;
mod parts;
mod path;
mod reader;
mod reply;
mod status;
mod stream;
mod timeout;
mod timestamp;

use std::borrow::Cow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};

use self::status::Error;
use crate::cache::{Fingerprint, FingerprintBuilder, Named, Part};
use crate::protocol::call::{Key, Route, Unreadable};
use crate::protocol::feed::FeedWire;
use crate::protocol::kit::json::digest::{Digest, Members, Piece};
use crate::protocol::kit::json::{Json, Rewrite};
use crate::protocol::kit::path::is_plain;
use crate::protocol::operation::{Field, Is, Operation};
use crate::protocol::problem::Rejection;
use crate::protocol::reply::Reply;
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::wire::{Edit, Ended, Member, Put, Question, Reader, Streamed, Wire};

/// Proto3 JSON through a grpc-gateway.
///
/// A gateway reads the path, the first JSON value of the body whatever its content type is, and all headers with the
/// prefix `Grpc-Metadata-` as metadata. It ignores the query. It rejects a message that repeats a field, in either
/// spelling.
#[derive(Debug)]
pub(in crate::protocol) struct Gateway;

impl Wire for Gateway {
    const ECHOES: bool = true;
    const FEED: FeedWire = FeedWire::Http;

    type Reader<'m> = Json<'m>;
    type Question = JsonQuestion;

    fn called(operations: &[Operation], base: &str, method: &Method, uri: &Uri, _: &HeaderMap) -> Option<usize> {
        let path = unescaped(base, uri.path())?;
        let rest = after(base, &path)?;
        operations
            .iter()
            .position(|Operation { http, .. }| http.1.as_bytes() == rest && http.0 == *method)
    }

    fn endpoint(operation: &Operation, base: &str) -> (Method, String) {
        let (method, path) = &operation.http;
        (method.clone(), format!("{base}{path}"))
    }

    fn check_headers(headers: &HeaderMap) -> Result<(), Unreadable> {
        parts::json_parameters(headers).map(drop)
    }

    fn request(body: &[u8]) -> Result<Json<'_>, Unreadable> {
        Ok(Json::new(body)?)
    }

    fn metadata(headers: &HeaderMap) -> impl Iterator<Item = &str> {
        parts::metadata(headers).map(|(_, name)| name)
    }

    fn timeout(headers: &HeaderMap) -> Option<Duration> {
        timeout::timeout(headers)
    }

    fn rewrite(body: &Bytes, edit: Option<&Edit<'_>>, items: Option<(&'static Field, &[usize])>) -> Option<Bytes> {
        // Only another name of the field would be replaced.
        let edit = edit.filter(|edit| !edit.is_stated || edit.field.name != edit.field.alias);
        if edit.is_none() && items.is_none() {
            return None;
        }
        let mut rewrite = Rewrite::of(body).ok()?;
        let is_edited = match edit {
            None => false,
            Some(edit) => match edit.within.and_then(|within| name_in(&rewrite, within)) {
                None => edit.within.is_none() && set(&mut rewrite, edit),
                Some(name) => {
                    let mut inner = Rewrite::of(rewrite.value(name)?).ok()?;
                    let is_edited = set(&mut inner, edit);
                    if is_edited {
                        rewrite.set(name, String::from_utf8(inner.finish().into()).ok()?);
                    }
                    is_edited
                }
            },
        };
        if let Some((field, open)) = items {
            rewrite.keep_elements(name_in(&rewrite, field)?, open).ok()?;
        }
        (is_edited || items.is_some()).then(|| rewrite.finish())
    }

    fn ended<'a>(reply: &Reply<'a>) -> Ended<'a> {
        if reply.status == StatusCode::OK {
            return Ended::Succeeded(reply::answer(reply));
        }
        match Error::of(reply) {
            Some(Error { code, message }) => Ended::Failed(code, message.into_bytes().into()),
            None => Ended::Unclear,
        }
    }

    fn reply(message: &[u8]) -> Result<Json<'_>, Unreadable> {
        Ok(Json::new(message)?)
    }

    /// The body is a copy: a stored reply must not keep its receive buffer in memory.
    fn whole(content_type: HeaderValue, reply: &Reply<'_>, _: fn(&mut HeaderMap)) -> StoredResponse {
        StoredResponse::new(StatusCode::OK, content_type, Bytes::copy_from_slice(reply.body))
    }

    fn merge(
        first: Option<(&Field, Put<'_>)>,
        results: &Field,
        answers: &[Option<&StoredResponse>],
        missing: &dyn Fn(usize) -> Bytes,
        _: fn(&mut HeaderMap),
    ) -> StoredResponse {
        reply::merge(answers, missing, |comma| {
            let mut before = String::from("{");
            if let Some((field, value)) = first {
                put_member(&mut before, field, value);
                before.push_str(comma);
            }
            before.push('"');
            before.push_str(results.name);
            before.push_str("\":");
            before
        })
    }

    fn spell(fields: &[(&Field, Put<'_>)]) -> Bytes {
        let mut message = String::new();
        put(&mut message, Put::Message(fields));
        message.into()
    }

    fn call_instead(
        parts: &mut Parts,
        operation: &Operation,
        base: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<Bytes> {
        let (method, path) = &operation.http;
        let base = match base.split_once('{') {
            None => base.to_owned(),
            Some((before, _)) => format!(
                "{before}{}",
                tenant
                    .map(|(_, tenant)| tenant)
                    .filter(|tenant| is_plain(tenant) && !tenant.contains('/'))?
            ),
        };
        let path = PathAndQuery::try_from(base + path).ok()?;
        let body = Self::spell(fields);
        instead::call_instead(parts, method, path, &body)?;
        Some(body)
    }

    fn tenant<'u>(base: &str, uri: &'u Uri) -> Cow<'u, [u8]> {
        let Some((before, _)) = base.split_once('{') else {
            return Cow::Borrowed(&[]);
        };
        let path: Vec<u8> = path::unescaped(uri.path()).collect();
        let segments = before.matches('/').count();
        let tenant = path.split(|byte| *byte == b'/').nth(segments);
        tenant.unwrap_or_default().to_vec().into()
    }

    fn call(
        operation: &Operation,
        base: &str,
        tenant: Option<(&Field, &str)>,
        fields: &[(&Field, Put<'_>)],
    ) -> Option<(Parts, Bytes)> {
        let (mut parts, ()) = Request::new(()).into_parts();
        let body = Self::call_instead(&mut parts, operation, base, tenant, fields)?;
        Some((parts, body))
    }

    fn next(arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
        stream::next(arrived, longest)
    }

    fn streamed(message: &[u8]) -> Result<Streamed<'_>, Unreadable> {
        stream::streamed(message)
    }

    fn reject(why: &Rejection) -> Response<Bytes> {
        status::reject(why)
    }
}

/// The path as the gateway reads it. It copies only paths with escapes that begin as those of this API. A path without
/// its beginning is `None`.
fn unescaped<'p>(base: &str, path: &'p str) -> Option<Cow<'p, [u8]>> {
    let begins = base.split('{').next().unwrap_or_default();
    if !path.contains('%') {
        return path.starts_with(begins).then(|| path.as_bytes().into());
    }
    let read = path::unescaped(path).take(begins.len());
    read.eq(begins.bytes()).then(|| path::unescaped(path).collect())
}

/// The path after the base path, whose last segment may be a capture: any one segment.
fn after<'p>(base: &str, path: &'p [u8]) -> Option<&'p [u8]> {
    let Some((before, _)) = base.split_once('{') else {
        return path.strip_prefix(base.as_bytes());
    };
    let path = path.strip_prefix(before.as_bytes())?;
    let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
    (end > 0).then(|| &path[end..])
}

/// The name by which an object has a field.
fn name_in(object: &Rewrite<'_>, field: &'static Field) -> Option<&'static str> {
    [field.name, field.alias]
        .into_iter()
        .find(|name| object.value(name).is_some_and(|value| value != b"null"))
}

/// Makes an edit in an object, and says whether it changes anything. Not every build of a server reads a field's other
/// name, so it is replaced even if the value is already the right one.
fn set(object: &mut Rewrite<'_>, edit: &Edit<'_>) -> bool {
    let Field { name, alias, .. } = edit.field;
    let has_alias = name != alias && object.value(alias).is_some();
    if edit.is_stated && (!has_alias || edit.value.is_unset()) {
        return false;
    }
    let mut value = String::new();
    put(&mut value, edit.value);
    if has_alias {
        object.rename(alias, name);
    }
    object.set(name, value);
    true
}

/// Writes a value.
fn put(into: &mut String, value: Put<'_>) {
    match value {
        Put::Nothing => into.push_str("null"),
        Put::True => into.push_str("true"),
        Put::Number(number) => into.push_str(&number.to_string()),
        Put::Choice(_, text) | Put::Text(text) => {
            into.push('"');
            into.push_str(text);
            into.push('"');
        }
        Put::Raw(text) => into.push_str(std::str::from_utf8(text).unwrap_or("null")),
        Put::List(values) => {
            into.push('[');
            for (nth, value) in values.iter().enumerate() {
                into.push_str(if nth > 0 { "," } else { "" });
                put(into, *value);
            }
            into.push(']');
        }
        Put::Message(fields) => {
            into.push('{');
            for (nth, (field, value)) in fields.iter().enumerate() {
                into.push_str(if nth > 0 { "," } else { "" });
                put_member(into, field, *value);
            }
            into.push('}');
        }
    }
}

fn put_member(into: &mut String, field: &Field, value: Put<'_>) {
    into.push('"');
    into.push_str(field.name);
    into.push_str("\":");
    put(into, value);
}

/// The members of a question are hashed in any order, and those that the table has by the field that they are.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct JsonQuestion {
    base: FingerprintBuilder,
    prefix: FingerprintBuilder,
    members: Members,
}

impl Question<Gateway> for JsonQuestion {
    fn new(system: &str, _: Route, parts: &Parts, key: &Key<'_>) -> Result<Self, Unreadable> {
        let system = key.base.clone().text(Part::System, system);
        Ok(Self {
            base: key.base.clone(),
            prefix: parts::prefix(system, parts, key)?,
            members: Members::default(),
        })
    }

    fn add(&mut self, member: &Member<'_>, json: &mut Json<'_>) -> Result<(), Unreadable> {
        let Some((_, field)) = member.field else {
            return Ok(Digest::new(&self.base).member(json, member.name, &mut self.members)?);
        };
        let mut hashed = self.named(field.name);
        match field.is {
            Is::Text => {
                let text = json.string()?;
                if text.is_empty() {
                    return Ok(());
                }
                Piece::Text.add(&mut hashed, text.as_bytes());
            }
            Is::Message(fields) => {
                let mut part = self.part();
                json.message(fields, |member, json| part.add(member, json))?;
                part.members.feed(Part::Body, &mut hashed);
            }
            Is::Struct => {
                if json.peek() != Some(b'{') {
                    return Err(Unreadable("the context is not an object"));
                }
                // Its members are noted one by one, and an empty one has none.
                self.base.note(Named::Member, field.name, b"");
                let mut context = self.base.clone();
                Digest::of_doubles(&self.base)
                    .context(json)?
                    .feed(Part::Body, &mut context);
                hashed.add(Part::Context, &context.finish().bits().to_le_bytes());
            }
            _ => return Ok(Digest::new(&self.base).member(json, member.name, &mut self.members)?),
        }
        if !matches!(field.is, Is::Struct) {
            self.base.note_hashed(Named::Member, field.name, &hashed);
        }
        self.members.add(&hashed);
        Ok(())
    }

    fn part(&self) -> Self {
        Self {
            base: self.base.clone(),
            prefix: self.base.clone(),
            members: Members::default(),
        }
    }

    fn add_part(&mut self, member: &Member<'_>, part: &Self) {
        let name = member.field.map_or(member.name, |(_, field)| field.name);
        let mut hashed = self.named(name);
        part.members.feed(Part::Body, &mut hashed);
        self.members.add(&hashed);
    }

    fn with_item(&self, item: Fingerprint) -> Fingerprint {
        let mut fingerprint = self.prefix.clone();
        self.members.feed(Part::Body, &mut fingerprint);
        fingerprint.bytes(Part::Resource, &item.bits().to_le_bytes()).finish()
    }

    fn finish(&self) -> Fingerprint {
        let mut fingerprint = self.prefix.clone();
        self.members.feed(Part::Body, &mut fingerprint);
        fingerprint.finish()
    }
}

impl JsonQuestion {
    /// The start of a member's hash.
    fn named(&self, name: &str) -> FingerprintBuilder {
        let mut hashed = self.base.clone();
        Piece::Name.add(&mut hashed, name.as_bytes());
        hashed
    }
}
