use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::cache::ObjectStats;
use crate::objects::ancestors::{Ancestors, Relation};
use crate::objects::batches::Batches;
use crate::objects::counters::ObjectCounters;
use crate::objects::error::ObjectsError;
use crate::objects::followed::{Followed, follow};
use crate::objects::key::ObjectKey;
use crate::objects::known::{Known, Picture, Remembered, Strict, later};
use crate::objects::lookups::Queries;
use crate::objects::owned::OwnedObject;
use crate::objects::record::Update;
use crate::objects::records::Updates;
use crate::objects::settings::{Objects, ObjectsMode, Valid};
use crate::objects::store::ObjectTokens;
use crate::protocol::{Object, Unreadable};
use crate::revision::Revision;
use crate::token::TokenFormat;

/// The most keys that one request looks up. Beyond it, it is fully consistent.
const MOST_KEYS: usize = 32 << 10;

/// What a layer remembers of objects: the floors of checks, and what writes record.
pub(crate) struct ObjectFloors {
    store: Arc<dyn ObjectTokens>,
    format: Arc<dyn TokenFormat>,
    queries: Batches<Queries>,
    updates: Batches<Updates>,
    followed: Option<Arc<Followed>>,
    follows: AtomicBool,
    look_up_timeout: Duration,
    write_timeout: Duration,
    keep: Duration,
    ancestors: Ancestors,
    counters: Arc<ObjectCounters>,
    pub(crate) pass_unrecorded: bool,
    pub(crate) weaken_full: bool,
}

/// What a request depends on.
#[derive(Clone, Debug)]
pub(crate) struct AboutObjects {
    /// Its objects, their ancestors that a function knows, and the whole store.
    pub(crate) keys: Vec<ObjectKey>,
    /// Its objects whose ancestors are read from the store.
    pub(crate) related: Vec<OwnedObject>,
}

impl AboutObjects {
    /// All that was ever recorded.
    pub(crate) fn everything() -> Self {
        Self {
            keys: vec![ObjectKey::everything()],
            related: Vec::new(),
        }
    }
}

/// What a follower tells the layer.
pub(crate) trait Heard: Send + Sync + 'static {
    /// The store named this revision.
    fn named(&self, revision: &Revision);

    /// A record has a token that can't be read here.
    fn unreadable(&self);

    /// A look-up failed.
    fn look_up_failed(&self, why: &ObjectsError);

    /// The feed ended.
    fn feed_ended(&self, why: &ObjectsError);
}

impl ObjectFloors {
    pub(crate) fn new(settings: Objects, Valid { keep }: Valid, format: Arc<dyn TokenFormat>) -> Self {
        let counters = Arc::new(ObjectCounters::default());
        let followed = match settings.mode {
            ObjectsMode::Immediate => None,
            ObjectsMode::Followed { lag } => {
                let format = Arc::clone(&format);
                Some(Arc::new(Followed::new(format, lag, keep, settings.followed_capacity)))
            }
        };
        let queries = Queries {
            store: Arc::clone(&settings.store),
            format: Arc::clone(&format),
            limit: settings.look_up_timeout,
            counters: Arc::clone(&counters),
        };
        let updates = Updates {
            store: Arc::clone(&settings.store),
            limit: settings.record_timeout,
        };
        Self {
            store: settings.store,
            format,
            queries: queries.begin(),
            updates: updates.begin(),
            followed,
            follows: AtomicBool::new(false),
            look_up_timeout: settings.look_up_timeout,
            write_timeout: settings.write_timeout,
            keep,
            ancestors: settings.ancestors,
            counters,
            pass_unrecorded: settings.pass_unrecorded,
            weaken_full: settings.weaken_full,
        }
    }

    pub(crate) fn counters(&self) -> &ObjectCounters {
        &self.counters
    }

    pub(crate) fn stats(&self) -> ObjectStats {
        let (lag, followed) = self.followed.as_ref().map_or((None, 0), |followed| followed.lag());
        ObjectStats {
            lag_seconds: lag.map(|lag| lag.as_secs_f64()),
            followed: followed as u64,
            ..self.counters.read()
        }
    }

    /// Begins to follow the store, unless that has begun. It ends with this.
    pub(crate) fn begin<H: Heard>(&self, heard: &Arc<H>) {
        let Some(followed) = &self.followed else { return };
        if self.follows.load(Ordering::Relaxed) || self.follows.swap(true, Ordering::Relaxed) {
            return;
        }
        let (named, ended) = (Arc::downgrade(heard), Arc::downgrade(heard));
        tokio::spawn(follow(
            Arc::downgrade(followed),
            Arc::clone(&self.store),
            Arc::clone(&self.counters),
            move |known| tell(&named, known),
            move |why| {
                if let Some(heard) = ended.upgrade() {
                    heard.feed_ended(why);
                }
            },
        ));
    }

