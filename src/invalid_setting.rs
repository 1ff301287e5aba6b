use std::borrow::Cow;

/// A setting that makes no sense: which one, what is wrong with it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct InvalidSetting {
    setting: &'static str,
    problem: Cow<'static, str>,
}

impl InvalidSetting {
    /// What is wrong with `setting`, and what to do. The message begins with the name of the setting.
    pub fn new(setting: &'static str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            setting,
            problem: problem.into(),
        }
    }

    /// What is wrong with it, and what to do.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The name of the method that sets it.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}
