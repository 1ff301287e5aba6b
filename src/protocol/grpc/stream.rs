use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::call::Unreadable;
use crate::protocol::grpc::frame::PREFIX;

/// The messages of a gRPC stream, which arrives in pieces of any size.
#[derive(Debug)]
pub(crate) struct Messages {
    arrived: BytesMut,
    longest: usize,
}

impl Messages {
    /// Messages of at most `longest` bytes.
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            arrived: BytesMut::new(),
            longest,
        }
    }

    /// Adds the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.arrived.extend_from_slice(piece);
    }

    /// The next message, if it has arrived completely. After an error the stream is unreadable.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Unreadable> {
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
    use crate::protocol::grpc::frame::frame;

    proptest! {
        #[test]
        fn messages_are_joined_from_any_pieces(texts: Vec<Vec<u8>>, size in 1_usize..9) {
            let stream: Vec<u8> = texts.iter().flat_map(|text| frame(0, |into| into.extend_from_slice(text))).collect();
            let mut messages = Messages::new(1000);
            let mut read = Vec::new();
            for piece in stream.chunks(size) {
                messages.push(piece);
                while let Some(message) = messages.next().unwrap() {
                    read.push(message.to_vec());
                }
            }
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn never_panics(stream: Vec<u8>) {
            let mut messages = Messages::new(100);
            messages.push(&stream);
            while let Ok(Some(_)) = messages.next() {}
        }
    }

    #[test]
    fn rule_15_a_message_over_the_limit_is_an_error_at_once() {
        let mut messages = Messages::new(3);
        messages.push(&[0, 0, 0, 0, 4]);
        assert!(messages.next().is_err());
        let mut messages = Messages::new(3);
        messages.push(&[1, 0, 0, 0, 1]);
        assert!(messages.next().is_err());
    }
}
