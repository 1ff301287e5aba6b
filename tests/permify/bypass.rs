//! Properties that prevent a request from being answered from memory, and do not change what it asks.

use std::future::ready;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;
use tower_zookie_testing::frame::{frame, written};
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::permify::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass {
    Range,
    Condition,
    Connection,
    Signature,
    ContentEncoding,
    /// The mark of a compressed message.
    Compressed,
    MetadataTwice,
    /// Its last bytes are missing.
    BrokenOff,
    Trailers,
    OverLong,
}

use Bypass::*;

pub(crate) const BYPASSES: [Bypass; 10] = [
    Range,
    Condition,
    Connection,
    Signature,
    ContentEncoding,
    Compressed,
    MetadataTwice,
    BrokenOff,
    Trailers,
    OverLong,
];

/// The over-long ones take their time.
pub(crate) fn bypass() -> impl Strategy<Value = Bypass> {
    let short: Vec<Bypass> = BYPASSES.into_iter().filter(|bypass| *bypass != OverLong).collect();
    prop_oneof![30 => select(short), 1 => Just(OverLong)]
}

impl Bypass {
    /// Whether only the headers are odd.
    pub(crate) fn is_of_headers(self) -> bool {
        matches!(self, Range | Condition | Connection | Signature)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Range => "bypass: a range",
            Condition => "bypass: a condition",
            Connection => "bypass: a connection header",
            Signature => "bypass: a signature",
            ContentEncoding => "bypass: an encoded body",
            Compressed => "bypass: the message is compressed",
            MetadataTwice => "bypass: metadata twice",
            BrokenOff => "bypass: a message without its end",
            Trailers => "bypass: trailers",
            OverLong => "bypass: an over-long message",
        }
    }

    fn header(self) -> Option<(&'static str, &'static str)> {
        match self {
            Range => Some(("range", "bytes=0-1")),
            Condition => Some(("if-none-match", "\"x\"")),
            Connection => Some(("connection", "x-tenant")),
            Signature => Some(("signature", "a=:b:")),
            ContentEncoding => Some(("content-encoding", "gzip")),
            _ => None,
        }
    }

    pub(crate) fn body(self, request: &impl Message) -> Bytes {
        static LONG: OnceLock<Vec<u8>> = OnceLock::new();
        let mut message = request.encode_to_vec();
        match self {
            // Empty, so it changes nothing in the other one.
            MetadataTwice => message.extend(written(2, b"")),
            OverLong => message.extend(LONG.get_or_init(unknown_field)),
            _ => {}
        }
        let mut framed = BytesMut::from(&*frame(&message));
        match self {
            Compressed => framed[0] = 1,
            BrokenOff => framed.truncate(framed.len() - 3),
            _ => {}
        }
        framed.freeze()
    }

    pub(crate) async fn send(self, client: &Client, method: &str, request: &impl Message) -> Reply {
        let client = match self.header() {
            Some((name, value)) => client.metadata(name, value),
            None => client.clone(),
        };
        let body = Full::from(self.body(request));
        let body = if self == Trailers {
            let trailers = HeaderMap::from_iter([("checksum".parse().unwrap(), HeaderValue::from_static("1"))]);
            body.with_trailers(ready(Some(Ok(trailers)))).boxed_unsync()
        } else {
            body.boxed_unsync()
        };
        client.send_body(method, body).await
    }
}

/// An unknown field, larger than what the layer reads.
fn unknown_field() -> Vec<u8> {
    written(200, &vec![b'x'; (4 << 20) + 1])
}
