use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::json::{Json, NotJson};

/// Hashes JSON by its value: whitespace, escapes and the order of members make no difference, everything else does.
pub(super) struct Digest {
    base: FingerprintBuilder,
    numbers: Numbers,
}

/// When two numbers are equal.
enum Numbers {
    /// If they have the same text, because no number type can hold all numbers that JSON can spell.
    AsText,
    /// If they are the same double.
    AsDoubles,
}

/// One value's hash.
pub(super) type Hashed = [u8; 16];

/// The kind of one piece of a value. It is hashed with the piece, so pieces of different kinds never collide.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(super) enum Piece {
    /// The name of the member whose value follows.
    Name,
    /// The members of an object: their count and the sum of their hashes.
    Object,
    /// The start of an array.
    Array,
    /// The end of an array.
    ArrayEnd,
    Text,
    /// A double, by its bits.
    Double,
    /// A constant or a number of JSON, by its text.
    Word,
    /// A `null` of Protocol Buffers, by its number.
    Null,
    /// A `bool` of Protocol Buffers, by its number.
    Bool,
    /// A value of Protocol Buffers that is not set.
    Unset,
}

impl Piece {
    pub(super) fn add(self, fingerprint: &mut FingerprintBuilder, bytes: &[u8]) {
        fingerprint.add_nth(Part::Body, self as u16, bytes);
    }
}

impl Digest {
    /// Hashes under the key of `base`.
    pub(super) fn new(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone(),
            numbers: Numbers::AsText,
        }
    }

    /// Reads numbers as doubles, as Protocol Buffers do with JSON that has no schema. A number out of their range is an
    /// error.
    pub(super) fn of_doubles(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone(),
            numbers: Numbers::AsDoubles,
        }
    }

    /// Reads a value.
    pub(super) fn value(&self, json: &mut Json<'_>) -> Result<Hashed, NotJson> {
        let mut fingerprint = self.base.clone();
        self.feed(json, &mut fingerprint)?;
        Ok(fingerprint.finish().bits().to_le_bytes())
    }

    /// Reads an object.
    pub(super) fn object(&self, json: &mut Json<'_>) -> Result<Members, NotJson> {
        let mut members = Members::default();
        json.object(|json, name| self.member(json, name, &mut members))?;
        Ok(members)
    }

    /// Reads the value of the member `name`.
    pub(super) fn member(&self, json: &mut Json<'_>, name: &str, members: &mut Members) -> Result<(), NotJson> {
        let mut fingerprint = self.base.clone();
        Piece::Name.add(&mut fingerprint, name.as_bytes());
        self.feed(json, &mut fingerprint)?;
        members.add(&fingerprint);
        Ok(())
    }

    fn feed(&self, json: &mut Json<'_>, fingerprint: &mut FingerprintBuilder) -> Result<(), NotJson> {
        match json.peek() {
            Some(b'{') => self.object(json)?.feed(Part::Body, fingerprint),
            Some(b'[') => {
                Piece::Array.add(fingerprint, b"");
                json.array(|json| self.feed(json, fingerprint))?;
                Piece::ArrayEnd.add(fingerprint, b"");
            }
            Some(b'"') => Piece::Text.add(fingerprint, json.string()?.as_bytes()),
            _ => self.feed_scalar(json.scalar()?, fingerprint)?,
        }
        Ok(())
    }

    fn feed_scalar(&self, text: &str, fingerprint: &mut FingerprintBuilder) -> Result<(), NotJson> {
        if matches!(self.numbers, Numbers::AsText) || matches!(text, "true" | "false" | "null") {
            Piece::Word.add(fingerprint, text.as_bytes());
            return Ok(());
        }
        let number: f64 = text.parse().map_err(|_| NotJson)?;
        if !number.is_finite() {
            return Err(NotJson);
        }
        Piece::Double.add(fingerprint, &number.to_bits().to_le_bytes());
        Ok(())
    }
}

/// The members of an object, in any order.
///
/// They are the sum of the members' keyed hashes. An attacker who does not know the key can't choose different members
/// with an equal sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    count: u64,
    sum: u128,
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn add(&mut self, member: &FingerprintBuilder) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(member.finish().bits());
    }

    pub(super) fn feed(&self, part: Part, fingerprint: &mut FingerprintBuilder) {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sum.to_le_bytes());
        fingerprint.add_nth(part, Piece::Object as u16, &bytes);
    }
}
