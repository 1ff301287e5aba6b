//! Permify's snap tokens.

mod snapshot;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::revision::{HybridTime, PermifySnapshot, Revision, StoreId};
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::format::TokenFormat;
use crate::token::zookie::Zookie;

/// The database engine of a Permify, as its `--database-engine` names it. It has to be configured: a snap token does
/// not name its engine, and its eight bytes can be nanoseconds or a transaction's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// `memory`
    Memory,
    /// `postgres`
    Postgres,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Postgres => "postgres",
        }
    }
}

/// Snap tokens of one Permify, in standard, padded base64.
///
/// The engine determines a token's revision:
///
/// | engine | spelled | revision |
/// |---|---|---|
/// | memory | 8 bytes, little endian: nanoseconds | [`HybridTime`] |
/// | PostgreSQL | `xid:xmin:xmax:in_progress`, of the write's transaction and of its snapshot, with commas in the list | [`PermifySnapshot`] |
/// | PostgreSQL, legacy | 8 bytes, little endian: the write's transaction | [`PermifySnapshot::legacy`] |
///
/// Their order is not Permify's own order, which compares only the transaction's number: see [`PermifySnapshot`].
///
/// Only tokens that Permify writes are valid, not every text that Permify would accept: four parts, decimal numbers
/// without leading zeros, and an ascending list that contains the write's own transaction. So each revision has one
/// token, and decoding and encoding a token returns the same bytes. Permify reads any 8 bytes as a legacy token, even
/// the snapshot `9:9:10:9`. This format does the same, and never writes such a snapshot: no real database has so few
/// transactions.
///
/// Two texts that Permify returns in place of a token are malformed: the empty text, and the `noop` of a write that
/// changed nothing.
///
/// The store is the engine alone, because tokens name neither their database nor a tenant. One database counts the
/// transactions of all its tenants together, so tokens of two tenants compare. Tokens of two databases compare too, so
/// never mix them.
///
/// ```
/// use tower_zookie::token::TokenFormat;
/// use tower_zookie::token::permify::{Engine, SnapTokens};
///
/// let format = SnapTokens::new(Engine::Postgres);
/// // 1273:1273:1274:1273 and 1274:1274:1275:1274, of two writes one after the other.
/// let granted = format.decode("MTI3MzoxMjczOjEyNzQ6MTI3Mw==")?;
/// let revoked = format.decode("MTI3NDoxMjc0OjEyNzU6MTI3NA==")?;
/// assert!(granted < revoked);
///
/// // 1280:1278:1281:1280 and 1282:1278:1283:1282, of two writes at once.
/// let one = format.decode("MTI4MDoxMjc4OjEyODE6MTI4MA==")?;
/// let other = format.decode("MTI4MjoxMjc4OjEyODM6MTI4Mg==")?;
/// assert_eq!(one.partial_cmp(&other), None);
///
/// let in_memory = SnapTokens::new(Engine::Memory);
/// assert!(in_memory.decode("FxHhb4CrLBc=")? < in_memory.decode("gp/twGSvLBc=")?);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SnapTokens {
    engine: Engine,
}

impl SnapTokens {
    /// The limit of a token's length, in bytes. A token of PostgreSQL takes about 40, and 15 more for each transaction
    /// in progress.
    pub const MAX_LEN: usize = 16 << 10;
    /// The limit of transactions in progress in a token of PostgreSQL.
    pub const MAX_IN_PROGRESS: usize = snapshot::MAX_IN_PROGRESS;

    /// The tokens of a Permify on this engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The token of a revision that the change feed reported as `text`; `None` if that is not a token. The feed still
    /// sends legacy tokens, which cover nothing. But it sends one only after all transactions up to it have ended, so
    /// the result is the token of a write without concurrent transactions.
    pub(crate) fn canonical(&self, text: &str) -> Option<String> {
        let revision = self.decode(text).ok()?;
        match revision.point::<PermifySnapshot>() {
            Some(legacy) if legacy.xmin().is_none() => self.spell_alone(legacy.xid()),
            _ => Some(text.to_owned()),
        }
    }

    fn spell_alone(&self, xid: u64) -> Option<String> {
        let alone = PermifySnapshot::new(xid, xid, xid.checked_add(1)?, []).ok()?;
        let zookie = self.encode(&Revision::new(self.store(), alone))?;
        Some(zookie.as_str().to_owned())
    }

    fn store(&self) -> StoreId {
        StoreId::new(["permify", self.engine.name()])
    }
}

impl TokenFormat for SnapTokens {
    /// # Errors
    ///
    /// [`TokenErrorKind::TooLong`] over [`SnapTokens::MAX_LEN`], [`TokenErrorKind::TooManyEntries`] over
    /// [`SnapTokens::MAX_IN_PROGRESS`], and [`TokenErrorKind::Malformed`] for a text that Permify on this engine would
    /// not write.
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        let (len, max) = (text.len(), Self::MAX_LEN);
        if len > max {
            return Err(TokenErrorKind::TooLong { len, max }.into());
        }
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| TokenError::malformed("it is not standard, padded base64"))?;
        Ok(match self.engine {
            Engine::Memory => Revision::new(self.store(), read_time(&bytes)?),
            Engine::Postgres => Revision::new(self.store(), snapshot::read(&bytes)?),
        })
    }

    /// Also `None` for a snapshot whose text would be read as a legacy token, see [`SnapTokens`].
    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        if *revision.store() != self.store() {
            return None;
        }
        let bytes = match self.engine {
            Engine::Memory => write_time(revision.point::<HybridTime>()?)?,
            Engine::Postgres => snapshot::write(revision.point::<PermifySnapshot>()?)?,
        };
        Zookie::new(&STANDARD.encode(bytes), Self::MAX_LEN).ok()
    }
}

fn read_time(token: &[u8]) -> Result<HybridTime, TokenError> {
    let nanos = token.try_into().ok().map(u64::from_le_bytes);
    let nanos = nanos.and_then(|nanos| i64::try_from(nanos).ok());
    let nanos = nanos.ok_or_else(|| TokenError::malformed("it is not the 8 bytes of a time in nanoseconds"))?;
    Ok(HybridTime { nanos, logical: 0 })
}

/// `None` for a time before 1970 or with a logical part, which this spelling can't express.
fn write_time(time: &HybridTime) -> Option<Vec<u8>> {
    let nanos = u64::try_from(time.nanos).ok().filter(|_| time.logical == 0)?;
    Some(nanos.to_le_bytes().into())
}
