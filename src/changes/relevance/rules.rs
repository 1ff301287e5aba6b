use std::sync::{Arc, OnceLock};

use crate::changes::relevance::members::Members;
use crate::changes::relevance::reach::Reach;
use crate::schema::Schema;

/// The rules of one schema.
#[derive(Debug)]
pub(crate) struct Rules {
    members: Members,
    /// Of each relation and permission, when it is first asked for.
    reaches: Box<[OnceLock<Option<Arc<Reach>>>]>,
}

impl Rules {
    pub(crate) fn new(schema: &Schema) -> Self {
        let members = Members::new(schema);
        Self {
            reaches: (0..members.len()).map(|_| OnceLock::new()).collect(),
            members,
        }
    }

    /// What a permission or relation depends on. `None` if the schema does not have it, or it consults too much: then any
    /// change may concern it.
    pub(crate) fn reach(&self, kind: &str, permission: &str) -> Option<Arc<Reach>> {
        let permission = self.members.find_named(kind, permission)?;
        let reach = self.reaches.get(permission.index())?;
        reach
            .get_or_init(|| Reach::of(&self.members, permission).map(Arc::new))
            .clone()
    }

    /// Whether relationships of it can have a caveat or expire, so that a touch of one adds or removes it. True where the
    /// schema does not know it.
    pub(crate) fn is_conditional(&self, kind: &str, relation: &str) -> bool {
        let relation = self.members.find_named(kind, relation);
        let relation = relation.and_then(|relation| self.members.relation_of(relation));
        relation.is_none_or(|relation| relation.is_conditional)
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }
}
