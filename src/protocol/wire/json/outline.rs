use std::ops::Range;

use bytes::Bytes;

use crate::protocol::kit::json::{Json, NotJson};
use crate::protocol::operation::Field;
use crate::protocol::wire::Edit;

/// A byte range of a text, and the bytes that replace it.
pub(in crate::protocol) type Replacement = (Range<usize>, Vec<u8>);

/// The text with these replacements, which must not overlap. The rest stays byte for byte.
pub(super) fn splice(text: &[u8], mut replacements: Vec<Replacement>) -> Option<Bytes> {
    replacements.sort_unstable_by_key(|(old, _)| old.start);
    let more: usize = replacements.iter().map(|(_, new)| new.len()).sum();
    let mut spliced = Vec::with_capacity(text.len() + more);
    let mut at = 0;
    for (old, new) in replacements {
        spliced.extend_from_slice(text.get(at..old.start)?);
        spliced.extend_from_slice(&new);
        at = old.end;
    }
    spliced.extend_from_slice(text.get(at..)?);
    Some(spliced.into())
}

/// The byte ranges of a request that forwarding may replace.
pub(super) struct Outline {
    /// The object with the edited member, if it is there.
    pub(in crate::protocol) object: Option<Object>,
    /// The items of a bulk.
    pub(in crate::protocol) items: Option<Items>,
}

impl Outline {
    pub(super) fn of(text: &[u8], edit: Option<&Edit<'_>>, items_field: Option<&Field>) -> Result<Self, NotJson> {
        let (mut within, mut items) = (None, None);
        let at_top = edit.filter(|edit| edit.within.is_none()).map(|edit| edit.field);
        let mut json = Json::new(text)?;
        let whole = Object::read(&mut json, text, at_top, |json, name| {
            let has = |field: Option<&Field>| field.is_some_and(|field| field.has_name(name));
            match (edit, json.peek()) {
                (Some(edit), Some(b'{')) if has(edit.within) => {
                    within = Some(Object::read(json, text, Some(edit.field), |_, _| Ok(false))?);
                }
                (_, Some(b'[')) if has(items_field) => items = Some(Items::read(json)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let object = if at_top.is_some() { Some(whole) } else { within };
        Ok(Self { object, items })
    }
}

/// An object with one member that may be replaced.
pub(in crate::protocol) struct Object {
    /// The position after its brace.
    inside: usize,
    is_empty: bool,
    member: Option<Named>,
}

/// A member of an object.
struct Named {
    /// The byte range of its quoted name, if that is the field's other name.
    alias: Option<Range<usize>>,
    value: Range<usize>,
}

impl Object {
    /// Reads an object. `other` reads the value of a member that is not `field`, or says that it did not.
    fn read(
        json: &mut Json<'_>,
        text: &[u8],
        field: Option<&Field>,
        mut other: impl FnMut(&mut Json<'_>, &str) -> Result<bool, NotJson>,
    ) -> Result<Self, NotJson> {
        json.peek();
        let inside = json.position() + 1;
        let mut object = Self {
            inside,
            is_empty: true,
            member: None,
        };
        let mut before = inside;
        json.object(|json, name| {
            object.is_empty = false;
            let named = before..json.position();
            match field.filter(|field| field.has_name(name)) {
                Some(field) => {
                    let alias = if name == field.name { None } else { quoted(text, named) };
                    let value = json.span()?;
                    object.member = Some(Named { alias, value });
                }
                None if other(json, name)? => {}
                None => drop(json.value()?),
            }
            before = json.position();
            Ok::<_, NotJson>(())
        })?;
        Ok(object)
    }

    /// Gives the member this value. Not every build of a server reads a field's other name, so it is replaced even if
    /// the value is already the right one.
    pub(super) fn set(&self, edit: &Edit<'_>, value: String, replacements: &mut Vec<Replacement>) {
        let Some(member) = &self.member else {
            if !edit.is_stated {
                let comma = if self.is_empty { "" } else { "," };
                let member = format!(r#""{}":{value}{comma}"#, edit.field.name);
                replacements.push((self.inside..self.inside, member.into_bytes()));
            }
            return;
        };
        if edit.is_stated && (member.alias.is_none() || edit.value.is_unset()) {
            return;
        }
        if let Some(name) = &member.alias {
            replacements.push((name.clone(), format!(r#""{}""#, edit.field.name).into_bytes()));
        }
        replacements.push((member.value.clone(), value.into_bytes()));
    }
}

/// The byte range of the quoted text in this part of a text.
fn quoted(text: &[u8], part: Range<usize>) -> Option<Range<usize>> {
    let within = text.get(part.clone())?;
    let first = within.iter().position(|byte| *byte == b'"')?;
    let last = within.iter().rposition(|byte| *byte == b'"')?;
    Some(part.start + first..part.start + last + 1)
}

/// The byte ranges of a bulk's items.
pub(in crate::protocol) struct Items {
    list: Range<usize>,
    items: Vec<Range<usize>>,
}

impl Items {
    /// Reads an array.
    fn read(json: &mut Json<'_>) -> Result<Self, NotJson> {
        json.peek();
        let start = json.position();
        let mut items = Vec::new();
        json.array(|json| {
            items.push(json.span()?);
            Ok::<_, NotJson>(())
        })?;
        Ok(Self {
            list: start..json.position(),
            items,
        })
    }

    /// The replacement that leaves only the items `open`.
    pub(super) fn only(&self, text: &[u8], open: &[usize]) -> Option<Replacement> {
        let mut list = vec![b'['];
        for (nth, &index) in open.iter().enumerate() {
            if nth > 0 {
                list.push(b',');
            }
            list.extend_from_slice(text.get(self.items.get(index)?.clone())?);
        }
        list.push(b']');
        Some((self.list.clone(), list))
    }
}
