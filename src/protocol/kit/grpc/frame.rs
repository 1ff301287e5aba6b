use bytes::Bytes;

use crate::protobuf::NotProtobuf;
use crate::protocol::call::Unreadable;

/// One byte for compression, and four for the length of the message.
pub(super) const PREFIX: usize = 5;

/// The message of a unary request or reply.
///
/// # Errors
///
/// [`Unreadable`] if the body is not exactly one whole message, or if the message is compressed.
pub fn message(body: &[u8]) -> Result<&[u8], Unreadable> {
    match body.split_first_chunk::<PREFIX>() {
        Some(([0, length @ ..], message)) if message.len() as u64 == u64::from(u32::from_be_bytes(*length)) => {
            Ok(message)
        }
        Some(([0, ..], _)) | None => Err(Unreadable("the body is not exactly one message")),
        Some(_) => Err(Unreadable("the message is compressed")),
    }
}

/// A frame with the message that `write` writes, of about `capacity` bytes, not compressed.
pub fn frame(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut frame = Vec::with_capacity(PREFIX + capacity);
    frame.extend_from_slice(&[0; PREFIX]);
    write(&mut frame);
    // No reader accepts a message of 4 GiB, whatever its prefix says.
    let length = u32::try_from(frame.len() - PREFIX).unwrap_or(u32::MAX);
    frame[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    frame.into()
}

impl From<NotProtobuf> for Unreadable {
    fn from(_: NotProtobuf) -> Self {
        Self("the message is not valid Protocol Buffers")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_exactly_one_whole_message_that_is_not_compressed() {
        assert_eq!(message(&[0, 0, 0, 0, 0]), Ok(&b""[..]));
        assert_eq!(message(&[0, 0, 0, 0, 2, 8, 1]), Ok(&[8, 1][..]));
        for body in [
            &[][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[0, 0, 0, 0, 1, 8, 1],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[1, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0],
            &[0, 255, 255, 255, 255, 1],
        ] {
            assert!(message(body).is_err(), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn framed_messages_read_back(text: Vec<u8>) {
            let framed = frame(0, |into| into.extend_from_slice(&text));
            prop_assert_eq!(message(&framed), Ok(&text[..]));
        }

        #[test]
        fn never_panics(body: Vec<u8>) {
            let _ = message(&body);
        }
    }
}
