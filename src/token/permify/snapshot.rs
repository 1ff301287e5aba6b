//! Tokens of Permify on PostgreSQL, after base64 decoding.

use std::fmt::Write;

use crate::revision::PermifySnapshot;
use crate::token::error::{TokenError, TokenErrorKind};

/// The most transactions in progress that a token may name.
pub(super) const MAX_IN_PROGRESS: usize = 1000;

/// Any token with this number of bytes is a legacy token.
const LEGACY: usize = size_of::<u64>();

pub(super) fn read(token: &[u8]) -> Result<PermifySnapshot, TokenError> {
    if let Ok(xid) = token.try_into() {
        return Ok(PermifySnapshot::legacy(u64::from_le_bytes(xid)));
    }
    let snapshot = read_text(token)?;
    // Permify never writes signs, leading zeros or an unordered list, and PostgreSQL does not read all of them.
    let spelled = spell(&snapshot).is_some_and(|text| text.as_bytes() == token);
    spelled
        .then_some(snapshot)
        .ok_or_else(|| TokenError::malformed("its snapshot is not spelled as Permify spells it"))
}

fn read_text(token: &[u8]) -> Result<PermifySnapshot, TokenError> {
    let text = str::from_utf8(token).map_err(|_| no_snapshot())?;
    let mut parts = text.splitn(4, ':');
    let mut part = || parts.next().ok_or_else(no_snapshot);
    let [xid, xmin, xmax] = [number(part()?)?, number(part()?)?, number(part()?)?];
    let in_progress = part()?.split(',');
    let max = MAX_IN_PROGRESS;
    if in_progress.clone().nth(max).is_some() {
        return Err(TokenErrorKind::TooManyEntries { max }.into());
    }
    let in_progress: Vec<u64> = in_progress.map(number).collect::<Result<_, _>>()?;
    PermifySnapshot::new(xid, xmin, xmax, in_progress).map_err(|e| no_snapshot().with_source(e))
}

fn number(text: &str) -> Result<u64, TokenError> {
    text.parse().map_err(|_| no_snapshot())
}

fn no_snapshot() -> TokenError {
    TokenError::malformed("it is neither the 8 bytes of a transaction's number nor a snapshot")
}

/// `None` if too many transactions are in progress, and for a snapshot of 8 characters, which would be read as a legacy
/// token.
pub(super) fn write(snapshot: &PermifySnapshot) -> Option<Vec<u8>> {
    let Some(text) = spell(snapshot) else {
        return Some(snapshot.xid().to_le_bytes().into());
    };
    let few = snapshot.in_progress().len() <= MAX_IN_PROGRESS;
    (few && text.len() != LEGACY).then_some(text.into())
}

/// `None` for a legacy token, which has no snapshot.
fn spell(snapshot: &PermifySnapshot) -> Option<String> {
    let mut text = format!("{}:{}:{}", snapshot.xid(), snapshot.xmin()?, snapshot.xmax()?);
    let separators = [':'].into_iter().chain(std::iter::repeat(','));
    for (id, separator) in snapshot.in_progress().iter().zip(separators) {
        write!(text, "{separator}{id}").ok()?;
    }
    Some(text)
}
