use super::json::{Json, NotJson};
use crate::cache::{Part, Parts};

/// Hashes JSON by value: whitespace, escapes and the order of members don't matter, everything else does.
pub(super) struct Digest {
    base: Parts,
    numbers: Numbers,
}

/// When two numbers are the same.
enum Numbers {
    /// When they are spelled alike, because no number type holds all that JSON can say.
    AsText,
    /// When they are the same double.
    AsDoubles,
}

/// One value's hash.
pub(super) type Hashed = [u8; 16];

impl Digest {
    /// Hashes under the key of `base`.
    pub(super) fn new(base: &Parts) -> Self {
        Self {
            base: base.clone().text(Part::System, "json"),
            numbers: Numbers::AsText,
        }
    }

    /// Takes numbers for doubles, as Protocol Buffers do with JSON that has no schema. What is out of their range can't be
    /// read.
    pub(super) fn of_doubles(base: &Parts) -> Self {
        Self {
            base: base.clone().text(Part::System, "json of doubles"),
            numbers: Numbers::AsDoubles,
        }
    }

    /// Reads a value.
    pub(super) fn value(&self, json: &mut Json<'_>) -> Result<Hashed, NotJson> {
        let mut parts = self.base.clone();
        self.feed(json, &mut parts)?;
        Ok(parts.finish().bits().to_le_bytes())
    }

    /// Reads the value of the member `name`.
    pub(super) fn member(&self, json: &mut Json<'_>, name: &str, members: &mut Members) -> Result<(), NotJson> {
        let mut parts = self.base.clone();
        parts.add(Part::Body, b":");
        parts.add(Part::Body, name.as_bytes());
        self.feed(json, &mut parts)?;
        members.add(&parts);
        Ok(())
    }

    fn feed(&self, json: &mut Json<'_>, parts: &mut Parts) -> Result<(), NotJson> {
        match json.peek() {
            Some(b'{') => {
                let mut members = Members::default();
                json.object(|json, name| self.member(json, name, &mut members))?;
                members.feed(Part::Body, parts);
            }
            Some(b'[') => {
                parts.add(Part::Body, b"[");
                json.array(|json| self.feed(json, parts))?;
                parts.add(Part::Body, b"]");
            }
            Some(b'"') => {
                parts.add(Part::Body, b"\"");
                parts.add(Part::Body, json.string()?.as_bytes());
            }
            _ => self.feed_scalar(json.scalar()?, parts)?,
        }
        Ok(())
    }

    fn feed_scalar(&self, text: &str, parts: &mut Parts) -> Result<(), NotJson> {
        if matches!(self.numbers, Numbers::AsText) || matches!(text, "true" | "false" | "null") {
            parts.add(Part::Body, text.as_bytes());
            return Ok(());
        }
        let number: f64 = text.parse().map_err(|_| NotJson)?;
        if !number.is_finite() {
            return Err(NotJson);
        }
        parts.add(Part::Body, b"#");
        parts.add(Part::Body, &number.to_bits().to_le_bytes());
        Ok(())
    }
}

/// The members of an object, in whatever order they came.
///
/// The sum of their keyed hashes: who does not know the key can't choose members whose sums are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    count: u64,
    sum: u128,
}

impl Members {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn add(&mut self, member: &Parts) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(member.finish().bits());
    }

    pub(super) fn feed(&self, part: Part, parts: &mut Parts) {
        parts.add(part, b"{");
        parts.add(part, &self.count.to_le_bytes());
        parts.add(part, &self.sum.to_le_bytes());
    }
}
