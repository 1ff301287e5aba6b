use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::objects::postgres::table::Table;

/// What is read of a row, in the order in which `Held::read` expects it.
const COLUMNS: &str = "held.key, held.tokens, held.version, held.unsettled_at, held.unsettled_until, clock.now";

/// The statements, with the table's name in them.
pub(super) struct Statements {
    /// The table's name.
    pub(super) table: String,
    /// The rows of these keys. Each has the clock; without any row there is one of the clock alone.
    pub(super) look_up: String,
    /// The same, and locks the rows, in the order of the keys' bytes.
    pub(super) lock: String,
    /// Replaces rows that have the version that was read, and adds those that were absent. Returns the keys of both.
    pub(super) write: String,
    /// A page of all rows.
    pub(super) page: String,
    /// The rows that have changed since a time of the database's clock.
    pub(super) changed: String,
    /// Removes some rows that have expired.
    pub(super) remove: String,
    /// To which channel a write names its keys.
    pub(super) channel: String,
}

impl Statements {
    pub(super) fn new(table: &Table) -> Self {
        let name = &table.name;
        // Evaluated once, before any row is read.
        let clock = "(SELECT clock_timestamp() AS now) AS clock";
        let select = format!("SELECT {COLUMNS} FROM {clock} LEFT JOIN {name} AS held");
        let (channel, notified) = channel(table);
        Self {
            table: name.clone(),
            look_up: format!("{select} ON held.key = ANY($1::text[])"),
            lock: format!(
                "SELECT {COLUMNS} FROM {name} AS held CROSS JOIN {clock} WHERE held.key = ANY($1::text[]) \
                 ORDER BY convert_to(held.key, 'UTF8') FOR UPDATE OF held"
            ),
            write: write(name, &notified),
            page: format!(
                "SELECT {COLUMNS} FROM {clock} LEFT JOIN (SELECT * FROM {name} WHERE key > $1::text ORDER BY key LIMIT $2::bigint) AS held \
                 ON true ORDER BY held.key"
            ),
            changed: format!("{select} ON held.updated_at >= $1::timestamptz"),
            // See `length_of_error` of the clock.
            remove: format!(
                "DELETE FROM {name} WHERE key IN (SELECT key FROM {name} WHERE \
                 expires_at + (expires_at - updated_at) / 600 + interval '3 seconds' < $1::timestamptz AND \
                 expires_at - updated_at <= $2::float8 * interval '1 second' LIMIT $3::bigint FOR UPDATE SKIP LOCKED) RETURNING 1"
            ),
            channel,
        }
    }
}

/// A table has a channel of its own. Names of channels are at most 63 bytes long.
fn channel(table: &Table) -> (String, String) {
    let mut hasher = SipHasher24::new();
    hasher.write(table.name.as_bytes());
    let channel = format!("zookie_{:032x}", hasher.finish128().as_u128());
    let notified = if table.is_cockroach {
        "key".to_owned()
    } else {
        format!("key, pg_notify('{channel}', key)")
    };
    (channel, notified)
}

/// A row that was there is replaced if it has the version that was read: one less than the new one. A row that was absent gets a
/// random version, so that another writer's new row has a different one, and is not replaced.
///
/// `unsettled`: null leaves the mark as it is, 0 removes it, and a number of seconds sets it.
fn write(name: &str, notified: &str) -> String {
    format!(
        "WITH written AS (\
         INSERT INTO {name} AS held (key, tokens, version, unsettled_at, unsettled_until, updated_at, expires_at) \
         SELECT new.key, string_to_array(new.tokens, ' '), new.version, \
         CASE WHEN new.unsettled IS NOT NULL THEN clock.now END, clock.now + new.unsettled * interval '1 second', \
         clock.now, clock.now + new.keep * interval '1 second' \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::float8[], $5::float8[]) \
         AS new (key, tokens, version, unsettled, keep) CROSS JOIN (SELECT clock_timestamp() AS now) AS clock \
         ON CONFLICT (key) DO UPDATE SET tokens = excluded.tokens, version = excluded.version, \
         unsettled_at = CASE WHEN excluded.unsettled_at IS NULL THEN held.unsettled_at \
         WHEN excluded.unsettled_at = excluded.unsettled_until THEN NULL ELSE clock_timestamp() END, \
         unsettled_until = CASE WHEN excluded.unsettled_at IS NULL THEN held.unsettled_until \
         WHEN excluded.unsettled_at = excluded.unsettled_until THEN NULL \
         ELSE clock_timestamp() + (excluded.unsettled_until - excluded.unsettled_at) END, \
         updated_at = clock_timestamp(), \
         expires_at = clock_timestamp() + greatest(excluded.expires_at - excluded.updated_at, held.expires_at - held.updated_at) \
         WHERE held.version = excluded.version - 1 RETURNING key) \
         SELECT {notified} FROM written"
    )
}
