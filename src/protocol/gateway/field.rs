use crate::protocol::call::Unreadable;
use crate::protocol::json::Json;

/// Reads a null, if it is one.
pub(in crate::protocol) fn is_null(json: &mut Json<'_>) -> Result<bool, Unreadable> {
    if json.peek() != Some(b'n') {
        return Ok(false);
    }
    Ok(json.scalar()? == "null")
}

/// The server rejects a field that is there twice, in whatever spellings.
pub(in crate::protocol) fn once(seen: &mut bool) -> Result<(), Unreadable> {
    if std::mem::replace(seen, true) {
        return Err(Unreadable("a field is there twice"));
    }
    Ok(())
}
