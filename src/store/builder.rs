use std::time::Duration;

use crate::invalid_setting::InvalidSetting;
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
/// let store = Store::builder().gc_window(Duration::from_secs(3600)).max_revisions(10_000).build(schema)?;
/// # let _ = store;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct StoreBuilder {
    settings: Settings,
}

impl StoreBuilder {
    /// How long an old revision stays readable; by default 24 hours, as in SpiceDB. Later writes collect older
    /// revisions, a few with each write.
    pub fn gc_window(mut self, window: Duration) -> Self {
        self.settings.gc_window = window;
        self
    }

    /// The maximum number of retained revisions, including the current one; by default 100,000, at least 1. It also
    /// limits how far the reader of a change stream can fall behind.
    pub fn max_revisions(mut self, count: u64) -> Self {
        self.settings.max_revisions = count;
        self
    }

    /// The maximum number of steps of a check; by default 1,000,000. A step reads one relationship or one part of a
    /// permission. At least 1.
    pub fn max_check_steps(mut self, count: u64) -> Self {
        self.settings.max_check_steps = count;
        self
    }

    /// The maximum number of updates and preconditions of one write, counted together; by default 1,000, at least 1. It is
    /// not for the loading of a recorded history ([`Store::load`]).
    pub fn max_updates(mut self, count: usize) -> Self {
        self.settings.max_updates = count;
        self
    }

    /// An empty store at revision 1.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`] names the setting that makes no sense.
    pub fn build(self, schema: Schema) -> Result<Store, InvalidSetting> {
        Ok(Store::with_settings(schema, self.validated()?))
    }

    pub(super) fn validated(self) -> Result<Settings, InvalidSetting> {
        self.settings.validate()?;
        Ok(self.settings)
    }
}

impl Store {
    /// An empty store at revision 1, with the default settings.
    pub fn new(schema: Schema) -> Self {
        Self::with_settings(schema, Settings::default())
    }

    /// A store with other settings.
    pub fn builder() -> StoreBuilder {
        StoreBuilder::default()
    }
}
