use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use tokio::time::Instant;

use crate::cache::Miss;
use crate::layer::pending::{LookedUp, RememberedIn, Requirement};
use crate::layer::state::LayerState;
use crate::objects::{AboutObjects, Heard, ObjectFloors, ObjectKey, ObjectsError, Remembered, Strict};
use crate::protocol::{Call, Object, Protocol, Received, Route, Unreadable};
use crate::revision::Revision;
use crate::warnings::Warning;

/// How a request's requirement comes to what is remembered of its objects.
#[derive(Debug)]
pub(super) enum Objects {
    /// Nothing more is needed.
    Done,
    /// The store has to be asked for these.
    LookUp(AboutObjects),
}

impl<P: Protocol> LayerState<P> {
    /// Counts where a request's floor comes from, if its objects gave it one.
    pub(super) fn count_remembered(&self, requirement: &Requirement) {
        let (Some(objects), Some(from)) = (&self.objects, requirement.remembered_in) else {
            return;
        };
        let counters = objects.counters();
        let counter = match (requirement.no_entry, from) {
            (Some(Miss::ObjectUnsettled), _) => &counters.unsettled,
            (Some(Miss::ObjectUnknown), _) => &counters.not_known,
            (Some(Miss::ObjectUnnamed), _) => &counters.unnamed,
            (_, RememberedIn::Memory) => &counters.from_memory,
            (_, RememberedIn::Store) => &counters.looked_up,
        };
        counter.add();
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of the request")]
    /// Adds to a requirement what is remembered of the request's objects. `looked_up` is what the store said, if it was
    /// asked already.
    pub(super) fn remember(
        &self,
        route: Route,
        parts: &Parts,
        message: &Bytes,
        call: Option<&Call>,
        requirement: &mut Requirement,
        looked_up: Option<&LookedUp>,
        arrived: Instant,
    ) -> Objects {
        let Some(objects) = &self.objects else {
            return Objects::Done;
        };
        let weakens = objects.weaken_full && requirement.no_entry == Some(Miss::Full) && requirement.floors.is_empty();
        if !weakens && !requirement.is_open() {
            return Objects::Done;
        }
        let from = match looked_up {
            Some(looked_up) => looked_up.found_in,
            None => RememberedIn::Memory,
        };
        let remembered = match looked_up {
            Some(looked_up) => looked_up.remembered.clone(),
            None => {
                let name = |call, each: &mut dyn FnMut(Object<'_>)| {
                    let received = Received::new(route, call, message);
                    self.protocol.objects(received, parts, each)
                };
                let about = match call {
                    _ if weakens => Ok(AboutObjects::everything()),
                    None => Err(Strict::Unnamed),
                    Some(call) => match objects.find(|each| name(call, each), arrived) {
                        Some(found) => {
                            requirement.remember(found, from);
                            return Objects::Done;
                        }
                        None => objects.about(|each| name(call, each)),
                    },
                };
                match about {
                    Err(why) => Remembered::Strict(why),
                    Ok(about) => return Objects::LookUp(about),
                }
            }
        };
        // A fully consistent request stays as strict as it is.
        if !(weakens && matches!(remembered, Remembered::Strict(_))) {
            requirement.remember(remembered, from);
        }
        Objects::Done
    }

    /// The keys of the objects that a write touches. `message` is its body, if it was read.
    pub(super) fn touched(
        &self,
        objects: &ObjectFloors,
        route: Route,
        parts: &Parts,
        message: Option<&Bytes>,
        call: &Call,
    ) -> Vec<ObjectKey> {
        const UNREAD: Unreadable = Unreadable("the body was not read");
        objects.touched(|each| {
            let received = Received::new(route, call, message.ok_or(UNREAD)?);
            self.protocol.objects(received, parts, each)
        })
    }

    /// Begins to follow the store of objects' tokens, if the layer does.
    pub(super) fn begin_to_follow(self: &Arc<Self>) {
        if let Some(objects) = &self.objects {
            objects.begin(self);
        }
    }

    /// Warns of ancestors that can't be read.
    pub(super) fn warn_of_ancestors(&self, why: &'static str) {
        self.warnings.give(Warning::AncestorsUnread.name(), || {
            tracing::warn!(
                why,
                "the ancestors of a check's objects could not be read, so the check is fully consistent; check `ancestors` \
                 (the sidecar's `--ancestor`)"
            );
        });
    }

    /// Warns of a record whose token is of no use here.
    pub(super) fn warn_foreign_record(&self) {
        self.warnings.give(Warning::ForeignRecord.name(), || {
            tracing::warn!(
                "a token in the store of `objects` can't be read here, or belongs to another store, so checks of its object are \
                 fully consistent; if the authorization system was replaced or restored, empty that store, and give each \
                 system a store of its own"
            );
        });
    }
}

impl<P: Protocol> Heard for LayerState<P> {
    fn named(&self, revision: &Revision) {
        let knowledge = self.cache.knowledge();
        if knowledge.is_foreign(revision) {
            self.warn_foreign_record();
        } else if knowledge.is_of_known_store(revision) {
            knowledge.recall(revision);
        }
    }

    fn unreadable(&self) {
        self.warn_foreign_record();
    }

    fn look_up_failed(&self, why: &ObjectsError) {
        self.warnings.give(Warning::ObjectsUnavailable.name(), || {
            tracing::warn!(
                error = why as &dyn std::error::Error,
                "the tokens of objects could not be looked up, so checks are fully consistent; check the store of `objects`, \
                 and `look_up_timeout`"
            );
        });
    }

    fn feed_ended(&self, why: &ObjectsError) {
        self.warnings.give(Warning::ObjectsUnavailable.name(), || {
            tracing::warn!(
                error = why as &dyn std::error::Error,
                "the feed of the store of `objects` ended; until it is open again, each check looks its objects up"
            );
        });
    }
}
