use crate::protocol::call::Unreadable;
use crate::protocol::json::Json;

/// Reads the value if it is null, and says whether it was.
pub(in crate::protocol) fn is_null(json: &mut Json<'_>) -> Result<bool, Unreadable> {
    if json.peek() != Some(b'n') {
        return Ok(false);
    }
    Ok(json.scalar()? == "null")
}

/// The server rejects a message that repeats a field, in either spelling.
pub(in crate::protocol) fn once(seen: &mut bool) -> Result<(), Unreadable> {
    if std::mem::replace(seen, true) {
        return Err(Unreadable("the message repeats a field"));
    }
    Ok(())
}
