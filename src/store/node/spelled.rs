//! How entries spell what has a text of its own.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;

pub(super) mod clock {
    use std::collections::BTreeMap;

    use super::*;
    use crate::revision::VectorClock;

    pub(crate) fn serialize<S: Serializer>(clock: &VectorClock, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(clock.iter())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<VectorClock, D::Error> {
        Ok(BTreeMap::<String, u64>::deserialize(from)?.into_iter().collect())
    }
}

pub(super) mod relationship {
    use std::borrow::Cow;

    use super::*;
    use crate::store::relationship::Relationship;

    pub(crate) fn serialize<S: Serializer>(relationship: &Relationship, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(relationship)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Relationship, D::Error> {
        Cow::<str>::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

pub(super) mod updates {
    use std::borrow::Cow;
    use std::sync::Arc;

    use serde::Deserialize;

    use super::*;
    use crate::store::write::{Operation, Update};

    pub(crate) fn serialize<S: Serializer>(updates: &Arc<[Update]>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(updates.iter().map(|update| {
            let operation = match update.operation {
                Operation::Touch => "touch",
                Operation::Create => "create",
                Operation::Delete => "delete",
            };
            (operation, update.relationship.to_string())
        }))
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Verb {
        Touch,
        Create,
        Delete,
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<[Update]>, D::Error> {
        let read = |(verb, text): (Verb, Cow<'_, str>)| {
            let relationship = text.parse().map_err(D::Error::custom)?;
            let operation = match verb {
                Verb::Touch => Operation::Touch,
                Verb::Create => Operation::Create,
                Verb::Delete => Operation::Delete,
            };
            Ok(Update::new(operation, relationship))
        };
        Vec::deserialize(from)?.into_iter().map(read).collect()
    }
}
