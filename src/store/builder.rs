use std::time::Duration;

use crate::store::embedded::Store;
use crate::store::schema::Schema;
use crate::store::settings::Settings;

/// The settings of a [`Store`].
///
/// ```
/// use std::time::Duration;
/// use tower_zookie::store::{Schema, Store};
///
/// let schema = Schema::parse("definition user {}")?;
/// let store = Store::builder().gc_window(Duration::from_secs(3600)).max_revisions(10_000).build(schema);
/// # let _ = store;
/// # Ok::<(), tower_zookie::store::SchemaError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StoreBuilder {
    settings: Settings,
}

impl StoreBuilder {
    /// How long an old revision stays readable; by default 24 hours, as in SpiceDB. Later writes collect older
    /// revisions, a few with each write.
    #[must_use]
    pub fn gc_window(mut self, window: Duration) -> Self {
        self.settings.gc_window = window;
        self
    }

    /// The maximum number of retained revisions, including the current one; by default 100,000, at least 1. It also
    /// limits how far the reader of a change stream can fall behind.
    #[must_use]
    pub fn max_revisions(mut self, count: u64) -> Self {
        self.settings.max_revisions = count;
        self
    }

    /// The maximum number of steps of a check; by default 1,000,000. A step reads one relationship or one part of a
    /// permission.
    #[must_use]
    pub fn max_check_steps(mut self, count: u64) -> Self {
        self.settings.max_check_steps = count;
        self
    }

    /// The maximum number of updates and preconditions of one write, counted together; by default 1,000.
    #[must_use]
    pub fn max_updates(mut self, count: usize) -> Self {
        self.settings.max_updates = count;
        self
    }

    /// An empty store at revision 1.
    pub fn build(self, schema: Schema) -> Store {
        Store::with_settings(schema, self.settings)
    }
}

impl Store {
    /// An empty store at revision 1, with the default settings.
    pub fn new(schema: Schema) -> Self {
        Self::builder().build(schema)
    }

    /// A store with other settings.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }
}
