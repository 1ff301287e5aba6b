use crate::objects::key::ObjectKey;
use crate::protocol::Object;

/// An object that outlives the message that names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnedObject {
    tenant: Box<[u8]>,
    kind: Box<[u8]>,
    id: Box<[u8]>,
}

impl OwnedObject {
    /// `None` if it is not one object, but all of a type.
    pub(crate) fn of(object: &Object<'_>) -> Option<Self> {
        Some(Self {
            tenant: object.tenant.into(),
            kind: object.kind.into(),
            id: object.id?.into(),
        })
    }

    pub(crate) fn borrowed(&self) -> Object<'_> {
        Object::new(&*self.kind, &*self.id).in_tenant(&self.tenant)
    }

    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.borrowed())
    }

    /// Objects as one text of bytes, as the cache stores them.
    pub(crate) fn write_all(objects: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in objects
            .iter()
            .flat_map(|object| [&object.tenant, &object.kind, &object.id])
        {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(&**part);
        }
        bytes
    }

    /// The objects that [`write_all`](Self::write_all) wrote.
    pub(crate) fn read_all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut objects = Vec::new();
        while !bytes.is_empty() {
            let mut part = || {
                let (len, rest) = bytes.split_first_chunk()?;
                let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
                bytes = rest;
                Some(part.into())
            };
            objects.push(Self {
                tenant: part()?,
                kind: part()?,
                id: part()?,
            });
        }
        Some(objects)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn written_objects_read_back(objects in prop::collection::vec(any::<[Vec<u8>; 3]>(), 0..5)) {
            let objects: Vec<_> = objects
                .into_iter()
                .map(|[tenant, kind, id]| OwnedObject { tenant: tenant.into(), kind: kind.into(), id: id.into() })
                .collect();
            prop_assert_eq!(OwnedObject::read_all(&OwnedObject::write_all(&objects)), Some(objects));
        }
    }
}
