use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::objects::error::ObjectsError;
use crate::objects::key::ObjectKey;
use crate::objects::postgres::builder::PostgresObjectsBuilder;
use crate::objects::postgres::database::Database;
use crate::objects::postgres::keeper::keep;
use crate::objects::postgres::notified::NotifiedFeed;
use crate::objects::postgres::polled::PolledFeed;
use crate::objects::postgres::table::SCHEMA;
use crate::objects::record::{Record, Update};
use crate::objects::store::{ObjectFeed, ObjectTokens, Reply};

/// How many objects one statement looks up or updates.
const AT_ONCE: usize = 1000;

/// The shortest heartbeat of a feed. A shorter one would only ask the database without a pause.
const SHORTEST_HEARTBEAT: Duration = Duration::from_millis(10);

/// Tokens of objects in a table of PostgreSQL (12 or newer) or CockroachDB, shared by all replicas. Clones share the connections.
///
/// ```no_run
/// use tower_zookie::objects::PostgresObjects;
///
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let objects = PostgresObjects::builder("postgres://zookie:secret@db.example/auth?sslmode=require")
///     .table("auth.zookie_objects")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// **The url** is `postgres://user:password@host:port/database`, with `?sslmode=disable`, `prefer` (the default: TLS if the server
/// offers it) or `require`. With TLS the server's certificate and name are always verified. The url must name the primary; a
/// read-only replica is refused.
///
/// **The table** is made by the migration [`SCHEMA`](Self::SCHEMA), or by the setting
/// [`create_table`](PostgresObjectsBuilder::create_table). Its role needs `SELECT`, `INSERT`, `UPDATE` and `DELETE`.
///
/// **An update** has succeeded once PostgreSQL has committed it durably. If the database fails over to a standby that replicates
/// asynchronously, it loses the last updates, and with them what this store promises; use a synchronous standby.
///
/// **Rows that have expired** are removed once a minute, in the background. **Times** are those of the database's clock, which may
/// be set. So each process compares that clock with its own monotonic clock, and a time counts as over only after the process
/// has seen the clock run evenly for as long as the time was meant to last. After a jump of more than a second this begins anew:
/// rows stay longer, and marks of unknown outcomes too. It also begins anew in a process that has just started, or that could not
/// read the clock for a minute. The clock is read at least every 5 seconds; a clock that jumps forth and back between two readings
/// is not noticed. Look-ups never ask whether a row has expired.
///
/// **Feeds** use LISTEN on a connection of their own. CockroachDB has no LISTEN: there, and with
/// [`polling`](PostgresObjectsBuilder::polling), they read the changed rows twice in each heartbeat. An index on `updated_at` makes
/// this cheap for large tables.
#[derive(Clone)]
pub struct PostgresObjects {
    database: Arc<Database>,
    polls: bool,
}

impl PostgresObjects {
    /// The migration: it makes the table `zookie_objects`.
    pub const SCHEMA: &str = SCHEMA;

    /// The settings of a store in the database with this url, `postgres://…`.
    pub fn builder(url: impl Into<String>) -> PostgresObjectsBuilder {
        PostgresObjectsBuilder::new(url.into())
    }

    pub(super) fn new(database: Arc<Database>, polls: bool) -> Self {
        tokio::spawn(keep(Arc::downgrade(&database)));
        Self { database, polls }
    }

    async fn open_feed(&self, heartbeat: Duration) -> Result<Box<dyn ObjectFeed>, ObjectsError> {
        let (database, heartbeat) = (self.database.clone(), heartbeat.max(SHORTEST_HEARTBEAT));
        if self.polls {
            return Ok(Box::new(PolledFeed::open(database, heartbeat)));
        }
        Ok(Box::new(NotifiedFeed::open(database, heartbeat).await?))
    }
}

impl ObjectTokens for PostgresObjects {
    fn look_up<'a>(&'a self, keys: &'a [ObjectKey]) -> Reply<'a, Vec<Record>> {
        Box::pin(async {
            let mut records = Vec::with_capacity(keys.len());
            for keys in keys.chunks(AT_ONCE) {
                records.extend(self.database.in_time(self.database.look_up(keys)).await?);
            }
            Ok(records)
        })
    }

    fn update<'a>(&'a self, updates: &'a [(ObjectKey, Update)]) -> Reply<'a, ()> {
        Box::pin(async {
            for updates in updates.chunks(AT_ONCE) {
                self.database.in_time(self.database.update(updates)).await?;
            }
            Ok(())
        })
    }

    fn follow(&self, heartbeat: Duration) -> Reply<'_, Box<dyn ObjectFeed>> {
        Box::pin(self.open_feed(heartbeat))
    }
}

impl fmt::Debug for PostgresObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresObjects")
            .field("table", &self.database.statements.table)
            .field("polls", &self.polls)
            .finish_non_exhaustive()
    }
}
