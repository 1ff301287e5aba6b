use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::call::Unreadable;
use crate::protocol::kit::grpc::frame::PREFIX;

/// The messages of a gRPC stream, which arrives in pieces of any size.
///
/// ```
/// use tower_zookie::protocol::kit::grpc::{Messages, frame};
///
/// let stream = frame(2, |into| into.extend_from_slice(b"hi"));
/// let mut messages = Messages::new(1024);
/// messages.push(&stream[..4]);
/// assert_eq!(messages.pull(), Ok(None));
/// messages.push(&stream[4..]);
/// assert_eq!(messages.pull(), Ok(Some("hi".into())));
/// ```
#[derive(Debug)]
pub struct Messages {
    arrived: BytesMut,
    longest: usize,
}

impl Messages {
    /// Messages of at most `longest` bytes each.
    pub fn new(longest: usize) -> Self {
        Self {
            arrived: BytesMut::new(),
            longest,
        }
    }

    /// Adds the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.arrived.extend_from_slice(piece);
    }

    /// The next message, if it has arrived completely.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if the next message is compressed or too long. The rest of the stream is then unreadable too.
    pub fn pull(&mut self) -> Result<Option<Bytes>, Unreadable> {
        let Some(([compressed, length @ ..], rest)) = self.arrived.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if *compressed != 0 {
            return Err(Unreadable("the message is compressed"));
        }
        if length > self.longest {
            return Err(Unreadable("the message is longer than the limit"));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.arrived.advance(PREFIX);
        Ok(Some(self.arrived.split_to(length).freeze()))
    }
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
            let mut messages = Messages::new(1000);
            let mut read = Vec::new();
            for piece in stream.chunks(size) {
                messages.push(piece);
                while let Some(message) = messages.pull().unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn never_panics(stream: Vec<u8>) {
            let mut messages = Messages::new(100);
            messages.push(&stream);
            while let Ok(Some(_)) = messages.pull() {}
        }
    }

    #[test]
    fn rule_15_a_message_over_the_limit_is_an_error_at_once() {
        let mut messages = Messages::new(3);
        messages.push(&[0, 0, 0, 0, 4]);
        assert!(messages.pull().is_err());
        let mut messages = Messages::new(3);
        messages.push(&[1, 0, 0, 0, 1]);
        assert!(messages.pull().is_err());
    }
}
