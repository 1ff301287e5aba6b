use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A polled feed looks back by more than this.
pub(super) const LONGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of [`PostgresObjects`](crate::objects::PostgresObjects).
#[derive(Clone)]
pub struct PostgresObjectsBuilder {
    pub(super) url: String,
    pub(super) table: String,
    pub(super) max_connections: usize,
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) create_table: bool,
    pub(super) polling: bool,
}

impl PostgresObjectsBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            table: "zookie_objects".to_owned(),
            max_connections: 10,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(5),
            ca_file: None,
            create_table: false,
            polling: false,
        }
    }

    /// Sets the table's name, optionally with its schema, such as `auth.zookie_objects`. Upper and lower case differ.
    ///
    /// By default `zookie_objects`, in the first schema of the search path that has it. Each part has at most 63 letters, digits
    /// and underscores.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Sets the largest number of connections for look-ups and updates. Each feed has one more.
    ///
    /// By default 10. From 1 to 1,000.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Sets the longest time that a look-up or an update may take, the wait for a connection included. Those of more than 1,000
    /// objects have it for each thousand.
    ///
    /// By default 2 seconds. From 1 millisecond to 10 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the longest time that it may take to open a connection.
    ///
    /// By default 5 seconds. From 1 millisecond to 60 seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Trusts only the authorities in this PEM file.
    ///
    /// By default those that the system trusts.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Makes the table if it is not there. The role needs the right to create tables then.
    ///
    /// By default `false`: run the migration [`PostgresObjects::SCHEMA`](crate::objects::PostgresObjects::SCHEMA).
    #[must_use]
    pub fn create_table(mut self, create: bool) -> Self {
        self.create_table = create;
        self
    }

    /// Follows changes by queries instead of LISTEN. Say `true` where a proxy does not pass notifications on.
    ///
    /// By default `false`. CockroachDB has no LISTEN, and its changes are always followed by queries.
    #[must_use]
    pub fn polling(mut self, polling: bool) -> Self {
        self.polling = polling;
        self
    }
}

/// Shows neither the url, which has a password, nor what may stand in it.
impl fmt::Debug for PostgresObjectsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresObjectsBuilder")
            .field("table", &self.table)
            .field("max_connections", &self.max_connections)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("ca_file", &self.ca_file)
            .field("create_table", &self.create_table)
            .field("polling", &self.polling)
            .finish_non_exhaustive()
    }
}
