/// Why a schema can't be used: what is wrong, and at which line and column (both from 1, columns in characters).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema line {line}, column {column}: {kind}")]
pub struct SchemaError {
    line: usize,
    column: usize,
    #[source]
    kind: SchemaErrorKind,
}

impl SchemaError {
    pub(crate) fn new(at: Position, kind: SchemaErrorKind) -> Self {
        Self {
            line: at.line,
            column: at.column,
            kind,
        }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn kind(&self) -> &SchemaErrorKind {
        &self.kind
    }
}

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaErrorKind {
    /// The text is longer than this.
    #[error("the schema is longer than {max} bytes; shorten it, for example by removing comments")]
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// Parentheses are nested deeper than this.
    #[error("more than {max} nested parentheses; name parts of the expression as permissions of their own")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// The text should have something else here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What the text can have here.
        expected: &'static str,
        /// What the text has here.
        found: String,
    },
    /// A `/*` without a `*/`.
    #[error("this comment is never closed; add `*/`")]
    UnclosedComment,
    /// A name that breaks the rule for names.
    #[error(
        "`{name}` is not a valid name; use at most 64 of a-z, 0-9 and _, a letter first, and no keyword of the schema language"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A part of SpiceDB's language that is not supported.
    #[error("{what} is not supported")]
    Unsupported {
        /// The part.
        what: &'static str,
    },
    /// A second definition, relation or permission with the same name.
    #[error("`{name}` is defined twice; remove or rename one of them")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A type that is not defined.
    #[error("there is no definition `{name}`; define it or correct the name")]
    UnknownType {
        /// The type's name.
        name: String,
    },
    /// A relation or permission that its type does not have.
    #[error("`{type_name}` has no relation or permission `{name}`")]
    UnknownMember {
        /// The type's name.
        type_name: String,
        /// The relation's or permission's name.
        name: String,
    },
    /// An arrow that starts at a permission.
    #[error("an arrow starts at a relation, and `{name}` is a permission")]
    ArrowFromPermission {
        /// The permission's name.
        name: String,
    },
    /// An arrow that starts at a relation with a wildcard.
    #[error("an arrow can't start at `{name}`, which allows a wildcard: it would lead to every object")]
    ArrowFromWildcard {
        /// The relation's name.
        name: String,
    },
    /// An arrow to a name that no subject type of the relation has.
    #[error("no subject type of `{relation}` has a relation or permission `{target}`")]
    ArrowToNothing {
        /// The relation that the arrow starts at.
        relation: String,
        /// The name that the arrow leads to.
        target: String,
    },
    /// A permission that is computed from itself on the same object.
    #[error("permission `{name}` is computed from itself; break the cycle")]
    Cycle {
        /// A permission on the cycle.
        name: String,
    },
}

/// A place in a schema's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}
