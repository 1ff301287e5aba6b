use std::time::{Duration, SystemTime};

use tokio_postgres::{Error, Row};

use crate::objects::postgres::clock::Reading;
use crate::objects::record::Record;
use crate::token::Zookie;

/// Longer than any token that a service issues.
const LONGEST_TOKEN: usize = 16 << 10;

/// Far longer than anything is kept, and short enough for every clock.
pub(super) const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A row of the table.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) key: String,
    pub(super) version: i64,
    /// What the row says. If not all of it can be read, the object is unsettled for ever.
    pub(super) record: Record,
    /// Whether all of it can be read.
    pub(super) is_whole: bool,
    /// Whether the row has a mark, be it over or not.
    pub(super) has_mark: bool,
}

impl Held {
    /// `None`: there was no row, and the answer has the clock alone.
    pub(super) fn read(row: &Row, reading: &Reading) -> Result<Option<Self>, Error> {
        let Some(key) = row.try_get::<_, Option<String>>(0)? else {
            return Ok(None);
        };
        let texts: Vec<Option<&str>> = row.try_get(1)?;
        let (at, until): (Option<SystemTime>, Option<SystemTime>) = (row.try_get(3)?, row.try_get(4)?);
        let token = |text: &Option<&str>| Zookie::new((*text)?, LONGEST_TOKEN).ok();
        let tokens: Vec<_> = texts.iter().filter_map(token).collect();
        let mark = at.zip(until);
        let is_whole = tokens.len() == texts.len() && at.is_some() == until.is_some();
        let unsettled = match mark {
            _ if !is_whole => Some(CENTURY),
            Some((at, until)) => reading.left(at, until),
            None => None,
        };
        Ok(Some(Self {
            key,
            version: row.try_get(2)?,
            record: Record { tokens, unsettled },
            is_whole,
            has_mark: at.is_some() || until.is_some(),
        }))
    }
}
