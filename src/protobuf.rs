//! Protocol Buffers on the wire. Messages are read in place, and never decoded into structs.

use bytes::BufMut;

/// The bytes are not a message, or have groups, which no API uses and this reader does not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a protobuf message")]
pub struct NotProtobuf;

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// The bytes of tag and value in the message.
    pub bytes: &'a [u8],
}

/// A field's value, by its wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer, a bool or an enum.
    Varint(u64),
    /// A double or an integer of 64 bits.
    Fixed64(u64),
    /// A string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// A float or an integer of 32 bits.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// A whole message, as the value of a field without a number.
    pub(crate) fn of_message(message: &'a [u8]) -> Self {
        Self {
            number: 0,
            value: Value::Bytes(message),
            bytes: message,
        }
    }

    /// The value of a string, bytes or message field.
    ///
    /// # Errors
    ///
    /// [`NotProtobuf`] if the field has another wire type.
    pub fn bytes(&self) -> Result<&'a [u8], NotProtobuf> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(NotProtobuf),
        }
    }

    /// The value of an integer, bool or enum field.
    ///
    /// # Errors
    ///
    /// [`NotProtobuf`] if the field has another wire type.
    pub fn varint(&self) -> Result<u64, NotProtobuf> {
        match self.value {
            Value::Varint(number) => Ok(number),
            _ => Err(NotProtobuf),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, NotProtobuf> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NotProtobuf)
    }
}

/// The fields of a message, in its order. An error is the last item.
#[derive(Clone, Debug)]
#[must_use]
pub struct Fields<'a>(&'a [u8]);

/// Reads the fields of a message in place, without a schema. It never panics, whatever the bytes are.
///
/// ```
/// use tower_zookie::protocol::kit::protobuf::{NotProtobuf, fields, write_bytes};
///
/// let mut message = Vec::new();
/// write_bytes(&mut message, 2, b"view");
/// for field in fields(&message) {
///     let field = field?;
///     assert_eq!((field.number, field.bytes()?), (2, &b"view"[..]));
/// }
/// # Ok::<(), NotProtobuf>(())
/// ```
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

/// The value of the string, bytes or message field with this number, if the message has exactly one.
pub fn only(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut found = None;
    for field in fields(message) {
        let field = field.ok()?;
        if field.number == number && found.replace(field.bytes().ok()?).is_some() {
            return None;
        }
    }
    found
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, NotProtobuf>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<Field<'a>, NotProtobuf> {
        let start = self.0;
        let tag = read_varint(&mut self.0)?;
        let number = u32::try_from(tag >> 3).map_err(|_| NotProtobuf)?;
        if number == 0 || number >= 1 << 29 {
            return Err(NotProtobuf);
        }
        let value = match tag & 7 {
            0 => Value::Varint(read_varint(&mut self.0)?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(read_varint(&mut self.0)?).map_err(|_| NotProtobuf)?;
                let (value, rest) = self.0.split_at_checked(len).ok_or(NotProtobuf)?;
                self.0 = rest;
                Value::Bytes(value)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(NotProtobuf),
        };
        Ok(Field {
            number,
            value,
            bytes: &start[..start.len() - self.0.len()],
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotProtobuf> {
        let (array, rest) = self.0.split_first_chunk().ok_or(NotProtobuf)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Reads a number of at most ten bytes from the front of `bytes`.
pub(crate) fn read_varint(bytes: &mut &[u8]) -> Result<u64, NotProtobuf> {
    if let [byte @ 0..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(u64::from(*byte));
    }
    let mut number = 0;
    for (nth, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        if nth == 9 && bits > 1 {
            return Err(NotProtobuf);
        }
        number |= bits << (7 * nth);
        if byte & 0x80 == 0 {
            *bytes = &bytes[nth + 1..];
            return Ok(number);
        }
    }
    Err(NotProtobuf)
}

pub(crate) fn write_varint(into: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        into.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    into.put_u8(number as u8);
}

/// Writes an integer, bool or enum field.
pub fn write_number(into: &mut impl BufMut, field: u32, number: u64) {
    write_varint(into, u64::from(field) << 3);
    write_varint(into, number);
}

/// Writes a string, bytes or message field.
pub fn write_bytes(into: &mut impl BufMut, field: u32, value: &[u8]) {
    write_varint(into, u64::from(field) << 3 | 2);
    write_varint(into, value.len() as u64);
    into.put_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, NotProtobuf> {
        fields(message)
            .map(|field| field.map(|field| (field.number, field.value)))
            .collect()
    }

    #[test]
    fn reads_every_wire_type() {
        let message = [
            0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x25, 2, 0, 0, 0,
        ];
        assert_eq!(
            read(&message).unwrap(),
            [
                (1, Value::Varint(150)),
                (2, Value::Bytes(b"hi")),
                (3, Value::Fixed64(1)),
                (4, Value::Fixed32(2))
            ]
        );
        let whole: Vec<u8> = fields(&message)
            .flat_map(|field| field.unwrap().bytes)
            .copied()
            .collect();
        assert_eq!(whole, message);
    }

    #[test]
    fn rejects_truncated_and_malformed_messages() {
        for message in [
            &[0x08][..],
            &[0x12, 3, b'h', b'i'],
            &[0x19, 0],
            &[0x25, 0],
            &[0x0b],
            &[0x0c],
            &[0x0e],
            &[0x00, 0],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x80],
            &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert_eq!(read(message), Err(NotProtobuf), "{message:x?}");
        }
        assert_eq!(fields(&[0x0b, 0x0b]).count(), 1, "an error ends the message");
    }

    #[test]
    fn a_field_that_occurs_once_is_found() {
        let message = [0x0a, 1, b'a', 0x12, 1, b'b', 0x12, 1, b'c', 0x18, 1];
        assert_eq!(only(&message, 1), Some(&b"a"[..]));
        for number in 2..5 {
            assert_eq!(only(&message, number), None, "{number}");
        }
        assert_eq!(only(&[0x0a, 1, b'a', 0x12], 1), None, "cut off");
    }

    proptest! {
        #[test]
        fn written_fields_read_back(number: u64, text: Vec<u8>, field in 1_u32..1 << 29) {
            let mut message = Vec::new();
            write_number(&mut message, field, number);
            write_bytes(&mut message, field, &text);
            prop_assert_eq!(read(&message).unwrap(), [(field, Value::Varint(number)), (field, Value::Bytes(&text))]);
        }

        #[test]
        fn never_panics(message: Vec<u8>) {
            let _ = read(&message);
        }
    }
}