    /// What a request depends on which names these objects.
    pub(crate) fn about(
        &self,
        name: impl FnOnce(&mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable>,
    ) -> Result<AboutObjects, Strict> {
        let mut about = AboutObjects {
            keys: Vec::with_capacity(4),
            related: Vec::new(),
        };
        let named = name(&mut |object| {
            if about.keys.len() < MOST_KEYS {
                about.keys.push(ObjectKey::of(&object));
                self.ancestors
                    .visit_known(&object, &mut |ancestor| about.keys.push(ObjectKey::of(&ancestor)));
                if self.has_relations(&object) {
                    about.related.extend(OwnedObject::of(&object));
                }
            }
        });
        if named.is_err() || about.keys.len() >= MOST_KEYS {
            return Err(Strict::Unnamed);
        }
        about.keys.push(ObjectKey::store());
        Ok(about)
    }

    /// Whether the ancestors of this object are read from the store.
    pub(crate) fn has_relations(&self, object: &Object<'_>) -> bool {
        self.relations_of(object).next().is_some()
    }

    /// The relations of this object whose subjects are its ancestors.
    pub(crate) fn relations_of(&self, object: &Object<'_>) -> impl Iterator<Item = &Arc<str>> {
        let kind = object.kind;
        let of_kind = move |relation: &&Relation| relation.kind.as_bytes() == kind;
        self.ancestors
            .relations
            .iter()
            .filter(of_kind)
            .map(|relation| &relation.name)
    }

    /// What this process knows by itself of a request that names these objects, if that is fresh enough.
    pub(crate) fn find(
        &self,
        name: impl FnOnce(&mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable>,
        now: Instant,
    ) -> Option<Remembered> {
        let followed = self.followed.as_ref().filter(|_| self.ancestors.relations.is_empty())?;
        followed.find(name, &self.ancestors, now)
    }

    /// What is known of each of these objects: to this process, or to the store. `heard` gets each token.
    pub(crate) async fn look_up<H: Heard>(
        &self,
        keys: &[ObjectKey],
        arrived: Instant,
        heard: &H,
    ) -> Result<Picture, Strict> {
        if keys.is_empty() {
            return Ok(Picture::default());
        }
        let in_memory = self
            .followed
            .as_ref()
            .and_then(|followed| followed.find_each(keys, arrived));
        if let Some(picture) = in_memory {
            return Ok(picture);
        }
        let wanted = keys.iter().map(|key| (key.clone(), ())).collect();
        let limit = later(Instant::now(), self.look_up_timeout);
        let known = match timeout_at(limit, self.queries.join(wanted)).await {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                heard.look_up_failed(&error);
                return Err(Strict::NotKnown);
            }
            Err(_) => {
                heard.look_up_failed(&ObjectsError::new("a look-up took longer than `look_up_timeout`"));
                return Err(Strict::NotKnown);
            }
        };
        let each = keys.iter().filter_map(|key| Some((key, known.get(key)?)));
        each.clone().for_each(|(_, known)| say(heard, known));
        Ok(Picture::of(each.map(|(key, known)| (key.clone(), known.clone())), true))
    }

    /// The keys that a write changes which touches these objects. One that can't be pinned, or names none, changes the whole
    /// store.
    pub(crate) fn touched(
        &self,
        name: impl FnOnce(&mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable>,
    ) -> Vec<ObjectKey> {
        let mut keys = Vec::new();
        let named = name(&mut |object| {
            if keys.len() < MOST_KEYS {
                keys.push(ObjectKey::of(&object));
                let kind = Object { id: None, ..object };
                keys.push(ObjectKey::of(&kind));
            }
        });
        if named.is_err() || keys.is_empty() || keys.len() >= MOST_KEYS {
            return self.touched_all();
        }
        keys.push(ObjectKey::everything());
        keys
    }

    /// The keys that a write changes which may touch any object.
    pub(crate) fn touched_all(&self) -> Vec<ObjectKey> {
        vec![ObjectKey::store(), ObjectKey::everything()]
    }

    /// Records that a write of these objects made one of these revisions, or an earlier one.
    pub(crate) async fn record(
        &self,
        keys: &[ObjectKey],
        revisions: impl IntoIterator<Item = Revision>,
    ) -> Result<(), Arc<ObjectsError>> {
        let change = revisions.into_iter().fold(self.change(), Update::advance);
        self.update(keys, change).await
    }

    /// Leaves these objects unsettled until any answer is newer than what was written now.
    pub(crate) async fn unsettle(&self, keys: &[ObjectKey]) -> Result<(), Arc<ObjectsError>> {
        self.update(keys, self.change().unsettle(self.keep)).await
    }

    /// Leaves these objects unsettled for as long as a write of unknown outcome may still run.
    pub(crate) async fn leave_open(&self, keys: &[ObjectKey]) -> Result<(), Arc<ObjectsError>> {
        self.update(keys, self.change().unsettle(self.write_timeout)).await
    }

    fn change(&self) -> Update {
        Update::new(Arc::clone(&self.format), self.keep)
    }

    async fn update(&self, keys: &[ObjectKey], update: Update) -> Result<(), Arc<ObjectsError>> {
        let updates = keys.iter().map(|key| (key.clone(), update.clone())).collect();
        self.updates.join(updates).await.map(drop)
    }
}

fn tell<H: Heard>(heard: &Weak<H>, known: &Known) {
    if let Some(heard) = heard.upgrade() {
        say(&*heard, known);
    }
}

fn say<H: Heard>(heard: &H, known: &Known) {
    known.revisions.iter().for_each(|revision| heard.named(revision));
    if known.is_unreadable() {
        heard.unreadable();
    }
}

impl fmt::Debug for ObjectFloors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectFloors")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
