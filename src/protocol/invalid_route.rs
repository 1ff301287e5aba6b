use std::fmt;

/// An invalid declaration of a route: which route, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{route}: {problem}")]
pub struct InvalidRoute {
    route: String,
    problem: &'static str,
}

impl InvalidRoute {
    /// What is wrong with `route`, and what to do.
    pub fn new(route: impl fmt::Display, problem: &'static str) -> Self {
        Self {
            route: route.to_string(),
            problem,
        }
    }

    /// What is wrong, and what to do.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}
