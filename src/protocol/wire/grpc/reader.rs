use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::protobuf;
use crate::protobuf::{Value, fields};
use crate::protocol::call::Unreadable;
use crate::protocol::operation::Field;
use crate::protocol::wire::grpc::timestamp;
use crate::protocol::wire::{Member, Reader};

impl<'m> Reader<'m> for protobuf::Field<'m> {
    fn message(
        &mut self,
        table: &'static [Field],
        mut member: impl FnMut(&Member<'_>, &mut Self) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        for value in fields(self.bytes()?) {
            let mut value = value?;
            let mut rows = table.iter().enumerate();
            let field = rows.find(|(_, field)| field.number == value.number);
            member(&Member { field, name: "" }, &mut value)?;
        }
        Ok(())
    }

    /// A repeated message has one element in each field.
    fn each(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
        element(self)
    }

    fn text(&mut self) -> Result<Cow<'m, [u8]>, Unreadable> {
        Ok(Cow::Borrowed(self.bytes()?))
    }

    fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.varint()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable("a bool is not 0 or 1")),
        }
    }

    fn choice(&mut self, names: &[&str]) -> Result<Option<usize>, Unreadable> {
        let number = usize::try_from(self.varint()?).ok();
        Ok(number
            .and_then(|number| number.checked_sub(1))
            .filter(|index| *index < names.len()))
    }

    fn integer(&mut self) -> Result<(), Unreadable> {
        Ok(self.varint().map(drop)?)
    }

    fn until(&mut self, now: SystemTime) -> Result<Duration, Unreadable> {
        Ok(timestamp::until(self.bytes()?, now)?)
    }

    fn raw(&mut self) -> Result<&'m [u8], Unreadable> {
        Ok(match self.value {
            Value::Bytes(bytes) => bytes,
            _ => self.bytes,
        })
    }

    fn is_unset(&self) -> Result<bool, Unreadable> {
        Ok(match self.value {
            Value::Varint(number) | Value::Fixed64(number) => number == 0,
            Value::Fixed32(number) => number == 0,
            Value::Bytes(bytes) => bytes.is_empty(),
        })
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(())
    }
}
