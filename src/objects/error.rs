use std::error::Error;

/// Why a store of objects' tokens could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct ObjectsError {
    what: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ObjectsError {
    /// An error that says what was wrong and what to do. It contains no token, no credential and no object.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    /// The same error, and what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
