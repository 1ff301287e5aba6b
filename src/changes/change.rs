/// An object: its type and its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Object {
    /// Its type, such as `document`.
    pub kind: Box<str>,
    /// Its id. As a subject's id, `*` means all objects of the type.
    pub id: Box<str>,
}

impl Object {
    /// The object `kind:id`.
    pub fn new(kind: impl Into<Box<str>>, id: impl Into<Box<str>>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
        }
    }
}

/// The subject of a relationship or of a question.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The object.
    pub object: Object,
    /// With a relation, all subjects that have it on the object: `team:eng#member`.
    pub relation: Option<Box<str>>,
}

impl Subject {
    /// An object itself.
    pub fn of(object: Object) -> Self {
        Self { object, relation: None }
    }

    /// All subjects that have `relation` on `object`.
    pub fn userset(object: Object, relation: impl Into<Box<str>>) -> Self {
        Self {
            object,
            relation: Some(relation.into()),
        }
    }
}

/// One changed relationship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What became of the relationship.
    pub effect: Effect,
    /// Its resource.
    pub resource: Object,
    /// Its relation.
    pub relation: Box<str>,
    /// Its subject.
    pub subject: Subject,
}

impl Change {
    /// `subject` got `relation` to `resource`.
    pub fn added(resource: Object, relation: impl Into<Box<str>>, subject: Subject) -> Self {
        Self {
            effect: Effect::Added,
            resource,
            relation: relation.into(),
            subject,
        }
    }

    /// `subject` no longer has `relation` to `resource`.
    pub fn removed(resource: Object, relation: impl Into<Box<str>>, subject: Subject) -> Self {
        Self {
            effect: Effect::Removed,
            ..Self::added(resource, relation, subject)
        }
    }
}

/// What became of a relationship.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It was added.
    Added,
    /// It was added, or a condition of it, such as its caveat, was changed.
    Touched,
    /// It was removed.
    Removed,
}
