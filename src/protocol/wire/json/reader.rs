use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use crate::protocol::call::Unreadable;
use crate::protocol::kit::json::{Json, OTHER_CASE, differs_in_case};
use crate::protocol::operation::Field;
use crate::protocol::wire::json::timestamp;
use crate::protocol::wire::{Member, Reader};

impl<'m> Reader<'m> for Json<'m> {
    fn message(
        &mut self,
        fields: &'static [Field],
        mut member: impl FnMut(&Member<'_>, &mut Self) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        let mut seen = 0_u64;
        self.object(|json, name| {
            let mut rows = fields.iter().enumerate();
            let field = rows.find(|(_, field)| field.has_name(name));
            let Some((index, _)) = field else {
                // Decoders such as Go's take these names for the field, and the key leaves the field out.
                let passes = |field: &Field| differs_in_case(name, field.name) || differs_in_case(name, field.alias);
                if fields.iter().any(|field| field.is_left_out() && passes(field)) {
                    return Err(OTHER_CASE);
                }
                return member(&Member { field, name }, json);
            };
            if seen & 1 << index != 0 {
                return Err(Unreadable("the message repeats a field"));
            }
            seen |= 1 << index;
            if json.peek() == Some(b'n') {
                json.scalar()?;
                return Ok(());
            }
            member(&Member { field, name }, json)
        })
    }

    fn each(&mut self, element: impl FnMut(&mut Self) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
        self.array(element)
    }

    fn text(&mut self) -> Result<Cow<'m, [u8]>, Unreadable> {
        Ok(match self.string()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.scalar()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Unreadable("a bool is not true or false")),
        }
    }

    fn choice(&mut self, names: &[&str]) -> Result<Option<usize>, Unreadable> {
        let text = self.value()?;
        let name = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(name.and_then(|name| names.iter().position(|choice| *choice == name)))
    }

    fn integer(&mut self) -> Result<(), Unreadable> {
        let text = self.value()?.trim_matches('"');
        let integer: Result<i64, _> = text.parse();
        integer.map(drop).map_err(|_| Unreadable("a number is not an integer"))
    }

    fn until(&mut self, now: SystemTime) -> Result<Duration, Unreadable> {
        timestamp::until(self.value()?, now)
    }

    fn raw(&mut self) -> Result<&'m [u8], Unreadable> {
        Ok(self.value()?.as_bytes())
    }

    fn is_unset(&self) -> Result<bool, Unreadable> {
        Ok(matches!(self.clone().value()?, "null" | "0" | "\"0\"" | "\"\""))
    }

    fn end(self) -> Result<(), Unreadable> {
        Ok(Json::end(self)?)
    }
}
