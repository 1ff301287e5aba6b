/// A setting that makes no sense: which one, what is wrong with it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct InvalidSetting {
    setting: &'static str,
    problem: &'static str,
}

impl InvalidSetting {
    pub(crate) fn new(setting: &'static str, problem: &'static str) -> Self {
        Self { setting, problem }
    }

    /// The name of the method that sets it.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}
