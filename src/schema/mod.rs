//! SpiceDB's schema language: types, their relations, and how permissions are computed from these.

#[cfg_attr(
    not(feature = "store"),
    expect(dead_code, unreachable_pub, reason = "the store makes it public")
)]
pub(crate) mod error;
mod lexer;
mod parser;
mod partials;
#[cfg(all(test, feature = "store"))]
mod tests;
pub(crate) mod tree;
mod validate;

use std::collections::BTreeMap;

use crate::schema::error::{Position, SchemaError, SchemaErrorKind};
use crate::schema::tree::Definition;
#[cfg(feature = "store")]
use crate::schema::tree::MemberKind;

const MAX_LEN: usize = 1 << 20;

/// A schema, read and validated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    definitions: BTreeMap<Box<str>, Definition>,
}

impl Schema {
    /// Reads a schema in SpiceDB's language, as SpiceDB replies it.
    pub(crate) fn read(text: &str) -> Result<Self, SchemaError> {
        Self::parse(text, false)
    }

    /// Reads a schema in the part of the language that the embedded store supports.
    #[cfg(feature = "store")]
    pub(crate) fn read_embedded(text: &str) -> Result<Self, SchemaError> {
        Self::parse(text, true)
    }

    fn parse(text: &str, embedded: bool) -> Result<Self, SchemaError> {
        if text.len() > MAX_LEN {
            let too_long = SchemaErrorKind::TooLong { max: MAX_LEN };
            return Err(SchemaError::new(Position::START, too_long));
        }
        let definitions = parser::parse(text, embedded)?;
        validate::validate(&definitions, embedded)?;
        Ok(Self { definitions })
    }

    pub(crate) fn definitions(&self) -> &BTreeMap<Box<str>, Definition> {
        &self.definitions
    }

    #[cfg(feature = "store")]
    pub(crate) fn member(&self, type_name: &str, name: &str) -> Option<&MemberKind> {
        Some(&self.definitions.get(type_name)?.members.get(name)?.kind)
    }
}
