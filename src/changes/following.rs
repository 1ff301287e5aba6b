use std::sync::{Arc, PoisonError, RwLock};

use crate::changes::era::Era;
use crate::changes::placed::Placed;
use crate::changes::question::{Question, Verdict};
use crate::revision::Revision;

/// The feeds that are followed, at most one for each tenant.
#[derive(Debug, Default)]
pub(crate) struct Following(RwLock<Vec<(Box<str>, Arc<Era>)>>);

impl Following {
    /// Whether no feed is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The era that an answer to a question of this tenant belongs to.
    pub(crate) fn era(&self, tenant: &str) -> Option<Arc<Era>> {
        let eras = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = eras.iter().find(|(of, _)| **of == *tenant);
        of_tenant.map(|(_, era)| Arc::clone(era))
    }

    /// The frontier of each feed.
    pub(crate) fn frontiers(&self) -> Vec<Revision> {
        let eras = self.0.read().unwrap_or_else(PoisonError::into_inner);
        eras.iter().map(|(_, era)| era.frontier()).collect()
    }

    /// How many relationships that lead on are kept.
    pub(crate) fn structure(&self) -> u64 {
        let eras = self.0.read().unwrap_or_else(PoisonError::into_inner);
        eras.iter().filter_map(|(_, era)| era.kept_structure()).sum()
    }

    /// How many feeds can show that answers stay true.
    pub(crate) fn ready(&self) -> u64 {
        let eras = self.0.read().unwrap_or_else(PoisonError::into_inner);
        eras.iter().filter(|(_, era)| era.is_ready()).count() as u64
    }

    pub(super) fn begin(&self, tenant: &str, era: Arc<Era>) {
        let mut eras = self.0.write().unwrap_or_else(PoisonError::into_inner);
        eras.retain(|(of, era)| {
            **of != *tenant || {
                era.end();
                false
            }
        });
        eras.push((tenant.into(), era));
    }

    /// Ends an era. Its answers are never extended again.
    pub(super) fn end(&self, era: &Arc<Era>) {
        era.end();
        let mut eras = self.0.write().unwrap_or_else(PoisonError::into_inner);
        eras.retain(|(_, other)| !Arc::ptr_eq(other, era));
    }

    /// Where an answer at `revision` to `question` stands, if its feed is followed.
    pub(crate) fn place(
        &self,
        history: u64,
        revision: &Revision,
        question: Option<&Question>,
        verdict: Verdict,
    ) -> Option<Placed> {
        let tenant = question.map_or("", |question| &question.tenant);
        let era = self.era(tenant)?;
        if !era.is_of(history) {
            return None;
        }
        Placed::at(&era, revision, question, verdict)
    }
}
