use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

const MAX_TYPE: usize = 128;
const MAX_RELATION: usize = 64;
const MAX_ID: usize = 1024;

/// Why a text is not an object, a subject or a relationship.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A separator is missing.
    #[error("`{text}` is not a valid {what}; write it as `{form}`")]
    Form {
        /// What the text should be.
        what: &'static str,
        /// How it is written.
        form: &'static str,
        /// The text, shortened.
        text: String,
    },
    /// A type's or relation's name breaks the rule.
    #[error(
        "`{name}` is not a valid type or relation; use at most {max} of a-z, 0-9 and _ (and / in types), a letter first"
    )]
    Name {
        /// The name, shortened.
        name: String,
        /// The most characters.
        max: usize,
    },
    /// An id breaks the rule.
    #[error("`{id}` is not a valid object id; use 1 to {MAX_ID} letters, digits and / _ | - = +")]
    Id {
        /// The id, shortened.
        id: String,
    },
    /// A wildcard is not allowed here.
    #[error("the wildcard `*` can only be a subject without a relation, such as `user:*`")]
    Wildcard,
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn check_name(name: &str, max: usize, with_slash: bool) -> Result<(), ParseError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || (with_slash && b == b'/');
    if name.len() <= max && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let name = shorten(name);
    Err(ParseError::Name { name, max })
}

fn check_id(id: &str) -> Result<(), ParseError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_|-=+".contains(&b);
    if id == "*" || (1..=MAX_ID).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(ParseError::Id { id: shorten(id) })
}

/// An object: a type and an id, written `team:compiler`.
///
/// Ids have 1 to 1024 letters, digits and `/ _ | - = +`, as in SpiceDB. The id `*` is the wildcard: it means every
/// object of the type, and only subjects can have it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    object_type: Arc<str>,
    id: Arc<str>,
}

impl ObjectRef {
    /// The object with this type and id.
    ///
    /// # Errors
    ///
    /// [`ParseError::Name`] or [`ParseError::Id`].
    pub fn new(object_type: &str, id: &str) -> Result<Self, ParseError> {
        check_name(object_type, MAX_TYPE, true)?;
        check_id(id)?;
        Ok(Self {
            object_type: object_type.into(),
            id: id.into(),
        })
    }

    /// The type's name.
    pub fn object_type(&self) -> &str {
        &self.object_type
    }

    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this means every object of its type.
    pub fn is_wildcard(&self) -> bool {
        &*self.id == "*"
    }

    pub(super) fn wildcard_of(&self) -> Self {
        Self {
            object_type: self.object_type.clone(),
            id: "*".into(),
        }
    }
}

impl FromStr for ObjectRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (object_type, id) = text.split_once(':').ok_or_else(|| ParseError::Form {
            what: "object",
            form: "type:id",
            text: shorten(text),
        })?;
        Self::new(object_type, id)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object_type, self.id)
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who has a relation: an object (`user:ada`), everyone who has a relation to one (`team:compiler#member`, a
/// *userset*), or every object of a type (`user:*`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectRef {
    object: ObjectRef,
    relation: Option<Arc<str>>,
}

impl SubjectRef {
    /// The object itself.
    pub fn object(object: ObjectRef) -> Self {
        Self { object, relation: None }
    }

    /// Everyone who has `relation` (a relation or permission) to the object.
    ///
    /// # Errors
    ///
    /// [`ParseError::Name`], and [`ParseError::Wildcard`] where the object is one.
    pub fn userset(object: ObjectRef, relation: &str) -> Result<Self, ParseError> {
        check_name(relation, MAX_RELATION, false)?;
        if object.is_wildcard() {
            return Err(ParseError::Wildcard);
        }
        let relation = Some(relation.into());
        Ok(Self { object, relation })
    }

    /// The object.
    pub fn object_ref(&self) -> &ObjectRef {
        &self.object
    }

    /// The relation of a userset.
    pub fn relation(&self) -> Option<&str> {
        self.relation.as_deref()
    }

    /// Whether this means every object of a type.
    pub fn is_wildcard(&self) -> bool {
        self.object.is_wildcard()
    }
}

impl FromStr for SubjectRef {
    type Err = ParseError;

    /// Reads `type:id`, `type:id#relation` and `type:*`; `type:id#...` is the object itself, as in SpiceDB.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.split_once('#') {
            None => Ok(Self::object(text.parse()?)),
            Some((object, "...")) => Ok(Self::object(object.parse()?)),
            Some((object, relation)) => Self::userset(object.parse()?, relation),
        }
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.relation {
            None => write!(f, "{}", self.object),
            Some(relation) => write!(f, "{}#{relation}", self.object),
        }
    }
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A subject's relation to a resource, written `team:compiler#direct@user:ada`.
///
/// ```
/// use tower_zookie::store::Relationship;
///
/// let relationship: Relationship = "repo:rust-lang/rust#writer@team:compiler#member".parse()?;
/// assert_eq!(relationship.resource().id(), "rust-lang/rust");
/// assert_eq!(relationship.relation(), "writer");
/// assert_eq!(relationship.subject().relation(), Some("member"));
/// # Ok::<(), tower_zookie::store::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relationship {
    resource: ObjectRef,
    relation: Arc<str>,
    subject: SubjectRef,
}

impl Relationship {
    /// `subject` has `relation` to `resource`.
    ///
    /// # Errors
    ///
    /// [`ParseError::Name`], and [`ParseError::Wildcard`] where the resource is one.
    pub fn new(resource: ObjectRef, relation: &str, subject: SubjectRef) -> Result<Self, ParseError> {
        check_name(relation, MAX_RELATION, false)?;
        if resource.is_wildcard() {
            return Err(ParseError::Wildcard);
        }
        let relation = relation.into();
        Ok(Self {
            resource,
            relation,
            subject,
        })
    }

    /// What the subject has the relation to.
    pub fn resource(&self) -> &ObjectRef {
        &self.resource
    }

    /// The relation's name.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// Who has the relation.
    pub fn subject(&self) -> &SubjectRef {
        &self.subject
    }

    /// Joins parts that the store has already validated.
    pub(super) fn from_parts(
        resource: ObjectRef,
        relation: Arc<str>,
        object: ObjectRef,
        userset: Option<Arc<str>>,
    ) -> Self {
        let subject = SubjectRef {
            object,
            relation: userset,
        };
        Self {
            resource,
            relation,
            subject,
        }
    }
}

impl FromStr for Relationship {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (resource, rest) = text.split_once('#').ok_or_else(|| form(text))?;
        let (relation, subject) = rest.split_once('@').ok_or_else(|| form(text))?;
        Self::new(resource.parse()?, relation, subject.parse()?)
    }
}

fn form(text: &str) -> ParseError {
    ParseError::Form {
        what: "relationship",
        form: "type:id#relation@subject",
        text: shorten(text),
    }
}

impl fmt::Display for Relationship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.resource, self.relation, self.subject)
    }
}

impl fmt::Debug for Relationship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
