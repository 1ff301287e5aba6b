//! Which objects a request names.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;

use crate::protocol::call::Unreadable;
use crate::protocol::object::Object;
use crate::protocol::operation::{Does, Field, Is, Operation};
use crate::protocol::system::{Related, System};
use crate::protocol::wire::{Put, Reader, Wire};

const UNPINNED: Unreadable = Unreadable("the message does not say which objects it concerns");

/// Calls `each` with every object that a request names. Of a write these are all that it touches, of a read those that its
/// answer depends on.
pub(super) fn objects<W: Wire>(
    operation: &Operation,
    tenant: &[u8],
    message: &[u8],
    each: &mut dyn FnMut(Object<'_>),
) -> Result<(), Unreadable> {
    let writes = match operation.does {
        Does::Write => true,
        Does::Check | Does::Bulk | Does::Read | Does::ReadStream => false,
        Does::List if !operation.objects.is_empty() => false,
        // They read only the schema.
        Does::ReadAtHead => return Ok(()),
        Does::List | Does::WriteSchema | Does::Import | Does::Watch => return Err(UNPINNED),
    };
    if writes && operation.objects.is_empty() {
        return Err(UNPINNED);
    }
    let in_message = match tenant {
        b"" => tenant_in::<W>(operation, message)?,
        _ => Cow::Borrowed(tenant),
    };
    let mut walk = Walk {
        tenant: &in_message,
        writes,
        each,
    };
    let mut reader = W::request(message)?;
    walk.message(&mut reader, operation.objects)?;
    reader.end()
}

/// The tenant that a message names.
fn tenant_in<'m, W: Wire>(operation: &Operation, message: &'m [u8]) -> Result<Cow<'m, [u8]>, Unreadable> {
    let mut tenant = Cow::Borrowed(&[][..]);
    if operation.objects.iter().any(|field| matches!(field.is, Is::Tenant)) {
        W::request(message)?.message(operation.objects, |member, value| match member.field {
            Some((_, Field { is: Is::Tenant, .. })) => {
                tenant = value.text()?;
                Ok(())
            }
            _ => value.raw().map(drop),
        })?;
    }
    Ok(tenant)
}

/// The tenant of a request.
pub(super) fn tenant_of<'a, W: Wire>(
    operation: &Operation,
    base: &str,
    parts: &'a Parts,
    message: &'a [u8],
) -> Option<Cow<'a, [u8]>> {
    let tenant = W::tenant(base, &parts.uri);
    match tenant.is_empty() {
        true => tenant_in::<W>(operation, message).ok(),
        false => Some(tenant),
    }
}

/// The operation that tells the subjects of a relation.
pub(super) fn related<S: System>() -> Option<usize> {
    let is_it = |operation: &Operation| operation.http.1 == S::RELATED.path;
    S::OPERATIONS.iter().position(is_it)
}

/// Turns the parts of a request into those of one for the subjects of `relation`. `None` if a name has characters that JSON
/// escapes.
pub(super) fn ask_related<S: System, W: Wire>(
    parts: &mut Parts,
    operation: usize,
    object: &Object<'_>,
    relation: &str,
) -> Option<Bytes> {
    let Related {
        tenant,
        empty,
        object: object_field,
        names: [kind, id],
        relation: relation_field,
        ..
    } = &S::RELATED;
    let plain = |bytes| {
        std::str::from_utf8(bytes)
            .ok()
            .filter(|text: &&str| !text.contains(['"', '\\']) && !text.contains(char::is_control))
    };
    let of_tenant = match tenant {
        Some(field) => Some((field, plain(object.tenant)?)),
        None => None,
    };
    let names = [
        (kind, Put::Text(plain(object.kind)?)),
        (id, Put::Text(plain(object.id?)?)),
    ];
    let mut fields = Vec::new();
    fields.extend(empty.as_ref().map(|field| (field, Put::Message(&[]))));
    fields.push((object_field, Put::Message(&names)));
    fields.push((relation_field, Put::Text(relation)));
    W::call_instead(parts, &S::OPERATIONS[operation], S::BASE, of_tenant, &fields)
}

/// Calls `each` with the subjects that a reply names, which may hold nothing else.
pub(super) fn subjects<W: Wire>(
    tenant: &[u8],
    message: &[u8],
    fields: &'static [Field],
    each: &mut dyn FnMut(Object<'_>),
) -> Result<(), Unreadable> {
    let mut walk = Walk {
        tenant,
        writes: true,
        each,
    };
    let mut reader = W::reply(message)?;
    walk.message(&mut reader, fields)?;
    reader.end()
}

struct Walk<'a> {
    tenant: &'a [u8],
    /// What a write touches has to be known completely.
    writes: bool,
    each: &'a mut dyn FnMut(Object<'_>),
}

