use crate::consistency::Consistency;
use crate::protobuf::{fields, write_bytes, write_number};
use crate::protocol::call::Unreadable;
use crate::protocol::spicedb::consistency::MessageConsistency;
use crate::token::Zookie;

/// The field of every request that states its consistency.
pub(super) const CONSISTENCY: u32 = 1;

const MINIMIZE_LATENCY: u32 = 1;
const AT_LEAST_AS_FRESH: u32 = 2;
const AT_EXACT_SNAPSHOT: u32 = 3;
const FULLY_CONSISTENT: u32 = 4;

/// The field of a `ZedToken` that has its text.
const TOKEN: u32 = 1;

/// The freshness that a message states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated<'a> {
    pub(super) consistency: Option<Consistency>,
    pub(super) token: Option<&'a [u8]>,
}

impl<'a> Stated<'a> {
    /// The freshness of a method that always reads at head.
    pub(super) const AT_HEAD: Self = Self {
        consistency: Some(Consistency::FullyConsistent),
        token: None,
    };

    /// Reads a field `consistency`. SpiceDB rejects an empty one, and one whose `bool` is false.
    pub(super) fn add(&mut self, message: &'a [u8]) -> Result<(), Unreadable> {
        if self.consistency.is_some() {
            return Err(Unreadable("the message repeats its consistency"));
        }
        let mut fields = fields(message);
        let (Some(field), None) = (fields.next().transpose()?, fields.next()) else {
            return Err(Unreadable("the consistency does not have exactly one field"));
        };
        let consistency = match field.number {
            MINIMIZE_LATENCY if field.varint()? == 1 => Consistency::MinimizeLatency,
            FULLY_CONSISTENT if field.varint()? == 1 => Consistency::FullyConsistent,
            AT_LEAST_AS_FRESH => Consistency::AtLeastAsFresh,
            AT_EXACT_SNAPSHOT => Consistency::AtExactSnapshot,
            _ => return Err(Unreadable("the consistency is unknown")),
        };
        if matches!(consistency, Consistency::AtLeastAsFresh | Consistency::AtExactSnapshot) {
            let token = token(field.bytes()?).ok_or(Unreadable("the consistency does not have exactly one token"))?;
            self.token = Some(token);
        }
        self.consistency = Some(consistency);
        Ok(())
    }
}

/// The text of a `ZedToken`, if it has nothing else.
pub(super) fn token(message: &[u8]) -> Option<&[u8]> {
    let mut fields = fields(message);
    match (fields.next()?.ok()?, fields.next()) {
        (field, None) if field.number == TOKEN => field.bytes().ok().filter(|token| !token.is_empty()),
        _ => None,
    }
}

/// Writes a `ZedToken` into the field with this number.
pub(super) fn write_token(into: &mut Vec<u8>, field: u32, zookie: &Zookie) {
    let mut token = Vec::with_capacity(zookie.as_str().len() + 4);
    write_bytes(&mut token, TOKEN, zookie.as_str().as_bytes());
    write_bytes(into, field, &token);
}

/// About how many bytes the field `consistency` takes.
pub(super) fn len(stated: &MessageConsistency<'_>) -> usize {
    stated.zookie.map_or(0, |zookie| zookie.as_str().len()) + 24
}

/// Writes the field `consistency`.
pub(super) fn write(into: &mut Vec<u8>, stated: &MessageConsistency<'_>) {
    let mut message = Vec::with_capacity(len(stated));
    match (stated.consistency, stated.zookie) {
        (Consistency::AtLeastAsFresh, Some(zookie)) => write_token(&mut message, AT_LEAST_AS_FRESH, zookie),
        (Consistency::AtExactSnapshot, Some(zookie)) => write_token(&mut message, AT_EXACT_SNAPSHOT, zookie),
        (Consistency::MinimizeLatency, _) => write_number(&mut message, MINIMIZE_LATENCY, 1),
        _ => write_number(&mut message, FULLY_CONSISTENT, 1),
    }
    write_bytes(into, CONSISTENCY, &message);
}
