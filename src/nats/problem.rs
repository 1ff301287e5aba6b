use std::error::Error;

use crate::invalid_setting::InvalidSetting;

/// What went wrong, and what to do. It has no credentials.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) what: String,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl From<InvalidSetting> for Problem {
    fn from(invalid: InvalidSetting) -> Self {
        Self::new(format!("NATS: `{}` {}", invalid.setting(), invalid.problem())).with_source(invalid)
    }
}
