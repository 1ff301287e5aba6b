use crate::store::relationship::{ObjectRef, Relationship, SubjectRef};

/// Selects the relationships of one resource type that match every other part of the filter.
///
/// ```
/// use tower_zookie::store::{Filter, SubjectFilter};
///
/// let whose = Filter::of_type("team").id("compiler").relation("direct");
/// let where_ada_leads = Filter::of_type("team").relation("lead").subject(SubjectFilter::of_type("user").id("ada"));
/// # let _ = (whose, where_ada_leads);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    pub(super) resource_type: String,
    pub(super) id: Option<String>,
    pub(super) relation: Option<String>,
    pub(super) subject: Option<SubjectFilter>,
}

impl Filter {
    /// Every relationship of resources of this type.
    pub fn of_type(resource_type: impl Into<String>) -> Self {
        Self {
            resource_type: resource_type.into(),
            id: None,
            relation: None,
            subject: None,
        }
    }

    /// Every relationship of this resource.
    pub fn of(resource: &ObjectRef) -> Self {
        Self::of_type(resource.object_type()).id(resource.id())
    }

    /// Only of the resource with this id.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Only of this relation.
    #[must_use]
    pub fn relation(mut self, relation: impl Into<String>) -> Self {
        self.relation = Some(relation.into());
        self
    }

    /// Only of such subjects.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<SubjectFilter>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Whether the filter matches the relationship.
    pub fn matches(&self, relationship: &Relationship) -> bool {
        self.resource_type == relationship.resource().object_type()
            && self.id.as_deref().is_none_or(|id| id == relationship.resource().id())
            && self.relation.as_deref().is_none_or(|r| r == relationship.relation())
            && self.subject.as_ref().is_none_or(|s| s.matches(relationship.subject()))
    }
}

/// Exactly this relationship.
impl From<&Relationship> for Filter {
    fn from(relationship: &Relationship) -> Self {
        Self::of(relationship.resource())
            .relation(relationship.relation())
            .subject(relationship.subject())
    }
}

/// Selects the subjects of one type that match every other part of the filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubjectFilter {
    pub(super) subject_type: String,
    id: Option<String>,
    pub(super) relation: Option<Option<String>>,
}

impl SubjectFilter {
    /// Every subject of this type, with or without a relation.
    pub fn of_type(subject_type: impl Into<String>) -> Self {
        Self {
            subject_type: subject_type.into(),
            id: None,
            relation: None,
        }
    }

    /// Only with this id; `*` is the wildcard.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Only usersets of this relation.
    #[must_use]
    pub fn relation(mut self, relation: impl Into<String>) -> Self {
        self.relation = Some(Some(relation.into()));
        self
    }

    /// Only subjects that are not usersets.
    #[must_use]
    pub fn without_relation(mut self) -> Self {
        self.relation = Some(None);
        self
    }

    /// Whether the filter matches the subject.
    pub fn matches(&self, subject: &SubjectRef) -> bool {
        self.subject_type == subject.object_ref().object_type()
            && self.id.as_deref().is_none_or(|id| id == subject.object_ref().id())
            && self
                .relation
                .as_ref()
                .is_none_or(|r| r.as_deref() == subject.relation())
    }
}

/// Exactly this subject.
impl From<&SubjectRef> for SubjectFilter {
    fn from(subject: &SubjectRef) -> Self {
        let object = subject.object_ref();
        let filter = Self::of_type(object.object_type()).id(object.id());
        match subject.relation() {
            Some(relation) => filter.relation(relation),
            None => filter.without_relation(),
        }
    }
}
