use super::super::super::{Call, Unreadable};
use crate::cache::Ask;
use crate::consistency::Consistency;
use crate::protobuf::{fields, write_bytes, write_number};
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

    /// Reads a field `consistency`. SpiceDB refuses an empty one, and one whose `bool` is false.
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

/// What is to be said, in the words of the API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish<'a> {
    wish: Consistency,
    zookie: Option<&'a Zookie>,
}

impl<'a> Wish<'a> {
    /// The wish to ask at `at`, which `zookie` spells where it names a revision. Only a head is sure to cover a revision
    /// that no token spells.
    pub(super) fn of(at: &Ask, zookie: Option<&'a Zookie>) -> Self {
        let wish = match (at, zookie) {
            (Ask::Unasked, _) => Consistency::MinimizeLatency,
            (Ask::AtLeast(_) | Ask::AsItCame(_), Some(_)) => Consistency::AtLeastAsFresh,
            (Ask::Exact(_), Some(_)) => Consistency::AtExactSnapshot,
            (Ask::Full, _) | (_, None) => Consistency::FullyConsistent,
        };
        let named = matches!(wish, Consistency::AtLeastAsFresh | Consistency::AtExactSnapshot);
        Self {
            wish,
            zookie: zookie.filter(|_| named),
        }
    }

    /// Whether a call's message says just that. Without a consistency SpiceDB minimizes latency.
    pub(super) fn is_stated_by(&self, call: &Call) -> bool {
        call.consistency.unwrap_or(Consistency::MinimizeLatency) == self.wish
            && call.token.as_deref() == self.zookie.map(|zookie| zookie.as_str().as_bytes())
    }

    /// About how many bytes it takes.
    pub(super) fn len(&self) -> usize {
        self.zookie.map_or(0, |zookie| zookie.as_str().len()) + 24
    }

    /// Writes the field `consistency`.
    pub(super) fn write(&self, into: &mut Vec<u8>) {
        let mut wish = Vec::with_capacity(self.len());
        match (self.wish, self.zookie) {
            (Consistency::AtLeastAsFresh, Some(zookie)) => write_token(&mut wish, AT_LEAST_AS_FRESH, zookie),
            (Consistency::AtExactSnapshot, Some(zookie)) => write_token(&mut wish, AT_EXACT_SNAPSHOT, zookie),
            (Consistency::MinimizeLatency, _) => write_number(&mut wish, MINIMIZE_LATENCY, 1),
            _ => write_number(&mut wish, FULLY_CONSISTENT, 1),
        }
        write_bytes(into, CONSISTENCY, &wish);
    }
}
