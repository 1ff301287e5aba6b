//! One question of the workload.

use tower_zookie::changes::{self, Object};
use tower_zookie::store::{ObjectRef, SubjectRef};

/// What one question asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) resource: ObjectRef,
    pub(crate) permission: String,
    pub(crate) subject: SubjectRef,
}

impl Asked {
    /// The question by names, as the feed's changes name them.
    pub(crate) fn named(&self) -> changes::Question {
        let subject = changes::Subject::of(object(self.subject.object_ref()));
        changes::Question::new(object(&self.resource), &*self.permission, subject)
    }
}

fn object(object: &ObjectRef) -> Object {
    Object::new(object.object_type(), object.id())
}
