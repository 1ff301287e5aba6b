//! Protocol Buffers over gRPC, as far as the recordings need it, without the crate's code.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A field of a Protocol Buffers message: its number, all its bytes, and its content if it has a length.
pub type Field<'a> = (u64, &'a [u8], Option<&'a [u8]>);

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let len = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (varint, rest) = bytes.split_at(len);
    *bytes = rest;
    let number = varint
        .iter()
        .rev()
        .fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    Some(number)
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

pub fn text(message: &[u8], path: &[u64]) -> Option<String> {
    let content = path
        .iter()
        .try_fold(message, |message, number| field(message, *number))?;
    Some(String::from_utf8(content.to_vec()).unwrap())
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

pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(message);
    framed.freeze()
}

/// A field with a length: of a text, or of a message.
pub fn written(number: u8, content: &[u8]) -> Vec<u8> {
    let mut written = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        written.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        len >>= 7;
    }
    written.push(u8::try_from(len).unwrap());
    written.extend_from_slice(content);
    written
}
