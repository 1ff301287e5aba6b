use std::str::FromStr;
use std::sync::Arc;

use crate::schema;
use crate::schema::error::SchemaError;
use crate::schema::tree::MemberKind;

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
#[derive(Clone, Debug, Default)]
pub struct Schema {
    source: Arc<str>,
    read: schema::Schema,
}

impl Schema {
    /// Reads and validates a schema.
    ///
    /// # Errors
    ///
    /// What is wrong, with its line and column.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        Ok(Self {
            read: schema::Schema::read_embedded(text)?,
            source: text.into(),
        })
    }

    /// The text that this schema was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the schema has this type.
    pub fn has_type(&self, type_name: &str) -> bool {
        self.read.definitions().contains_key(type_name)
    }

    /// Whether the type has this relation.
    pub fn has_relation(&self, type_name: &str, name: &str) -> bool {
        matches!(self.read.member(type_name, name), Some(MemberKind::Relation(_)))
    }

    /// Whether the type has this permission.
    pub fn has_permission(&self, type_name: &str, name: &str) -> bool {
        matches!(self.read.member(type_name, name), Some(MemberKind::Permission(_)))
    }

    /// What was read.
    pub(super) fn read(&self) -> &schema::Schema {
        &self.read
    }
}

impl FromStr for Schema {
    type Err = SchemaError;

    fn from_str(text: &str) -> Result<Self, SchemaError> {
        Self::parse(text)
    }
}
