use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::call::Unreadable;
use crate::protocol::kit::grpc::frame::PREFIX;

/// Takes the next message of a gRPC stream out of what has `arrived` of it; `None` if it has not arrived completely.
///
/// ```
/// use bytes::BytesMut;
/// use tower_zookie::protocol::kit::grpc::{frame, next_message};
///
/// let stream = frame(2, |into| into.extend_from_slice(b"hi"));
/// let mut arrived = BytesMut::from(&stream[..4]);
/// assert_eq!(next_message(&mut arrived, 1024), Ok(None));
/// arrived.extend_from_slice(&stream[4..]);
/// assert_eq!(next_message(&mut arrived, 1024), Ok(Some("hi".into())));
/// assert!(arrived.is_empty());
/// ```
///
/// # Errors
///
/// [`Unreadable`] if the message is compressed, or longer than `longest` bytes. The rest of the stream is then unreadable
/// too.
pub fn next_message(arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
    let Some(([compressed, length @ ..], rest)) = arrived.split_first_chunk::<PREFIX>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length) as usize;
    if *compressed != 0 {
        return Err(Unreadable("the message is compressed"));
    }
    if length > longest {
        return Err(Unreadable("the message is longer than the limit"));
    }
    if rest.len() < length {
        return Ok(None);
    }
    arrived.advance(PREFIX);
    Ok(Some(arrived.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::kit::grpc::frame::frame;

    proptest! {
        #[test]
        fn messages_are_joined_from_any_pieces(texts: Vec<Vec<u8>>, size in 1_usize..9) {
            let stream: Vec<u8> = texts.iter().flat_map(|text| frame(0, |into| into.extend_from_slice(text))).collect();
            let (mut arrived, mut read) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(size) {
                arrived.extend_from_slice(piece);
                while let Some(message) = next_message(&mut arrived, 1000).unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn never_panics(stream: Vec<u8>) {
            let mut arrived = BytesMut::from(&stream[..]);
            while let Ok(Some(_)) = next_message(&mut arrived, 100) {}
        }
    }

    #[test]
    fn rule_15_a_message_over_the_limit_is_an_error_at_once() {
        for stream in [[0, 0, 0, 0, 4], [1, 0, 0, 0, 1]] {
            assert!(next_message(&mut BytesMut::from(&stream[..]), 3).is_err());
        }
    }
}
