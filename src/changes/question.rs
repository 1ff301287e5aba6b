use crate::changes::change::{Object, Subject};

/// What a question asks, by names, so that changes can be told apart from those that do not concern it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The tenant, where one store holds several. Empty where it does not.
    pub tenant: Box<str>,
    /// The resource.
    pub resource: Object,
    /// The permission or relation.
    pub permission: Box<str>,
    /// The subject.
    pub subject: Subject,
}

impl Question {
    /// "Has `subject` this `permission` on `resource`?"
    pub fn new(resource: Object, permission: impl Into<Box<str>>, subject: Subject) -> Self {
        Self {
            tenant: "".into(),
            resource,
            permission: permission.into(),
            subject,
        }
    }

    /// How many bytes it takes beside its own size.
    pub(super) fn heap_bytes(&self) -> usize {
        let object = |object: &Object| object.kind.len() + object.id.len();
        let subject =
            object(&self.subject.object) + self.subject.relation.as_ref().map_or(0, |relation| relation.len());
        self.tenant.len() + object(&self.resource) + self.permission.len() + subject
    }

    /// The same question of this tenant.
    #[must_use]
    pub fn in_tenant(self, tenant: impl Into<Box<str>>) -> Self {
        Self {
            tenant: tenant.into(),
            ..self
        }
    }
}

/// The answer to a question, as far as it decides which changes concern it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The subject has the permission.
    Yes,
    /// The subject does not have it.
    No,
    /// It depends on a context, or the answer is not known here.
    #[default]
    Unclear,
}
