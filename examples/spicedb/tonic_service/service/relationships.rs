//! `WriteRelationships`, `DeleteRelationships` and `ReadRelationships`.

use std::sync::{MutexGuard, PoisonError};

use spicedb_examples::v1::delete_relationships_response::DeletionProgress;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::{
    DeleteRelationshipsRequest, DeleteRelationshipsResponse, ReadRelationshipsRequest, ReadRelationshipsResponse,
    RelationshipUpdate, WriteRelationshipsRequest, WriteRelationshipsResponse,
};
use tower_zookie::store::{Filter, Relationship, Update};

use super::Service;
use super::filter::{filter, preconditions};
use super::names::{relationship, to_message};
use super::problem::Problem;

impl Service {
    /// All updates at once, or no update at all.
    pub(super) fn write(&self, request: &WriteRelationshipsRequest) -> Result<WriteRelationshipsResponse, Problem> {
        let preconditions = preconditions(&request.optional_preconditions)?;
        let _alone = self.alone();
        let updates = request.updates.iter().map(|update| self.update(update));
        let updates: Vec<Update> = updates.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let revision = self.store.write_if(updates, &preconditions)?;
        Ok(WriteRelationshipsResponse {
            written_at: Some(self.tokens.encode(revision)?),
        })
    }

    /// `None`: a relationship to be deleted that is not there, which is fine with SpiceDB.
    fn update(&self, message: &RelationshipUpdate) -> Result<Option<Update>, Problem> {
        let named = message
            .relationship
            .as_ref()
            .ok_or_else(|| Problem::missing("relationship"))?;
        let named = relationship(named)?;
        match message.operation() {
            Operation::Create => Ok(Some(Update::create(named))),
            Operation::Touch => Ok(Some(Update::touch(named))),
            Operation::Delete => {
                let exists = !self.existing(&Filter::from(&named))?.is_empty();
                Ok(exists.then(|| Update::delete(named)))
            }
            Operation::Unspecified => Err(Problem::missing("operation")),
        }
    }

    pub(super) fn delete(&self, request: &DeleteRelationshipsRequest) -> Result<DeleteRelationshipsResponse, Problem> {
        if request.optional_cursor.is_some() {
            return Err(Problem::unsupported("`optional_cursor`"));
        }
        let preconditions = preconditions(&request.optional_preconditions)?;
        let filter = filter(request.relationship_filter.as_ref())?;
        let _alone = self.alone();
        let mut doomed = self.existing(&filter)?;
        let limit = match request.optional_limit {
            0 => usize::MAX,
            limit => limit as usize,
        };
        let progress = if doomed.len() <= limit {
            DeletionProgress::Complete
        } else if request.optional_allow_partial_deletions {
            doomed.truncate(limit);
            DeletionProgress::Partial
        } else {
            let error = format!("more than {limit} relationships match; allow a partial deletion, or raise the limit");
            return Err(Problem::failed_precondition(&error));
        };
        let count = doomed.len() as u64;
        let updates = doomed.into_iter().map(Update::delete);
        let revision = self.store.write_if(updates, &preconditions)?;
        Ok(DeleteRelationshipsResponse {
            deleted_at: Some(self.tokens.encode(revision)?),
            deletion_progress: progress.into(),
            relationships_deleted_count: count,
            after_result_cursor: None,
        })
    }

    pub(super) fn read(&self, request: &ReadRelationshipsRequest) -> Result<Vec<ReadRelationshipsResponse>, Problem> {
        if request.optional_cursor.is_some() {
            return Err(Problem::unsupported("`optional_cursor`"));
        }
        let filter = filter(request.relationship_filter.as_ref())?;
        let revision = self.revision(request.consistency.as_ref())?;
        let mut found = self.store.read(&filter, revision)?;
        if request.optional_limit > 0 {
            found.truncate(request.optional_limit as usize);
        }
        let read_at = self.tokens.encode(revision)?;
        let reply = |relationship| ReadRelationshipsResponse {
            read_at: Some(read_at.clone()),
            relationship: Some(to_message(relationship)),
            after_result_cursor: None,
        };
        Ok(found.iter().map(reply).collect())
    }

    fn existing(&self, filter: &Filter) -> Result<Vec<Relationship>, Problem> {
        let newest = self.store.current_revision();
        Ok(self.store.read(filter, newest)?)
    }

    pub(super) fn alone(&self) -> MutexGuard<'_, ()> {
        // It guards nothing that a panic could leave half done.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
