use std::error::Error;

use crate::nats::Problem;
use crate::store::node::link::LinkError;

/// Why a [`NatsLink`](super::NatsLink) could not be set up. The message names the setting, and has no credentials.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct NatsError {
    what: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl From<Problem> for NatsError {
    fn from(problem: Problem) -> Self {
        Self {
            what: problem.what,
            source: problem.source,
        }
    }
}

/// The logs can't be reached, and this is why.
pub(super) fn unavailable(what: impl Into<String>) -> LinkError {
    LinkError::unavailable(NatsError {
        what: what.into(),
        source: None,
    })
}

/// The logs can't be reached, because of this.
pub(super) fn failed(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> LinkError {
    LinkError::unavailable(NatsError {
        what: what.into(),
        source: Some(source.into()),
    })
}
