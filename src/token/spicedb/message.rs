//! The message of a ZedToken, the same for all engines: SpiceDB's `DecodedZedToken`.

use std::borrow::Cow;

use crate::protobuf::{Field, NotProtobuf, fields, write_bytes};

const LEGACY: u32 = 2;
const CURRENT: u32 = 3;
const REVISION: u32 = 1;
const PREFIX: u32 = 2;
const SCHEMA_HASH: u32 = 3;

/// The revision as its engine spells it, and its datastore.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) revision: Cow<'a, str>,
    /// The first bytes of the datastore's id; empty in tokens of old SpiceDB versions.
    pub(super) prefix: &'a str,
    /// The token names the schema by which SpiceDB evaluates the answer.
    pub(super) names_schema: bool,
}

pub(super) fn read(token: &[u8]) -> Result<Message<'_>, NotProtobuf> {
    let mut message = None;
    for field in fields(token) {
        let field = field?;
        match field.number {
            LEGACY => set(&mut message, read_legacy(field.bytes()?)?)?,
            CURRENT => set(&mut message, read_current(field.bytes()?)?)?,
            _ => {}
        }
    }
    message.ok_or(NotProtobuf)
}

fn read_legacy(zookie: &[u8]) -> Result<Message<'_>, NotProtobuf> {
    let revision = only(zookie, REVISION, Field::varint)?.unwrap_or_default();
    Ok(Message {
        revision: revision.to_string().into(),
        prefix: "",
        names_schema: false,
    })
}

fn read_current(token: &[u8]) -> Result<Message<'_>, NotProtobuf> {
    Ok(Message {
        revision: only(token, REVISION, Field::text)?.unwrap_or_default().into(),
        prefix: only(token, PREFIX, Field::text)?.unwrap_or_default(),
        names_schema: only(token, SCHEMA_HASH, Field::bytes)?.is_some_and(|hash| !hash.is_empty()),
    })
}

/// The value of the field `number`, if the message has it.
pub(super) fn only<'a, T>(
    message: &'a [u8],
    number: u32,
    read: impl Fn(&Field<'a>) -> Result<T, NotProtobuf>,
) -> Result<Option<T>, NotProtobuf> {
    let mut value = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            set(&mut value, read(&field)?)?;
        }
    }
    Ok(value)
}

/// Sets a field that must not repeat. SpiceDB never repeats a field, and two readers could read a repeated one
/// differently.
fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), NotProtobuf> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(NotProtobuf),
    }
}

pub(super) fn write(revision: &str, prefix: &str) -> Vec<u8> {
    let mut token = Vec::with_capacity(revision.len() + prefix.len() + 8);
    for (number, text) in [(REVISION, revision), (PREFIX, prefix)] {
        if !text.is_empty() {
            write_bytes(&mut token, number, text.as_bytes());
        }
    }
    let mut message = Vec::with_capacity(token.len() + 4);
    write_bytes(&mut message, CURRENT, &token);
    message
}
