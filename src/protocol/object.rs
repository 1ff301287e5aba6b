/// An object of an authorization system, as a message names it: the resource or the subject of a check, or what a write
/// touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Object<'a> {
    /// The tenant, where one store holds several. Empty where it does not.
    pub tenant: &'a [u8],
    /// Its type, such as `document`.
    pub kind: &'a [u8],
    /// Its id. `None` means all objects of the type, which a listing depends on.
    pub id: Option<&'a [u8]>,
}

impl<'a> Object<'a> {
    /// One object. Types and ids may be any bytes.
    pub fn new(kind: impl Into<&'a [u8]>, id: impl Into<&'a [u8]>) -> Self {
        Self {
            tenant: b"",
            kind: kind.into(),
            id: Some(id.into()),
        }
    }

    /// All objects of a type.
    pub fn all_of(kind: impl Into<&'a [u8]>) -> Self {
        Self {
            tenant: b"",
            kind: kind.into(),
            id: None,
        }
    }

    /// The same object of this tenant.
    #[must_use]
    pub fn in_tenant(self, tenant: &'a [u8]) -> Self {
        Self { tenant, ..self }
    }
}
