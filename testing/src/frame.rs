//! gRPC frames, and the fields of Protocol Buffers messages in them, without the crate's own code.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use prost::encoding::encode_varint;

/// A message as a gRPC body, uncompressed.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// A message as a gRPC body.
pub fn framed(message: &impl Message) -> Bytes {
    frame(&message.encode_to_vec())
}

/// The first message of a gRPC body.
pub fn unframed<M: Message + Default>(body: &[u8]) -> M {
    M::decode(messages(body)[0]).unwrap()
}

/// A body that is written in base64.
pub fn decoded(base64: &str) -> Bytes {
    STANDARD.decode(base64).unwrap().into()
}

/// The messages of a gRPC body, except compressed ones.
pub fn messages(mut body: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = body.split_at_checked(5) {
        let len = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let Some((message, rest)) = rest.split_at_checked(len) else {
            break;
        };
        if head[0] == 0 {
            messages.push(message);
        }
        body = rest;
    }
    messages
}

/// Whether a body is gRPC messages and nothing else.
pub fn is_framed(mut body: Bytes) -> bool {
    while body.len() >= 5 {
        let (compressed, len) = (body.get_u8(), body.get_u32() as usize);
        if compressed > 1 || body.len() < len {
            return false;
        }
        body.advance(len);
    }
    body.is_empty()
}

/// A field of a Protocol Buffers message: its number, all its bytes, and its content if it has a length.
pub type Field<'a> = (u64, &'a [u8], Option<&'a [u8]>);

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(bytes).ok()
}

pub fn fields(message: &[u8]) -> Vec<Field<'_>> {
    try_fields(message).unwrap()
}

/// `None`: it is not a message, or has fields of other kinds than texts, messages and numbers.
pub fn try_fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let key = varint(&mut rest)?;
        let content = match key & 7 {
            0 => {
                varint(&mut rest)?;
                None
            }
            2 => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                Some(rest.split_off(..len)?)
            }
            _ => return None,
        };
        fields.push((key >> 3, &start[..start.len() - rest.len()], content));
    }
    Some(fields)
}

/// The content of the field of this number.
pub fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    let fields = fields(message);
    fields.into_iter().find(|(found, ..)| *found == number)?.2
}

/// The text at the end of a path of fields.
pub fn text(message: &[u8], path: &[u64]) -> Option<String> {
    let content = path
        .iter()
        .try_fold(message, |message, number| field(message, *number))?;
    Some(String::from_utf8(content.to_vec()).unwrap())
}

/// The bytes of all fields but those of this number.
pub fn without(message: &[u8], number: u64) -> Vec<u8> {
    let rest = fields(message).into_iter().filter(|(found, ..)| *found != number);
    rest.flat_map(|(_, bytes, _)| bytes).copied().collect()
}

/// A field with a length: of a text, or of a message.
pub fn written(number: u64, content: &[u8]) -> Vec<u8> {
    let mut written = number_field(number << 3 | 2, content.len() as u64);
    written.extend_from_slice(content);
    written
}

/// A field with a number.
pub fn written_number(number: u64, value: u64) -> Vec<u8> {
    number_field(number << 3, value)
}

fn number_field(key: u64, value: u64) -> Vec<u8> {
    let mut written = Vec::new();
    encode_varint(key, &mut written);
    encode_varint(value, &mut written);
    written
}
