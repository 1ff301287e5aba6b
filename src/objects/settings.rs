use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::invalid_setting::InvalidSetting;
use crate::objects::ancestors::Ancestors;
use crate::objects::store::ObjectTokens;

const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How each replica learns of the tokens of other replicas' writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectsMode {
    /// Each check without a token asks the store. No check is answered from before the last acknowledged write.
    Immediate,
    /// The replica follows the store's feed and remembers the tokens in its own memory. A check may be answered from before
    /// the acknowledged writes of the last `lag`. If the feed is older than that, the check asks the store.
    Followed {
        /// The longest lag. At least 10 ms.
        lag: Duration,
    },
}

/// How a layer remembers tokens per object: see the [module](crate::objects).
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tower_zookie::ZookieLayer;
/// use tower_zookie::objects::{MemoryObjects, Objects};
/// use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
///
/// # fn main() -> Result<(), tower_zookie::InvalidSetting> {
/// let store = Arc::new(MemoryObjects::new(100_000)?);
/// let layer = ZookieLayer::builder(SpiceDb::new(Engine::Postgres)).objects(Objects::immediate(store)).build()?;
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Objects {
    pub(super) store: Arc<dyn ObjectTokens>,
    pub(super) mode: ObjectsMode,
    pub(super) keep: Option<Duration>,
    pub(super) store_staleness: Option<Duration>,
    pub(super) look_up_timeout: Duration,
    pub(super) record_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) followed_capacity: usize,
    pub(super) pass_unrecorded: bool,
    pub(super) weaken_full: bool,
    pub(super) ancestors: Ancestors,
}

impl Objects {
    /// Tokens in this store, which each check without a token asks.
    pub fn immediate(store: Arc<dyn ObjectTokens>) -> Self {
        Self::new(store, ObjectsMode::Immediate)
    }

    /// Tokens in this store, which each replica follows with at most this lag.
    pub fn followed(store: Arc<dyn ObjectTokens>, lag: Duration) -> Self {
        Self::new(store, ObjectsMode::Followed { lag })
    }

    fn new(store: Arc<dyn ObjectTokens>, mode: ObjectsMode) -> Self {
        Self {
            store,
            mode,
            keep: None,
            store_staleness: None,
            look_up_timeout: Duration::from_millis(250),
            record_timeout: Duration::from_secs(2),
            write_timeout: Duration::from_secs(60),
            followed_capacity: 100_000,
            pass_unrecorded: false,
            weaken_full: false,
            ancestors: Ancestors::default(),
        }
    }

    /// How old the answer of a default read can be: the authorization system's own staleness. After a write, a read without a
    /// token may lack it for this long.
    ///
    /// By default 5.5 s for SpiceDB in memory, on PostgreSQL and on MySQL, 10.3 s on CockroachDB and Spanner, which holds for
    /// SpiceDB's own defaults (quantization 5 s, staleness 10 %, follower reads 4.8 s), and 0 for Permify. For any other
    /// system it has to be set. At most one day.
    pub fn store_staleness(mut self, staleness: Duration) -> Self {
        self.store_staleness = Some(staleness);
        self
    }

    /// For how long the token of a write is remembered. After that, any answer is newer than the write.
    ///
    /// By default twice the least, and at least one minute. It may not be less than the greatest age of an answer
    /// ([`Settings::age_bound`](crate::cache::Settings::age_bound)), [`store_staleness`](Self::store_staleness) and the lag
    /// together.
    pub fn keep(mut self, keep: Duration) -> Self {
        self.keep = Some(keep);
        self
    }

    /// How long a look-up may take. Then the check is fully consistent.
    ///
    /// By default 250 ms. More than 0, at most one day.
    pub fn look_up_timeout(mut self, timeout: Duration) -> Self {
        self.look_up_timeout = timeout;
        self
    }

    /// How long recording a write's token may take. Then the write's reply is an error, which says that the write was made.
    ///
    /// By default 2 s. More than 0, at most one day.
    pub fn record_timeout(mut self, timeout: Duration) -> Self {
        self.record_timeout = timeout;
        self
    }

