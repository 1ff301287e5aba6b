use std::borrow::Cow;

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::names::Names;
use crate::protobuf::{Value, fields};
use crate::protocol::call::Unreadable;
use crate::protocol::kit::json::digest::{Hashed, Members, Piece};

/// The deepest nesting of values that is read.
const MAX_LEVELS: usize = 64;

const DEEP: Unreadable = Unreadable("a struct is nested too deep");
const UNKNOWN: Unreadable = Unreadable("a struct has an unknown field");

/// Hashes a `google.protobuf.Struct` by its value: the order of a map's entries makes no difference, everything else
/// does. Two numbers are equal if their bits are.
pub(in crate::protocol) struct Values(FingerprintBuilder);

impl Values {
    /// Hashes under the key of `base`.
    pub(super) fn new(base: &FingerprintBuilder) -> Self {
        Self(base.clone())
    }

    /// Reads a struct.
    pub(super) fn structure(&self, message: &[u8]) -> Result<Hashed, Unreadable> {
        let mut fingerprint = self.0.clone();
        self.feed_struct(message, &mut fingerprint, MAX_LEVELS)?;
        Ok(fingerprint.finish().bits().to_le_bytes())
    }

    fn feed_struct(
        &self,
        message: &[u8],
        fingerprint: &mut FingerprintBuilder,
        levels: usize,
    ) -> Result<(), Unreadable> {
        const FIELDS: u32 = 1;
        let mut members = Members::default();
        let mut names = Names::default();
        for field in fields(message) {
            let field = field?;
            if field.number != FIELDS {
                return Err(UNKNOWN);
            }
            let (name, value) = entry(field.bytes()?)?;
            let mut member = self.0.clone();
            Piece::Name.add(&mut member, name.as_bytes());
            self.feed_value(value, &mut member, levels)?;
            if levels == MAX_LEVELS {
                self.0.note_hashed(Named::Context, name, &member);
            }
            members.add(&member);
            names.push(Cow::Borrowed(name));
        }
        if names.repeated() {
            return Err(Unreadable("a struct repeats a name"));
        }
        members.feed(Part::Body, fingerprint);
        Ok(())
    }

    fn feed_value(
        &self,
        message: &[u8],
        fingerprint: &mut FingerprintBuilder,
        levels: usize,
    ) -> Result<(), Unreadable> {
        let levels = levels.checked_sub(1).ok_or(DEEP)?;
        let mut fields = fields(message);
        let Some(field) = fields.next().transpose()? else {
            Piece::Unset.add(fingerprint, b"");
            return Ok(());
        };
        if fields.next().is_some() {
            return Err(Unreadable("a value has two kinds"));
        }
        match (field.number, field.value) {
            (1, Value::Varint(null)) => Piece::Null.add(fingerprint, &null.to_le_bytes()),
            (2, Value::Fixed64(bits)) => Piece::Double.add(fingerprint, &bits.to_le_bytes()),
            (3, Value::Bytes(text)) => Piece::Text.add(fingerprint, text),
            (4, Value::Varint(flag)) => Piece::Bool.add(fingerprint, &flag.to_le_bytes()),
            (5, Value::Bytes(message)) => self.feed_struct(message, fingerprint, levels)?,
            (6, Value::Bytes(message)) => self.feed_list(message, fingerprint, levels)?,
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }

    fn feed_list(&self, message: &[u8], fingerprint: &mut FingerprintBuilder, levels: usize) -> Result<(), Unreadable> {
        const VALUES: u32 = 1;
        Piece::Array.add(fingerprint, b"");
        for field in fields(message) {
            let field = field?;
            if field.number != VALUES {
                return Err(UNKNOWN);
            }
            self.feed_value(field.bytes()?, fingerprint, levels)?;
        }
        Piece::ArrayEnd.add(fingerprint, b"");
        Ok(())
    }
}

/// The name and value of a map's entry. A missing part is empty.
fn entry(message: &[u8]) -> Result<(&str, &[u8]), Unreadable> {
    let (mut name, mut value) = (None, None);
    for field in fields(message) {
        let field = field?;
        let repeated = match field.number {
            1 => name.replace(field.text()?).is_some(),
            2 => value.replace(field.bytes()?).is_some(),
            _ => return Err(UNKNOWN),
        };
        if repeated {
            return Err(Unreadable("a map entry repeats a field"));
        }
    }
    Ok((name.unwrap_or_default(), value.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
