//! Revisions that are decimal numbers.

use crate::revision::{HybridTime, TransactionId};
use crate::token::error::TokenError;
use crate::token::spicedb::Engine;

/// The digits of a logical clock. Missing digits at the end are zeros.
const LOGICAL_DIGITS: usize = 10;

pub(super) fn read_time(revision: &str) -> Result<HybridTime, TokenError> {
    Ok(HybridTime {
        nanos: read_nanos(revision)?,
        logical: 0,
    })
}

pub(super) fn read_hybrid_time(revision: &str) -> Result<HybridTime, TokenError> {
    let Some((nanos, logical)) = revision.split_once('.') else {
        return read_time(revision);
    };
    if logical.len() > LOGICAL_DIGITS || !is_digits(logical) {
        return Err(TokenError::malformed(
            "its logical clock is not a number of at most ten digits",
        ));
    }
    Ok(HybridTime {
        nanos: read_nanos(nanos)?,
        logical: format!("{logical:0<LOGICAL_DIGITS$}")
            .parse()
            .map_err(|e| TokenError::malformed("its logical clock is not a number of 32 bits").with_source(e))?,
    })
}

pub(super) fn read_transaction(revision: &str) -> Result<TransactionId, TokenError> {
    read_unsigned(revision).map(TransactionId)
}

/// No clock of today shows less in nanoseconds since 1970, and no database has counted as many transactions.
const TIMES_FROM: u64 = 1 << 53;

/// Whether a SpiceDB of today on this engine names such a revision in its replies, given that it reads it.
pub(super) fn is_issued(engine: Engine, revision: &str) -> bool {
    let number = revision.parse::<u64>().ok();
    match engine {
        // A snapshot in base64. Decimal ones are of old versions.
        Engine::Postgres => !revision.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
        Engine::MySql => number.is_some_and(|number| number < TIMES_FROM),
        Engine::Memory => number.is_some_and(|number| number >= TIMES_FROM),
        Engine::CockroachDb => revision.contains('.'),
        // Spanner's numbers are those of a service of SpiceDB's API that counts its revisions, too.
        Engine::Spanner | Engine::Opaque => true,
    }
}

/// Reads a number of 64 bits without a sign. Leading zeros are valid, as in SpiceDB.
pub(super) fn read_unsigned(text: &str) -> Result<u64, TokenError> {
    let number = is_digits(text).then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| TokenError::malformed("its revision is not a transaction's number of 64 bits"))
}

fn read_nanos(text: &str) -> Result<i64, TokenError> {
    text.parse()
        .map_err(|e| TokenError::malformed("its revision is not a time in nanoseconds").with_source(e))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `None` for a time with a logical part, which this spelling can't express.
pub(super) fn write_time(time: &HybridTime) -> Option<String> {
    (time.logical == 0).then(|| time.nanos.to_string())
}

pub(super) fn write_hybrid_time(time: &HybridTime) -> String {
    format!("{}.{:0LOGICAL_DIGITS$}", time.nanos, time.logical)
}