    /// How long a write may still run whose reply never came. Its objects' checks are fully consistent for that long.
    ///
    /// By default 60 s. More than 0, at most one day.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How many records a replica that follows the store remembers. If there are more, objects that it does not remember are
    /// looked up.
    ///
    /// By default 100,000, some 50 MB. At least 1.
    pub fn followed_capacity(mut self, records: usize) -> Self {
        self.followed_capacity = records;
        self
    }

    /// Passes a write's reply on when its token could not be recorded, instead of an error. **Checks may then miss that write**,
    /// until answers from before it have ended by their age.
    ///
    /// Off by default.
    pub fn pass_unrecorded(mut self, pass: bool) -> Self {
        self.pass_unrecorded = pass;
        self
    }

    /// Answers fully consistent requests without a token at least as fresh as everything that was ever recorded.
    ///
    /// **This weakens what such a request asks for**: changes that did not pass a layer with this store are missed for as long
    /// as answers may be old, and with [`ObjectsMode::Followed`] also those of the last `lag`. It is for callers that ask
    /// fully consistent only to read their own writes, and can't be changed. Off by default.
    pub fn weaken_full(mut self, weaken: bool) -> Self {
        self.weaken_full = weaken;
        self
    }

    /// Also counts what was recorded of these ancestors of a check's resource and subject: see [`Ancestors`].
    ///
    /// By default there are none.
    pub fn ancestors(mut self, ancestors: Ancestors) -> Self {
        self.ancestors = ancestors;
        self
    }

    /// The settings before a layer whose answers are at most `age_bound` old.
    pub(crate) fn validate(&self, age_bound: Duration, by_default: Option<Duration>) -> Result<Valid, InvalidSetting> {
        let Some(staleness) = self.store_staleness.or(by_default) else {
            let problem = "is not set, and for this system there is no default; set it to how old the answer of a default read \
                           can be";
            return Err(InvalidSetting::new("store_staleness", problem));
        };
        let lag = match self.mode {
            ObjectsMode::Immediate => Duration::ZERO,
            ObjectsMode::Followed { lag } => lag,
        };
        if lag < Duration::from_millis(10) && self.mode != ObjectsMode::Immediate {
            let problem = "is less than 10 ms, which no feed reaches; choose a longer one, or the mode `immediate`";
            return Err(InvalidSetting::new("lag", problem));
        }
        for (setting, duration, least) in [
            ("look_up_timeout", self.look_up_timeout, Duration::from_nanos(1)),
            ("record_timeout", self.record_timeout, Duration::from_nanos(1)),
            ("write_timeout", self.write_timeout, Duration::from_nanos(1)),
            ("store_staleness", staleness, Duration::ZERO),
            ("lag", lag, Duration::ZERO),
        ] {
            if !(least..=LONGEST).contains(&duration) {
                let problem = "is 0 or longer than one day; choose a duration in between";
                return Err(InvalidSetting::new(setting, problem));
            }
        }
        if self.followed_capacity == 0 {
            let problem =
                "is 0 records, so every check would ask the store; set it to 1 or more, or choose the mode `immediate`";
            return Err(InvalidSetting::new("followed_capacity", problem));
        }
        let least = age_bound + staleness + lag;
        let keep = self.keep.unwrap_or((least * 2).max(Duration::from_secs(60)));
        if keep < least {
            let problem = format!(
                "is {keep:?}, less than {least:?}: answers may be {age_bound:?} old, the store's own reads {staleness:?}, and \
                 the feed {lag:?}; choose {least:?} or more"
            );
            return Err(InvalidSetting::new("keep", problem));
        }
        Ok(Valid {
            // So that no mark of a write that may still run ends sooner.
            keep: keep.max(self.write_timeout),
        })
    }
}

/// What is worked out of valid settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Valid {
    pub(super) keep: Duration,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("store", &self.store)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
