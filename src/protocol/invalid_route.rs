use std::borrow::Cow;
use std::fmt;

/// An invalid declaration of a route: which route, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{route}: {problem}")]
pub struct InvalidRoute {
    route: String,
    problem: Cow<'static, str>,
}

impl InvalidRoute {
    /// What is wrong with `route`, and what to do.
    pub fn new(route: impl fmt::Display, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            route: route.to_string(),
            problem: problem.into(),
        }
    }

    /// What is wrong, and what to do.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
