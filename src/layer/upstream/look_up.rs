use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;

use http::request::Parts;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::layer::body::RequestBody;
use crate::layer::inner::Upstream;
use crate::layer::pending::{LookedUp, RememberedIn};
use crate::layer::state::LayerState;
use crate::layer::upstream::related::Related;
use crate::objects::{AboutObjects, ObjectFloors, ObjectKey, OwnedObject, Picture, Remembered, Strict};
use crate::protocol::{Protocol, Route};

/// How many levels of ancestors are followed. Deeper ones make a check fully consistent.
const MOST_LEVELS: usize = 8;

/// How many objects whose ancestors are read one request may have.
const MOST_OBJECTS: usize = 256;

/// Looks up what is remembered of a request's objects, and of their ancestors.
pub(in crate::layer) async fn look_up<S, P, B>(
    state: &Arc<LayerState<P>>,
    inner: S,
    route: Route,
    parts: &Parts,
    about: &AboutObjects,
    arrived: Instant,
) -> LookedUp
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let strict = |why| LookedUp {
        remembered: Remembered::Strict(why),
        found_in: RememberedIn::Store,
    };
    let Some(objects) = &state.objects else {
        return strict(Strict::NotKnown);
    };
    let mut picture = match objects.look_up(&about.keys, arrived, &**state).await {
        Ok(picture) => picture,
        Err(why) => return strict(why),
    };
    if let Remembered::Strict(why) = picture.join(&about.keys, arrived) {
        return strict(why);
    }
    let mut keys = about.keys.clone();
    let mut level = about.related.clone();
    let mut seen: HashSet<OwnedObject> = level.iter().cloned().collect();
    let parts = Arc::new(parts.clone());
    for _ in 0..=MOST_LEVELS {
        if level.is_empty() {
            let found_in = match picture.is_asked() {
                true => RememberedIn::Store,
                false => RememberedIn::Memory,
            };
            let remembered = picture.join(&keys, arrived);
            return LookedUp { remembered, found_in };
        }
        if seen.len() > MOST_OBJECTS {
            state.warn_of_ancestors("the request has more than 256 objects with ancestors");
            return strict(Strict::NotKnown);
        }
        let reads = read_level::<S, P, B>(state, &inner, objects, route, &parts, &level, &picture, arrived);
        let found = match reads {
            Ok(reads) => match all(reads).await {
                Ok(found) => found,
                Err(why) => {
                    state.warn_of_ancestors(why);
                    return strict(Strict::NotKnown);
                }
            },
            Err(why) => return strict(why),
        };
        level.clear();
        for object in found {
            if seen.insert(object.clone()) {
                keys.push(object.key());
                level.push(object);
            }
        }
        let above: Vec<ObjectKey> = level.iter().map(OwnedObject::key).collect();
        level.retain(|object| objects.has_relations(&object.borrowed()));
        match objects.look_up(&above, arrived, &**state).await {
            Ok(more) => picture.add(more),
            Err(why) => return strict(why),
        }
    }
    state.warn_of_ancestors("there are more than 8 levels of them");
    strict(Strict::NotKnown)
}

/// Begins to read the ancestors of these objects, one level up, each under the object's own floor: an object that was moved is
/// not looked up where it was.
#[expect(clippy::too_many_arguments, reason = "all that is known of the request")]
fn read_level<S, P, B>(
    state: &Arc<LayerState<P>>,
    inner: &S,
    objects: &ObjectFloors,
    route: Route,
    parts: &Arc<Parts>,
    level: &[OwnedObject],
    picture: &Picture,
    arrived: Instant,
) -> Result<Reads, Strict>
where
    S: Upstream<B>,
    P: Protocol,
    B: RequestBody,
{
    let mut reads = JoinSet::new();
    for object in level {
        let own = [object.key(), ObjectKey::store()];
        let floors = match picture.join(&own, arrived) {
            Remembered::Floors(floors) => floors,
            Remembered::Strict(why) => return Err(why),
        };
        for relation in objects.relations_of(&object.borrowed()) {
            let related = Related::<S, P, B> {
                state: Arc::clone(state),
                inner: inner.clone(),
                route,
                parts: Arc::clone(parts),
                object: object.clone(),
                relation: Arc::clone(relation),
                body: PhantomData,
            };
            reads.spawn(related.read(floors.clone(), arrived));
        }
    }
    Ok(reads)
}

type Reads = JoinSet<Result<Vec<OwnedObject>, &'static str>>;

/// What all of these reads found, or why one failed.
async fn all(mut reads: Reads) -> Result<Vec<OwnedObject>, &'static str> {
    let mut found = Vec::new();
    while let Some(read) = reads.join_next().await {
        found.extend(read.map_err(|_| "the task that reads it ended")??);
    }
    Ok(found)
}
