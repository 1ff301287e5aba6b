use crate::protobuf::{NotProtobuf, fields};

/// Resource, permission and subject of an item. SpiceDB repeats them unmodified in its reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tuple<'a> {
    resource: Object<'a>,
    permission: &'a [u8],
    subject: Object<'a>,
    relation: &'a [u8],
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Object<'a> {
    kind: &'a [u8],
    id: &'a [u8],
}

impl<'a> Tuple<'a> {
    /// Reads a bulk's item.
    pub(super) fn of_item(message: &'a [u8]) -> Result<Self, NotProtobuf> {
        let mut tuple = Self::default();
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => tuple.resource.add(field.bytes()?)?,
                2 => tuple.permission = field.bytes()?,
                3 => tuple.add_subject(field.bytes()?)?,
                _ => {}
            }
        }
        Ok(tuple)
    }

    fn add_subject(&mut self, message: &'a [u8]) -> Result<(), NotProtobuf> {
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => self.subject.add(field.bytes()?)?,
                2 => self.relation = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> Object<'a> {
    fn add(&mut self, message: &'a [u8]) -> Result<(), NotProtobuf> {
        for field in fields(message) {
            let field = field?;
            match field.number {
                1 => self.kind = field.bytes()?,
                2 => self.id = field.bytes()?,
                _ => {}
            }
        }
        Ok(())
    }
}
