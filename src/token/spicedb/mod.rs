//! SpiceDB's ZedTokens.

mod message;
mod number;
mod snapshot;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::revision::{HybridTime, Opaque, PostgresSnapshot, Revision, StoreId, TransactionId};
use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::format::TokenFormat;
use crate::token::zookie::Zookie;

use message::Message;

/// The datastore engine of a SpiceDB, as its `--datastore-engine` names it. It has to be configured, because a ZedToken
/// does not name its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// `memory`
    Memory,
    /// `postgres`
    Postgres,
    /// `cockroachdb`
    CockroachDb,
    /// `spanner`
    Spanner,
    /// `mysql`
    MySql,
    /// An unknown engine: a token covers only itself.
    Opaque,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Postgres => "postgres",
            Self::CockroachDb => "cockroachdb",
            Self::Spanner => "spanner",
            Self::MySql => "mysql",
            Self::Opaque => "opaque",
        }
    }
}

/// ZedTokens of one SpiceDB: `DecodedZedToken` of SpiceDB's `impl/v1/impl.proto`, in standard, padded base64.
///
/// The engine determines a token's revision:
///
/// | engine | spelled | revision |
/// |---|---|---|
/// | memory, Spanner | nanoseconds | [`HybridTime`] |
/// | CockroachDB | nanoseconds, a dot, a logical clock of ten digits | [`HybridTime`] |
/// | MySQL | a transaction's number | [`TransactionId`] |
/// | PostgreSQL | a snapshot in base64; formerly one or two transactions' numbers | [`PostgresSnapshot`] |
/// | opaque | anything | [`Opaque`]: the token's text |
///
/// The store is the engine and the datastore's prefix in the token, so tokens of two datastores never compare. Tokens
/// of old SpiceDB versions have no prefix; they are a separate store. Other fields about the revision (a time, a
/// transaction) are ignored, so tokens with different texts can be equal. A token with a schema's hash [has more than a
/// revision](TokenFormat::has_more_than_revision).
///
/// ```
/// use tower_zookie::token::TokenFormat;
/// use tower_zookie::token::spicedb::{Engine, ZedTokens};
///
/// let format = ZedTokens::new(Engine::Memory);
/// let (one, four) = (format.decode("CAIaAwoBMQ==")?, format.decode("CAIaAwoBNA==")?);
/// assert!(one < four);
///
/// let of_some_datastore = format.decode("Gg4KAjQyEghzb21ldW5pcQ==")?;
/// assert_eq!(one.partial_cmp(&of_some_datastore), None);
/// # Ok::<(), tower_zookie::token::TokenError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ZedTokens {
    engine: Engine,
}

impl ZedTokens {
    /// The limit of a token's length, in bytes. A token of PostgreSQL takes about 100, and 4 more for each transaction
    /// in progress.
    pub const MAX_LEN: usize = 16 << 10;
    /// The limit of transactions in progress in a token of PostgreSQL.
    pub const MAX_IN_PROGRESS: usize = snapshot::MAX_IN_PROGRESS;

    /// The tokens of a SpiceDB on this engine.
    pub fn new(engine: Engine) -> Self {
        Self { engine }
    }

    fn place(&self, message: &Message<'_>, text: &str) -> Result<Revision, TokenError> {
        let store = StoreId::new(["spicedb", self.engine.name(), message.prefix]);
        let revision = &*message.revision;
        Ok(match self.engine {
            Engine::Memory | Engine::Spanner => Revision::new(store, number::read_time(revision)?),
            Engine::CockroachDb => Revision::new(store, number::read_hybrid_time(revision)?),
            Engine::MySql => Revision::new(store, number::read_transaction(revision)?),
            Engine::Postgres => Revision::new(store, snapshot::read(revision)?),
            Engine::Opaque => Revision::new(store, Opaque::new(text)),
        })
    }

    /// The datastore's prefix, if the store has this engine.
    fn prefix_of<'a>(&self, store: &'a StoreId) -> Option<&'a str> {
        let mut parts = store.parts();
        let ours = parts.next() == Some("spicedb") && parts.next() == Some(self.engine.name());
        let prefix = parts.next()?;
        (ours && parts.next().is_none()).then_some(prefix)
    }

    fn spell(&self, revision: &Revision) -> Option<String> {
        match self.engine {
            Engine::Memory | Engine::Spanner => number::write_time(revision.point::<HybridTime>()?),
            Engine::CockroachDb => Some(number::write_hybrid_time(revision.point::<HybridTime>()?)),
            Engine::MySql => Some(revision.point::<TransactionId>()?.0.to_string()),
            Engine::Postgres => Some(STANDARD.encode(snapshot::write(revision.point::<PostgresSnapshot>()?)?)),
            Engine::Opaque => None,
        }
    }
}

impl TokenFormat for ZedTokens {
    /// # Errors
    ///
    /// [`TokenErrorKind::TooLong`] over [`ZedTokens::MAX_LEN`], [`TokenErrorKind::TooManyEntries`] over
    /// [`ZedTokens::MAX_IN_PROGRESS`], and [`TokenErrorKind::Malformed`] for a text that SpiceDB on this engine would
    /// not read.
    fn decode(&self, text: &str) -> Result<Revision, TokenError> {
        let (len, max) = (text.len(), Self::MAX_LEN);
        if len > max {
            return Err(TokenErrorKind::TooLong { len, max }.into());
        }
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| TokenError::malformed("it is not standard, padded base64"))?;
        let message = message::read(&bytes)
            .map_err(|e| TokenError::malformed("it is not the message of a ZedToken").with_source(e))?;
        self.place(&message, text)
    }

    fn has_more_than_revision(&self, text: &str) -> bool {
        let bytes = STANDARD.decode(text).unwrap_or_default();
        message::read(&bytes).is_ok_and(|message| message.names_schema)
    }

    fn issues(&self, text: &str) -> bool {
        let bytes = STANDARD.decode(text).unwrap_or_default();
        message::read(&bytes).is_ok_and(|message| number::is_issued(self.engine, &message.revision))
    }

    fn encode(&self, revision: &Revision) -> Option<Zookie> {
        let prefix = self.prefix_of(revision.store())?;
        if self.engine == Engine::Opaque {
            let text = revision.point::<Opaque>()?.as_str();
            let ours = self.decode(text).is_ok_and(|named| named == *revision);
            return ours.then(|| Zookie::new(text, Self::MAX_LEN).ok())?;
        }
        let message = message::write(&self.spell(revision)?, prefix);
        Zookie::new(&STANDARD.encode(message), Self::MAX_LEN).ok()
    }
}
