//! One question of the workload.

use tower_zookie::store::{ObjectRef, SubjectRef};

/// What one question asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) resource: ObjectRef,
    pub(crate) permission: String,
    pub(crate) subject: SubjectRef,
}
