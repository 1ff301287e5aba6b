//! Which change of a relationship can change which answer, by the schema.

mod members;
mod reach;
mod rules;
mod structure;
#[cfg(all(test, feature = "store"))]
mod tests;

pub(crate) use reach::{Entry, Role, Sign};
pub(crate) use rules::Rules;
pub(crate) use structure::Structure;
