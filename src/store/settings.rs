use std::time::Duration;

use super::Store;
use super::schema::Schema;

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
#[derive(Clone, Debug)]
pub struct StoreBuilder {
    pub(super) gc_window: Duration,
    pub(super) max_revisions: u64,
    pub(super) max_check_steps: u64,
    pub(super) max_updates: usize,
}

impl Default for StoreBuilder {
    fn default() -> Self {
        Self {
            gc_window: Duration::from_secs(24 * 60 * 60),
            max_revisions: 100_000,
            max_check_steps: 1_000_000,
            max_updates: 1_000,
        }
    }
}

impl StoreBuilder {
    /// How long an overwritten revision stays readable (24 hours, as SpiceDB's). Older ones go with later writes, a
    /// few at each.
    #[must_use]
    pub fn gc_window(mut self, window: Duration) -> Self {
        self.gc_window = window;
        self
    }

    /// How many revisions are kept at most, the current one included (100,000; at least 1). This also bounds how far
    /// the reader of a change stream can fall behind.
    #[must_use]
    pub fn max_revisions(mut self, count: u64) -> Self {
        self.max_revisions = count;
        self
    }

    /// How many steps a check takes at most before it is given up (1,000,000). A step looks at one relationship or one
    /// part of a permission.
    #[must_use]
    pub fn max_check_steps(mut self, count: u64) -> Self {
        self.max_check_steps = count;
        self
    }

    /// How many updates and preconditions one write takes, counted together (1,000).
    #[must_use]
    pub fn max_updates(mut self, count: usize) -> Self {
        self.max_updates = count;
        self
    }

    /// An empty store at revision 1.
    pub fn build(self, schema: Schema) -> Store {
        Store::with_settings(schema, self)
    }
}
