//! At which revision a request is to be evaluated.

use spicedb_examples::v1::Consistency;
use spicedb_examples::v1::consistency::Requirement;

use super::Service;
use super::problem::Problem;
use super::tokens::Named;

impl Service {
    /// The revision that a consistency asks for. If any is accepted, it is the newest: reading it is not slow here.
    pub(super) fn revision(&self, consistency: Option<&Consistency>) -> Result<u64, Problem> {
        let newest = self.store.current_revision();
        let Some(consistency) = consistency else {
            return Ok(newest);
        };
        let asked = match &consistency.requirement {
            Some(Requirement::MinimizeLatency(true) | Requirement::FullyConsistent(true)) => newest,
            Some(Requirement::AtLeastAsFresh(token)) => match self.tokens.decode(&token.token)? {
                Named::Revision(revision) => newest.max(revision),
                // As SpiceDB does by default.
                Named::OfAnotherStore => newest,
            },
            Some(Requirement::AtExactSnapshot(token)) => match self.tokens.decode(&token.token)? {
                Named::Revision(revision) => revision,
                Named::OfAnotherStore => {
                    return Err(Problem::invalid(
                        &"this ZedToken is of another datastore; take one from a reply of this service",
                    ));
                }
            },
            Some(Requirement::MinimizeLatency(false) | Requirement::FullyConsistent(false)) | None => {
                return Err(Problem::invalid(&"the consistency says nothing; set one of its fields"));
            }
        };
        self.store.ensure_readable(asked)?;
        Ok(asked)
    }
}
