use http::HeaderName;
use http::request::Parts as Head;

use super::super::super::digest::Hashed;
use super::super::super::grpc::{Values, content_type};
use super::super::super::{Key, Kind, Route, Unreadable};
use super::consistency::{CONSISTENCY, Stated};
use crate::cache::{Fingerprint, Part, Parts};
use crate::protobuf::{Field, fields};

/// SpiceDB refuses a bulk with more.
const MOST_ITEMS: usize = 10_000;

/// The field of a bulk with one item.
pub(super) const ITEM: u32 = 2;

/// What SpiceDB's own metadata begins with. Nearly all of it asks for more than the answer.
const METADATA: &str = "io.spicedb.";

/// Keys that writes must overlap in. A check does not look at them.
const OVERLAP: HeaderName = HeaderName::from_static("io.spicedb.requestoverlapkey");

/// A check whose reply holds more than the answer, or none.
pub(super) const NOT_KEPT: Kind = Kind::Read { stream: false };

/// What the fingerprint of every question of a call begins with.
pub(super) struct Prefix {
    parts: Parts,
    values: Values,
}

/// Whether a check's head asks for a reply with more in it than the answer.
pub(super) fn asks_for_more(head: &Head) -> bool {
    let mut names = head.headers.keys();
    names.any(|name| name.as_str().starts_with(METADATA) && *name != OVERLAP)
}

pub(super) fn prefix(route: Route, head: &Head, key: &Key<'_>) -> Result<Prefix, Unreadable> {
    let content_type = content_type(&head.headers).ok_or(Unreadable("the content type is not gRPC's"))?;
    let mut parts = key.base.clone().text(Part::System, "spicedb");
    parts.add_nth(Part::Method, route.0 as u16, b"");
    parts.add(Part::Header, content_type.as_bytes());
    let values = Values::new(&key.base);
    Ok(Prefix { parts, values })
}

/// A question in the making: every field of its message as it stands there, but for the context, which counts by value.
struct Question<'p> {
    parts: Parts,
    values: &'p Values,
    context: Option<Hashed>,
}

impl<'p> Question<'p> {
    fn new(prefix: &'p Prefix) -> Self {
        Self {
            parts: prefix.parts.clone(),
            values: &prefix.values,
            context: None,
        }
    }

    fn add(&mut self, field: &Field<'_>) {
        self.parts.add(Part::Body, field.bytes);
    }

    fn add_context(&mut self, message: &[u8]) -> Result<(), Unreadable> {
        match self.context.replace(self.values.structure(message)?) {
            None => Ok(()),
            Some(_) => Err(Unreadable("a context that is two")),
        }
    }

    fn finish(mut self) -> Fingerprint {
        if let Some(context) = self.context {
            self.parts.add(Part::Context, &context);
        }
        self.parts.finish()
    }
}

/// Reads a `CheckPermissionRequest`.
pub(super) fn check<'m>(message: &'m [u8], prefix: &Prefix) -> Result<(Kind, Stated<'m>), Unreadable> {
    const CONTEXT: u32 = 5;
    const WITH_TRACING: u32 = 6;
    let mut question = Question::new(prefix);
    let mut stated = Stated::default();
    let mut traced = false;
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONSISTENCY => stated.add(field.bytes()?)?,
            CONTEXT => question.add_context(field.bytes()?)?,
            number => {
                traced |= number == WITH_TRACING && field.varint()? != 0;
                question.add(&field);
            }
        }
    }
    let kind = if traced {
        NOT_KEPT
    } else {
        Kind::Check(question.finish())
    };
    Ok((kind, stated))
}

/// Reads a `CheckBulkPermissionsRequest` or its experimental twin. What stands beside the items belongs to each.
pub(super) fn bulk(message: &[u8], mut prefix: Prefix) -> Result<(Kind, Stated<'_>), Unreadable> {
    const WITH_TRACING: u32 = 3;
    let mut stated = Stated::default();
    let mut traced = false;
    let mut count = 0;
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONSISTENCY => stated.add(field.bytes()?)?,
            ITEM => count += 1,
            number => {
                traced |= number == WITH_TRACING && field.varint()? != 0;
                prefix.parts.add(Part::Body, field.bytes);
            }
        }
    }
    if traced || count == 0 {
        return Ok((NOT_KEPT, stated));
    }
    if count > MOST_ITEMS {
        return Err(Unreadable("more than 10000 items"));
    }
    let mut questions = Vec::with_capacity(count);
    for field in fields(message) {
        let field = field?;
        if field.number == ITEM {
            questions.push(item(field.bytes()?, &prefix)?);
        }
    }
    Ok((Kind::Bulk(questions), stated))
}

fn item(message: &[u8], prefix: &Prefix) -> Result<Fingerprint, Unreadable> {
    const CONTEXT: u32 = 4;
    let mut question = Question::new(prefix);
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONTEXT => question.add_context(field.bytes()?)?,
            _ => question.add(&field),
        }
    }
    Ok(question.finish())
}

/// Reads what a request that is never kept says of freshness.
pub(super) fn unkept(
    message: &[u8],
    pages: Option<(u32, u32)>,
    stream: bool,
) -> Result<(Kind, Stated<'_>), Unreadable> {
    let mut stated = Stated::default();
    let mut kind = Kind::Read { stream };
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONSISTENCY => stated.add(field.bytes()?)?,
            number if pages.is_some_and(|(limit, cursor)| [limit, cursor].contains(&number)) => {
                kind = Kind::Page;
            }
            _ => {}
        }
    }
    Ok((kind, stated))
}
