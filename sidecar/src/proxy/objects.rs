//! Tokens that are remembered per object.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tower_zookie::InvalidSetting;
use tower_zookie::objects::{self, Ancestors, MemoryObjects, NatsObjects, ObjectTokens, ObjectsError, PostgresObjects};

/// How tokens are remembered.
#[derive(Clone, Debug)]
pub struct Objects {
    pub place: Place,
    /// The longest lag, if the store is followed.
    pub followed: Option<Duration>,
    pub keep: Option<Duration>,
    pub store_staleness: Option<Duration>,
    pub look_up_timeout: Duration,
    pub record_timeout: Duration,
    pub write_timeout: Duration,
    /// How many records are held in memory.
    pub capacity: usize,
    /// The table or the bucket.
    pub name: String,
    pub create: bool,
    pub ca: Option<PathBuf>,
    pub pass_unrecorded: bool,
    pub weaken_full: bool,
    /// Types and their relations.
    pub ancestors: Vec<(String, String)>,
}

/// Where tokens are remembered. URLs may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    Memory,
    Postgres(String),
    Nats(String),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "Memory",
            Self::Postgres(_) => "Postgres",
            Self::Nats(_) => "Nats",
        })
    }
}

/// The option that sets a setting of the layer.
pub fn flag(setting: &str) -> String {
    const OF_OBJECTS: [&str; 6] = [
        "keep",
        "store_staleness",
        "look_up_timeout",
        "record_timeout",
        "write_timeout",
        "lag",
    ];
    let flag = match setting {
        "followed_capacity" => "objects_capacity".to_owned(),
        of_objects if OF_OBJECTS.contains(&of_objects) => format!("objects_{of_objects}"),
        other => other.to_owned(),
    };
    flag.replace('_', "-")
}

/// Why tokens can't be remembered.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsSetupError {
    #[error("'--objects-{}' {}", .0.setting().replace('_', "-"), .0.problem())]
    Setting(InvalidSetting),
    #[error("the store of '--objects' can't be used")]
    Store(#[from] ObjectsError),
}

impl Objects {
    /// Connects to the store.
    pub async fn connect(&self) -> Result<Arc<dyn ObjectTokens>, ObjectsSetupError> {
        Ok(match &self.place {
            Place::Memory => Arc::new(MemoryObjects::new(self.capacity).map_err(ObjectsSetupError::Setting)?),
            Place::Postgres(url) => {
                let builder = PostgresObjects::builder(url)
                    .table(&*self.name)
                    .create_table(self.create);
                let builder = match &self.ca {
                    Some(path) => builder.ca_file(path),
                    None => builder,
                };
                Arc::new(builder.connect().await?)
            }
            Place::Nats(url) => {
                let builder = NatsObjects::builder(url).bucket(&*self.name).create_bucket(self.create);
                let builder = match &self.ca {
                    Some(path) => builder.ca_file(path),
                    None => builder,
                };
                Arc::new(builder.connect().await?)
            }
        })
    }

    /// The layer's settings with this store.
    pub fn settings(&self, store: Arc<dyn ObjectTokens>) -> objects::Objects {
        let settings = match self.followed {
            None => objects::Objects::immediate(store),
            Some(lag) => objects::Objects::followed(store, lag).followed_capacity(self.capacity),
        };
        let relation = |ancestors: Ancestors, (kind, name): &(String, String)| ancestors.relation(kind, name);
        let settings = settings
            .look_up_timeout(self.look_up_timeout)
            .record_timeout(self.record_timeout)
            .write_timeout(self.write_timeout)
            .pass_unrecorded(self.pass_unrecorded)
            .weaken_full(self.weaken_full)
            .ancestors(self.ancestors.iter().fold(Ancestors::default(), relation));
        let settings = match self.keep {
            Some(keep) => settings.keep(keep),
            None => settings,
        };
        match self.store_staleness {
            Some(staleness) => settings.store_staleness(staleness),
            None => settings,
        }
    }
}
