use std::borrow::Cow;

use crate::protocol::call::Unreadable;
use crate::protocol::operation::{Field, Is};
use crate::protocol::wire::Reader;

/// The texts of a question: each with the numbers of the fields that lead to it. Unset texts and structs are left out,
/// because a server may spell them differently when it repeats a question.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tuple<'m>(Vec<(u64, Cow<'m, [u8]>)>);

impl<'m> Tuple<'m> {
    /// Reads a question with these fields.
    pub(super) fn of<R: Reader<'m>>(message: &mut R, fields: &'static [Field]) -> Result<Self, Unreadable> {
        let mut tuple = Self::default();
        tuple.add(message, fields, 0)?;
        tuple.0.sort_by_key(|(path, _)| *path);
        Ok(tuple)
    }

    /// The text at a path: the indexes of its fields, each plus one, a byte for each. `None` if it is empty.
    pub(super) fn text(&self, path: u64) -> Option<&[u8]> {
        let found = self.0.iter().find(|(at, _)| *at == path);
        found.map(|(_, text)| &**text)
    }

    fn add<R: Reader<'m>>(&mut self, message: &mut R, fields: &'static [Field], at: u64) -> Result<(), Unreadable> {
        message.message(fields, |member, value| match member.field {
            Some((index, Field { is: Is::Text, .. })) => {
                let (path, text) = (at << 8 | (index as u64 + 1), value.text()?);
                // Of a repeated text the last counts.
                self.0.retain(|(other, _)| *other != path);
                if !text.is_empty() {
                    self.0.push((path, text));
                }
                Ok(())
            }
            Some((
                index,
                Field {
                    is: Is::Message(fields),
                    ..
                },
            )) => self.add(value, fields, at << 8 | (index as u64 + 1)),
            _ => value.raw().map(drop),
        })
    }
}
