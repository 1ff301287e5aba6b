use bytes::Bytes;

use crate::cache::ReadAt;
use crate::protobuf::{fields, only, write_bytes};
use crate::protocol::call::Received;
use crate::protocol::grpc::{Forwarded, frame, message};
use crate::protocol::permify::grpc::method::{Does, METHODS, SNAP_TOKEN};
use crate::protocol::permify::grpc::request::{ITEM, METADATA};
use crate::protocol::permify::snap_token;
use crate::token::Zookie;

/// The body with another token, and a bulk with only its items `open`.
pub(in crate::protocol::permify) fn ask(
    received: Received<'_>,
    open: &[usize],
    at: &ReadAt,
    zookie: Option<&Zookie>,
) -> Option<Bytes> {
    let forwarded = Forwarded::of(received.call, open)?;
    let zookie = snap_token::asked(received.call, at, zookie);
    if forwarded == Forwarded::Whole && snap_token::is_stated_by(zookie, received.call) {
        return None;
    }
    let number = match METHODS.of(received.route)?.does {
        Does::Read { token, .. } => token,
        Does::ReadAt { .. } | Does::Write { .. } => SNAP_TOKEN,
    };
    let message = message(received.message).ok()?;
    // Permify rejects a message without metadata. Adding metadata would prevent that.
    let metadata = with_token(only(message, METADATA)?, number, zookie);
    Some(frame(message.len() + metadata.len(), |into| {
        for field in forwarded.fields(message, ITEM) {
            match field.number {
                METADATA => write_bytes(into, METADATA, &metadata),
                _ => into.extend_from_slice(field.bytes),
            }
        }
    }))
}

/// The metadata with this token or without a token, in the field with this number.
fn with_token(metadata: &[u8], number: u32, mut zookie: Option<&Zookie>) -> Vec<u8> {
    let mut written = Vec::with_capacity(metadata.len() + zookie.map_or(0, |zookie| zookie.as_str().len() + 4));
    for field in fields(metadata).flatten() {
        if field.number >= number
            && let Some(zookie) = zookie.take()
        {
            write_bytes(&mut written, number, zookie.as_str().as_bytes());
        }
        if field.number != number {
            written.extend_from_slice(field.bytes);
        }
    }
    if let Some(zookie) = zookie {
        write_bytes(&mut written, number, zookie.as_str().as_bytes());
    }
    written
}
