//! Revisions that are PostgreSQL snapshots: SpiceDB's `PostgresRevision`, in standard, padded base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::protobuf::{Field, NotProtobuf, Value, fields, read_varint, write_bytes, write_number, write_varint};
use crate::revision::PostgresSnapshot;
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::spicedb::message::only;
use crate::token::spicedb::number::read_unsigned;

/// The most transactions in progress that a token may name.
pub(super) const MAX_IN_PROGRESS: usize = 4000;

const XMIN: u32 = 1;
const RELATIVE_XMAX: u32 = 2;
const RELATIVE_XIPS: u32 = 3;

/// The limit between the two numbers of a legacy revision. All transactions between them count as in progress.
const MAX_LEGACY_RANGE: u64 = 1000;

pub(super) fn read(revision: &str) -> Result<PostgresSnapshot, TokenError> {
    // Base64 of only digits would begin with a field that snapshots do not have, so there is no ambiguity.
    let legacy = !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if legacy {
        read_legacy(revision)
    } else {
        read_current(revision)
    }
}

/// A transaction's number, optionally with the lowest one that was in progress: `506.499`.
fn read_legacy(revision: &str) -> Result<PostgresSnapshot, TokenError> {
    let (xid, xmin) = match revision.split_once('.') {
        None => (read_unsigned(revision)?, None),
        Some((xid, xmin)) => (read_unsigned(xid)?, Some(read_unsigned(xmin)?)),
    };
    let xmax = xid.checked_add(1).ok_or_else(out_of_range)?;
    let xmin = xmin.filter(|xmin| *xmin < xid).unwrap_or(xmax);
    if xmax - xmin > MAX_LEGACY_RANGE {
        return Err(TokenError::malformed(
            "the two numbers of its revision are too far apart for a snapshot",
        ));
    }
    snapshot(xmin, xmax, xmin..xid)
}

fn read_current(revision: &str) -> Result<PostgresSnapshot, TokenError> {
    let bytes = STANDARD
        .decode(revision)
        .map_err(|_| TokenError::malformed("its revision is neither base64 nor a transaction's number"))?;
    let message = Message::read(&bytes)
        .map_err(|e| TokenError::malformed("its revision is not the message of a snapshot").with_source(e))?;
    if message.relative_xips.len() > MAX_IN_PROGRESS {
        let max = MAX_IN_PROGRESS;
        return Err(TokenErrorKind::TooManyEntries { max }.into());
    }
    let id = |relative: i64| {
        let xmin = i64::try_from(message.xmin).ok()?;
        u64::try_from(xmin.checked_add(relative)?).ok()
    };
    let in_progress: Option<Vec<u64>> = message.relative_xips.iter().map(|xip| id(*xip)).collect();
    let (Some(xmin), Some(xmax), Some(in_progress)) = (id(0), id(message.relative_xmax), in_progress) else {
        return Err(out_of_range());
    };
    snapshot(xmin, xmax, in_progress)
}

fn snapshot(xmin: u64, xmax: u64, in_progress: impl IntoIterator<Item = u64>) -> Result<PostgresSnapshot, TokenError> {
    PostgresSnapshot::new(xmin, xmax, in_progress)
        .map_err(|e| TokenError::malformed("its revision is not a snapshot").with_source(e))
}

fn out_of_range() -> TokenError {
    TokenError::malformed("a transaction's number in its revision is out of range")
}

/// `None` if an id does not fit into the 63 bits that SpiceDB reads, or if too many transactions are in progress.
pub(super) fn write(snapshot: &PostgresSnapshot) -> Option<Vec<u8>> {
    let (xmin, in_progress) = (snapshot.xmin(), snapshot.in_progress());
    if i64::try_from(snapshot.xmax()).is_err() || in_progress.len() > MAX_IN_PROGRESS {
        return None;
    }
    let mut relative_xips = Vec::with_capacity(2 * in_progress.len());
    for id in in_progress {
        write_varint(&mut relative_xips, id - xmin);
    }
    let mut message = Vec::with_capacity(relative_xips.len() + 24);
    for (field, number) in [(XMIN, xmin), (RELATIVE_XMAX, snapshot.xmax() - xmin)] {
        if number > 0 {
            write_number(&mut message, field, number);
        }
    }
    if !relative_xips.is_empty() {
        write_bytes(&mut message, RELATIVE_XIPS, &relative_xips);
    }
    Some(message)
}

struct Message {
    xmin: u64,
    relative_xmax: i64,
    relative_xips: Vec<i64>,
}

impl Message {
    fn read(snapshot: &[u8]) -> Result<Self, NotProtobuf> {
        let relative_xmax = only(snapshot, RELATIVE_XMAX, Field::varint)?.unwrap_or_default();
        Ok(Self {
            xmin: only(snapshot, XMIN, Field::varint)?.unwrap_or_default(),
            relative_xmax: relative_xmax.cast_signed(),
            relative_xips: read_xips(snapshot)?,
        })
    }
}

/// The numbers can be packed, single, or spread over several fields.
fn read_xips(snapshot: &[u8]) -> Result<Vec<i64>, NotProtobuf> {
    let mut xips = Vec::new();
    for field in fields(snapshot) {
        let field = field?;
        match (field.number, field.value) {
            (RELATIVE_XIPS, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    xips.push(read_varint(&mut packed)?.cast_signed());
                }
            }
            (RELATIVE_XIPS, _) => xips.push(field.varint()?.cast_signed()),
            _ => {}
        }
    }
    Ok(xips)
}
