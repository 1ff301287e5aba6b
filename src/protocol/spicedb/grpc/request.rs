use http::HeaderName;
use http::request::Parts;

use crate::cache::{Fingerprint, Part};
use crate::protobuf::fields;
use crate::protocol::call::{Kind, Unreadable};
use crate::protocol::grpc::{Question, Values};
use crate::protocol::spicedb::grpc::consistency::{CONSISTENCY, Stated};

/// The most items of a bulk. SpiceDB rejects a bulk with more.
const MAX_ITEMS: usize = 10_000;

/// The field of a bulk with one item.
pub(super) const ITEM: u32 = 2;

/// The prefix of SpiceDB's own metadata. Nearly all of it asks for more than the answer.
const METADATA: &str = "io.spicedb.";

/// The keys in which writes must overlap. A check does not read them.
const OVERLAP: HeaderName = HeaderName::from_static("io.spicedb.requestoverlapkey");

/// Whether a check's headers ask for a reply with more than the answer.
pub(super) fn asks_for_more(parts: &Parts) -> bool {
    let mut names = parts.headers.keys();
    names.any(|name| name.as_str().starts_with(METADATA) && *name != OVERLAP)
}

/// Reads a `CheckPermissionRequest`.
pub(super) fn check<'m>(
    message: &'m [u8],
    mut question: Question,
    values: &Values,
) -> Result<(Kind, Stated<'m>), Unreadable> {
    const CONTEXT: u32 = 5;
    const WITH_TRACING: u32 = 6;
    let mut stated = Stated::default();
    let mut traced = false;
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONSISTENCY => stated.add(field.bytes()?)?,
            CONTEXT => question.add_context(values.structure(field.bytes()?)?)?,
            number => {
                traced |= number == WITH_TRACING && field.varint()? != 0;
                question.add(Part::Body, &field);
            }
        }
    }
    let kind = if traced {
        Kind::NEVER_STORED
    } else {
        Kind::Check(question.finish())
    };
    Ok((kind, stated))
}

/// Reads a `CheckBulkPermissionsRequest` or its experimental twin. Fields beside the items belong to each question.
pub(super) fn bulk<'m>(
    message: &'m [u8],
    mut shared: Question,
    values: &Values,
) -> Result<(Kind, Stated<'m>), Unreadable> {
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
                shared.add(Part::Body, &field);
            }
        }
    }
    if traced || count == 0 {
        return Ok((Kind::NEVER_STORED, stated));
    }
    if count > MAX_ITEMS {
        return Err(Unreadable("the bulk has more than 10000 items"));
    }
    let mut questions = Vec::with_capacity(count);
    for field in fields(message) {
        let field = field?;
        if field.number == ITEM {
            questions.push(item(field.bytes()?, shared.clone(), values)?);
        }
    }
    Ok((Kind::Bulk(questions), stated))
}

fn item(message: &[u8], mut question: Question, values: &Values) -> Result<Fingerprint, Unreadable> {
    const CONTEXT: u32 = 4;
    for field in fields(message) {
        let field = field?;
        match field.number {
            CONTEXT => question.add_context(values.structure(field.bytes()?)?)?,
            _ => question.add(Part::Body, &field),
        }
    }
    Ok(question.finish())
}

/// Reads the freshness that a request states whose reply is never stored.
pub(super) fn never_stored(
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
