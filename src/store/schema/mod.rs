//! Schemas: types, their relations, and how permissions are computed from these.

mod error;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;
mod tree;
mod validate;

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use error::Position;

pub use error::{SchemaError, SchemaErrorKind};
pub(super) use tree::{AllowedSubject, Definition, MemberKind, SubjectForm, Term, TermKind};

const MAX_LEN: usize = 1 << 20;

/// A schema in [SpiceDB's schema language](https://authzed.com/docs/spicedb/concepts/schema), read and validated.
///
/// Supported: definitions (with `prefix/` names), relations to objects, usersets (`team#member`) and wildcards
/// (`user:*`), permissions made of `+`, `&`, `-`, `nil`, parentheses and arrows (`a->b`, `a.any(b)`). As in SpiceDB, a
/// union binds tighter than an intersection, and an intersection tighter than an exclusion: `a + b & c - d` is `((a +
/// b) & c) - d`. These are not supported and are an error: caveats, expiration, `.all()`, arrows after arrows, `use`,
/// `import`, `partial`.
///
/// Limits: 1 MiB of text, 64 nested parentheses, names of 64 characters (of a–z, 0–9 and _, a letter first).
///
/// ```
/// use tower_zookie::store::Schema;
///
/// let schema: Schema = "
///     definition user {}
///     definition document {
///         relation reader: user | user:*
///         relation banned: user
///         permission view = reader - banned
///     }
/// ".parse()?;
/// assert!(schema.has_permission("document", "view"));
///
/// let error = Schema::parse("definition document { permission view = reader }").unwrap_err();
/// assert_eq!(error.to_string(), "schema line 1, column 41: `document` has no relation or permission `reader`");
/// # Ok::<(), tower_zookie::store::SchemaError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Schema {
    source: Arc<str>,
    definitions: BTreeMap<Box<str>, Definition>,
}

impl Schema {
    /// Reads and validates a schema.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line and column.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_LEN {
            let start = Position { line: 1, column: 1 };
            return Err(SchemaError::new(start, SchemaErrorKind::TooLong { max: MAX_LEN }));
        }
        let definitions = parser::parse(text)?;
        validate::validate(&definitions)?;
        Ok(Self {
            source: text.into(),
            definitions,
        })
    }

    /// The text that this schema was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the schema has this type.
    pub fn has_type(&self, type_name: &str) -> bool {
        self.definitions.contains_key(type_name)
    }

    /// Whether the type has this relation.
    pub fn has_relation(&self, type_name: &str, name: &str) -> bool {
        matches!(self.member(type_name, name), Some(MemberKind::Relation(_)))
    }

    /// Whether the type has this permission.
    pub fn has_permission(&self, type_name: &str, name: &str) -> bool {
        matches!(self.member(type_name, name), Some(MemberKind::Permission(_)))
    }

    fn member(&self, type_name: &str, name: &str) -> Option<&MemberKind> {
        Some(&self.definitions.get(type_name)?.members.get(name)?.kind)
    }

    pub(super) fn definitions(&self) -> &BTreeMap<Box<str>, Definition> {
        &self.definitions
    }
}

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(text: &str) -> Result<Self, SchemaError> {
        Self::parse(text)
    }
}
