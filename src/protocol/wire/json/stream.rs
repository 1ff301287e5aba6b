//! A stream of replies: one JSON object a line, which is `{"result": …}` or `{"error": …}`.

use bytes::{Buf, Bytes, BytesMut};

use crate::protocol::call::Unreadable;
use crate::protocol::kit::grpc::Code;
use crate::protocol::kit::json::{Json, NotJson};
use crate::protocol::wire::Streamed;
use crate::protocol::wire::json::status::Error;

/// Takes the next line out of what has `arrived`.
pub(super) fn next(arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
    loop {
        let Some(end) = arrived.iter().take(longest + 1).position(|byte| *byte == b'\n') else {
            return match arrived.len() > longest {
                true => Err(Unreadable("the message is longer than the limit")),
                false => Ok(None),
            };
        };
        let line = arrived.split_to(end).freeze();
        arrived.advance(1);
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

/// The result or the error in a line.
pub(super) fn streamed(line: &[u8]) -> Result<Streamed<'_>, Unreadable> {
    let (mut result, mut error) = (None, None);
    let mut json = Json::new(line)?;
    json.object(|json, name| {
        let value = json.value()?.as_bytes();
        match name {
            "result" => result = Some(value),
            "error" => error = Some(value),
            _ => {}
        }
        Ok::<_, NotJson>(())
    })?;
    json.end()?;
    match (result, error) {
        (Some(result), None) => Ok(Streamed::Message(result)),
        (None, Some(error)) => {
            let error = Error::read(error)?;
            Ok(Streamed::Failed(error.map_or(Code::Unknown, |error| error.code)))
        }
        _ => Err(Unreadable("a message of the stream has neither a result nor an error")),
    }
}
