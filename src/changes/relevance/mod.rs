//! Which change of a relationship can change which answer, by the schema.

mod rules;
#[cfg(all(test, feature = "store"))]
mod tests;

pub(crate) use rules::{Entry, Role, Rules, Sign};