/// What a filter matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Matches {
    /// It says anything.
    anything: bool,
    /// It names the only objects that it can match.
    pinned: bool,
    /// It names objects, or types.
    named: bool,
}

impl Walk<'_> {
    /// Reads a message with these fields. A repeated field, which some servers merge, can't be read.
    fn message<'m, R: Reader<'m>>(&mut self, message: &mut R, fields: &'static [Field]) -> Result<(), Unreadable> {
        let (mut kind, mut id) = (None, None);
        let mut seen = 0_u64;
        message.message(fields, |member, value| {
            let Some((index, field)) = member.field else {
                return if self.writes {
                    Err(UNPINNED)
                } else {
                    value.raw().map(drop)
                };
            };
            let repeats = matches!(field.is, Is::Items(_));
            if !repeats && seen & 1 << index != 0 {
                return Err(Unreadable("the message repeats a field"));
            }
            seen |= 1 << index;
            match field.is {
                Is::Kind => kind = Some(value.text()?),
                Is::Id => id = Some(value.text()?),
                Is::Message(fields) => self.message(value, fields)?,
                // They name no objects.
                Is::Items([]) => value.raw().map(drop)?,
                Is::Items(fields) => value.each(|item| self.message(item, fields))?,
                Is::Filter(fields) => {
                    let matches = self.filter(value, fields)?;
                    // A filter that says nothing matches nothing.
                    let unpinned = matches.anything && !matches.pinned;
                    if self.writes && unpinned || !self.writes && !matches.named {
                        return Err(UNPINNED);
                    }
                }
                _ => value.raw().map(drop)?,
            }
            Ok(())
        })?;
        let has_id = fields.iter().any(|field| matches!(field.is, Is::Id));
        match (kind, id) {
            (None, None) => Ok(()),
            (kind, id) if has_id => self.one(&kind.unwrap_or_default(), &id.unwrap_or_default()),
            (kind, _) => {
                self.all_of(&kind.unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Reads a filter with these fields.
    fn filter<'m, R: Reader<'m>>(&mut self, filter: &mut R, fields: &'static [Field]) -> Result<Matches, Unreadable> {
        let (mut kind, mut ids) = (None, Vec::new());
        let (mut anything, mut all_inner_pinned, mut named) = (false, true, false);
        let mut seen = 0_u64;
        filter.message(fields, |member, value| {
            let Some((index, field)) = member.field else {
                anything = true;
                return if self.writes {
                    Err(UNPINNED)
                } else {
                    value.raw().map(drop)
                };
            };
            let repeats = matches!(field.is, Is::Ids | Is::Items(_));
            if !repeats && seen & 1 << index != 0 {
                return Err(Unreadable("the message repeats a field"));
            }
            seen |= 1 << index;
            match field.is {
                Is::Kind => kind = Some(value.text()?).filter(|kind| !kind.is_empty()),
                Is::Id => ids.extend(Some(value.text()?).filter(|id| !id.is_empty())),
                Is::Ids => value.each(|id| {
                    ids.push(id.text()?);
                    Ok(())
                })?,
                Is::Filter(fields) => {
                    let inner = self.filter(value, fields)?;
                    anything |= inner.anything;
                    all_inner_pinned &= inner.pinned;
                    named |= inner.named;
                }
                _ => {
                    anything |= !value.is_unset()?;
                    value.raw()?;
                }
            }
            Ok(())
        })?;
        let names_objects = fields.iter().any(|field| matches!(field.is, Is::Kind));
        let inner = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| matches!(field.is, Is::Filter(_)));
        let has_all_inner = inner.clone().all(|(index, _)| seen & 1 << index != 0);
        let pinned = all_inner_pinned && has_all_inner && (!names_objects || kind.is_some() && !ids.is_empty());
        anything |= kind.is_some() || !ids.is_empty();
        named |= kind.is_some();
        match kind {
            Some(kind) if ids.is_empty() => self.all_of(&kind),
            Some(kind) => ids.iter().try_for_each(|id| self.one(&kind, id))?,
            None => {}
        }
        Ok(Matches {
            anything,
            pinned,
            named,
        })
    }

    /// Names one object. A wildcard stands for every object of its type, and a write of it touches all of them.
    fn one(&mut self, kind: &[u8], id: &[u8]) -> Result<(), Unreadable> {
        if self.writes && id == b"*" {
            return Err(UNPINNED);
        }
        (self.each)(Object::new(kind, id).in_tenant(self.tenant));
        Ok(())
    }

    fn all_of(&mut self, kind: &[u8]) {
        (self.each)(Object::all_of(kind).in_tenant(self.tenant));
    }
}
