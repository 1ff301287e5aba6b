//! What a request's questions ask, by names.

use http::request::Parts;

use crate::changes::{Object, Question, Subject};
use crate::protocol::call::{Kind, Received};
use crate::protocol::operation::{Field, Operation};
use crate::protocol::system::System;
use crate::protocol::system::learn::items;
use crate::protocol::system::objects::tenant_of;
use crate::protocol::system::tuple::Tuple;
use crate::protocol::wire::Wire;

/// Where a question stands: the fields of its resource, its permission and its subject, in this order.
pub(in crate::protocol) struct Asks {
    /// In a check.
    pub(in crate::protocol) check: &'static [Field; 3],
    /// In an item of a bulk.
    pub(in crate::protocol) item: &'static [Field; 3],
    /// The paths of the subject's type, id and relation: see [`Tuple`].
    pub(in crate::protocol) subject: [u64; 3],
}

/// The paths of the resource's type and id, and of the permission.
const RESOURCE: [u64; 2] = [0x01_01, 0x01_02];
const PERMISSION: u64 = 0x02;

/// Calls `each` with the questions of a request, in their order.
pub(super) fn questions<S: System, W: Wire>(
    operation: &Operation,
    received: Received<'_>,
    parts: &Parts,
    each: &mut dyn FnMut(Option<Question>),
) {
    let tenant = tenant_of::<W>(operation, S::BASE, parts, received.message);
    let tenant = tenant.and_then(|tenant| text(&tenant).map(Box::<str>::from));
    let mut one = |reader: &mut W::Reader<'_>, fields| {
        let asked = Tuple::of(reader, fields).ok().and_then(|tuple| question::<S>(&tuple));
        each(asked.zip(tenant.clone()).map(|(asked, tenant)| asked.in_tenant(tenant)));
    };
    match &received.call.kind {
        Kind::Check(_) => match W::request(received.message) {
            Ok(mut reader) => one(&mut reader, S::ASKS.check),
            Err(_) => each(None),
        },
        Kind::Bulk(_) => {
            for mut item in items::<W>(operation, received.message).unwrap_or_default() {
                one(&mut item, S::ASKS.item);
            }
        }
        Kind::Write { .. } | Kind::Read { .. } | Kind::Page => {}
    }
}

fn question<S: System>(tuple: &Tuple<'_>) -> Option<Question> {
    let named = |path| text(tuple.text(path)?);
    let [kind, id] = RESOURCE;
    let [subject_kind, subject_id, subject_relation] = S::ASKS.subject;
    let subject = Object::new(named(subject_kind)?, named(subject_id)?);
    // "..." is SpiceDB's name for the object itself.
    let subject = match tuple.text(subject_relation) {
        None | Some(b"...") => Subject::of(subject),
        Some(relation) => Subject::userset(subject, text(relation)?),
    };
    Some(Question::new(
        Object::new(named(kind)?, named(id)?),
        named(PERMISSION)?,
        subject,
    ))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
