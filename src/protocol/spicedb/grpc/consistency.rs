use crate::consistency::Consistency;
use crate::protobuf::{fields, write_bytes, write_number};
use crate::protocol::call::Unreadable;
use crate::protocol::spicedb::wish::Wish;
use crate::token::Zookie;

/// The field of every request that states consistency.
pub(super) const CONSISTENCY: u32 = 1;

const MINIMIZE_LATENCY: u32 = 1;
const AT_LEAST_AS_FRESH: u32 = 2;
const AT_EXACT_SNAPSHOT: u32 = 3;
const FULLY_CONSISTENT: u32 = 4;

/// The field of a `ZedToken` with its text.
const TOKEN: u32 = 1;

/// What a message says of how fresh its answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated<'a> {
    pub(super) wish: Option<Consistency>,
    pub(super) token: Option<&'a [u8]>,
}

impl<'a> Stated<'a> {
    /// What goes without saying where the head is read in any case.
    pub(super) const AT_HEAD: Self = Self {
        wish: Some(Consistency::FullyConsistent),
        token: None,
    };

    /// Reads a field `consistency`. SpiceDB rejects an empty one, and one whose `bool` is false.
    pub(super) fn add(&mut self, message: &'a [u8]) -> Result<(), Unreadable> {
        if self.wish.is_some() {
            return Err(Unreadable("a consistency that is two"));
        }
        let mut fields = fields(message);
        let (Some(field), None) = (fields.next().transpose()?, fields.next()) else {
            return Err(Unreadable("not exactly one consistency"));
        };
        let wish = match field.number {
            MINIMIZE_LATENCY if field.varint()? == 1 => Consistency::MinimizeLatency,
            FULLY_CONSISTENT if field.varint()? == 1 => Consistency::FullyConsistent,
            AT_LEAST_AS_FRESH => Consistency::AtLeastAsFresh,
            AT_EXACT_SNAPSHOT => Consistency::AtExactSnapshot,
            _ => return Err(Unreadable("an unknown consistency")),
        };
        if matches!(wish, Consistency::AtLeastAsFresh | Consistency::AtExactSnapshot) {
            let token = token(field.bytes()?).ok_or(Unreadable("a consistency without exactly one token"))?;
            self.token = Some(token);
        }
        self.wish = Some(wish);
        Ok(())
    }
}

/// The text of a `ZedToken`, if it has exactly that.
pub(super) fn token(message: &[u8]) -> Option<&[u8]> {
    let mut fields = fields(message);
    match (fields.next()?.ok()?, fields.next()) {
        (field, None) if field.number == TOKEN => field.bytes().ok().filter(|token| !token.is_empty()),
        _ => None,
    }
}

/// Writes a `ZedToken` into the field of that number.
pub(super) fn write_token(into: &mut Vec<u8>, field: u32, zookie: &Zookie) {
    let mut token = Vec::with_capacity(zookie.as_str().len() + 4);
    write_bytes(&mut token, TOKEN, zookie.as_str().as_bytes());
    write_bytes(into, field, &token);
}

/// About how many bytes the field `consistency` takes.
pub(super) fn len(wish: &Wish<'_>) -> usize {
    wish.zookie.map_or(0, |zookie| zookie.as_str().len()) + 24
}

/// Writes a wish as the field `consistency`.
pub(super) fn write(into: &mut Vec<u8>, wish: &Wish<'_>) {
    let mut message = Vec::with_capacity(len(wish));
    match (wish.consistency, wish.zookie) {
        (Consistency::AtLeastAsFresh, Some(zookie)) => write_token(&mut message, AT_LEAST_AS_FRESH, zookie),
        (Consistency::AtExactSnapshot, Some(zookie)) => write_token(&mut message, AT_EXACT_SNAPSHOT, zookie),
        (Consistency::MinimizeLatency, _) => write_number(&mut message, MINIMIZE_LATENCY, 1),
        _ => write_number(&mut message, FULLY_CONSISTENT, 1),
    }
    write_bytes(into, CONSISTENCY, &message);
}
