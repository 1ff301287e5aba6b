use std::fmt;
use std::sync::Arc;

use crate::protocol::Object;

/// How to find the objects above an object, whose writes change its checks too: a folder above a document, a tenant above a
/// user.
#[derive(Clone, Default)]
pub struct Ancestors {
    function: Option<Arc<Function>>,
    pub(super) relations: Vec<Relation>,
}

type Function = dyn Fn(Object<'_>, &mut dyn FnMut(Object<'_>)) + Send + Sync;

/// A relation whose subjects are the ancestors of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) kind: Box<str>,
    pub(super) name: Arc<str>,
}

impl Ancestors {
    /// What a function says: it calls its second argument with each ancestor of its first one, all the way up. It runs for
    /// each resource and subject of a check, so it should be fast.
    ///
    /// ```
    /// use tower_zookie::objects::Ancestors;
    /// use tower_zookie::protocol::Object;
    ///
    /// // The id of a document begins with its tenant's: `acme/budget`.
    /// let ancestors = Ancestors::by(|object, found| {
    ///     let id = object.id.unwrap_or_default();
    ///     if let Some(slash) = id.iter().position(|byte| *byte == b'/') {
    ///         found(Object::new(b"tenant".as_slice(), &id[..slash]));
    ///     }
    /// });
    /// # let _ = ancestors;
    /// ```
    pub fn by(function: impl Fn(Object<'_>, &mut dyn FnMut(Object<'_>)) + Send + Sync + 'static) -> Self {
        Self {
            function: Some(Arc::new(function)),
            relations: Vec::new(),
        }
    }

    /// Also the subjects of the relation `name` of objects of the type `kind`, as in `document#folder`. The layer reads them
    /// from the store, under the object's own floor, and keeps them in its cache. Their own ancestors count too, if their
    /// relations are named.
    #[must_use]
    pub fn relation(mut self, kind: &str, name: &str) -> Self {
        self.relations.push(Relation {
            kind: kind.into(),
            name: name.into(),
        });
        self
    }

    /// Calls `each` with the ancestors of an object that the function knows.
    pub(super) fn visit_known(&self, object: &Object<'_>, each: &mut dyn FnMut(Object<'_>)) {
        if let Some(function) = &self.function {
            function(*object, each);
        }
    }
}

impl fmt::Debug for Ancestors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ancestors")
            .field("has_function", &self.function.is_some())
            .field("relations", &self.relations)
            .finish()
    }
}
