use std::borrow::Cow;
use std::mem;

use bytes::Bytes;

use crate::cache::Fingerprint;
use crate::consistency::Consistency;
use crate::protocol::call::{Call, Kind, Unreadable};
use crate::protocol::operation::{Does, Field, Is, Operation, Place};
use crate::protocol::wire::{Member, Question, Reader, Wire};

/// A request while its message is read.
pub(super) struct Reading<'m, W: Wire> {
    /// What it asks beside a bulk's items. `None` if its answer is never stored.
    question: Option<W::Question>,
    items: Vec<Fingerprint>,
    max_items: usize,
    consistency: Option<Consistency>,
    token: Option<Cow<'m, [u8]>>,
    /// The message has the field in which a token has its place.
    has_place: bool,
    /// The message names the version of the schema.
    is_pinned: bool,
    asks_for_more: bool,
    is_page: bool,
}

impl<'m, W: Wire> Reading<'m, W> {
    /// Reads the message of a request.
    pub(super) fn of(
        operation: &Operation,
        question: Option<W::Question>,
        mut message: W::Reader<'m>,
        max_items: usize,
    ) -> Result<Self, Unreadable> {
        let mut reading = Self {
            question,
            items: Vec::new(),
            max_items,
            consistency: None,
            token: None,
            has_place: false,
            is_pinned: false,
            asks_for_more: false,
            is_page: false,
        };
        reading.members(&mut message, operation.request)?;
        message.end()?;
        Ok(reading)
    }

    /// What was read. `body` is the whole body.
    pub(super) fn call(self, operation: &Operation, body: &Bytes) -> Call {
        let kind = match (operation.does, &self.question) {
            (Does::Read | Does::ReadStream | Does::List, _) if self.is_page => Kind::Page,
            (Does::ReadStream | Does::List, _) => Kind::read().streamed(),
            _ if self.asks_for_more || self.has_no_place(operation) => Kind::read(),
            (Does::Check, Some(question)) => Kind::Check(question.finish()),
            (Does::Bulk, Some(question)) if !self.items.is_empty() => {
                Kind::Bulk(self.items.iter().map(|item| question.with_item(*item)).collect())
            }
            _ => Kind::read(),
        };
        Call {
            consistency: self.consistency,
            token: self.token.map(|token| match token {
                Cow::Borrowed(token) => body.slice_ref(token),
                Cow::Owned(token) => token.into(),
            }),
            unpinned: !self.is_pinned && operation.depends_on_schema(),
            ..Call::new(kind)
        }
    }

    /// Whether the message has no place for a token: the server rejects it.
    fn has_no_place(&self, operation: &Operation) -> bool {
        matches!(operation.place(), Some(Place::Token { .. })) && !self.has_place
    }

    fn members(&mut self, message: &mut W::Reader<'m>, fields: &'static [Field]) -> Result<(), Unreadable> {
        let mut seen = 0_u64;
        message.message(fields, |member, value| {
            let Some((index, field)) = member.field else {
                return self.add(member, value);
            };
            if field.is_singular() && seen & 1 << index != 0 {
                return Err(Unreadable("the message repeats a field"));
            }
            seen |= 1 << index;
            match field.is {
                Is::Freshness(ways) => self.freshness(value, ways),
                Is::Token => {
                    self.token = Some(value.text()?).filter(|token| !token.is_empty());
                    Ok(())
                }
                Is::SchemaVersion => {
                    // Not every build reads the other name.
                    self.is_pinned = !value.clone().text()?.is_empty() && !member.is_alias();
                    self.add(member, value)
                }
                Is::More => {
                    let asks_for_more = value.flag()?;
                    self.asks_for_more |= asks_for_more;
                    Ok(())
                }
                Is::Page => {
                    self.is_page |= !value.is_unset()?;
                    self.add(member, value)
                }
                Is::Items(fields) => value.each(|item| self.item(item, fields)),
                Is::Opened(fields) => {
                    self.has_place |= field.is_left_out();
                    let part = self.question.as_ref().map(Question::part);
                    let outer = mem::replace(&mut self.question, part);
                    self.members(value, fields)?;
                    let part = mem::replace(&mut self.question, outer);
                    if let (Some(question), Some(part)) = (&mut self.question, &part) {
                        question.add_part(member, part);
                    }
                    Ok(())
                }
                _ => self.add(member, value),
            }
        })
    }

    /// Adds a member to the question.
    fn add(&mut self, member: &Member<'_>, value: &mut W::Reader<'m>) -> Result<(), Unreadable> {
        match &mut self.question {
            Some(question) => question.add(member, value),
            None => value.raw().map(drop),
        }
    }

    fn item(&mut self, item: &mut W::Reader<'m>, fields: &'static [Field]) -> Result<(), Unreadable> {
        if self.items.len() == self.max_items {
            return Err(Unreadable("the bulk has more items than the server accepts"));
        }
        let part = self.question.as_ref().map(Question::part);
        let outer = mem::replace(&mut self.question, part);
        self.members(item, fields)?;
        let part = mem::replace(&mut self.question, outer);
        self.items.extend(part.map(|part| part.finish()));
        Ok(())
    }

    /// Reads a freshness. One that the server rejects is unreadable.
    fn freshness(&mut self, freshness: &mut W::Reader<'m>, ways: &'static [Field]) -> Result<(), Unreadable> {
        freshness.message(ways, |member, value| {
            let Some((
                _,
                Field {
                    is: Is::Consistency(consistency, token),
                    ..
                },
            )) = member.field
            else {
                return Err(Unreadable("the consistency is unknown"));
            };
            if self.consistency.replace(*consistency).is_some() {
                return Err(Unreadable("the message has two consistencies"));
            }
            if token.is_empty() {
                return if value.flag()? {
                    Ok(())
                } else {
                    Err(Unreadable("a consistency is false"))
                };
            }
            const ONE_TOKEN: Unreadable = Unreadable("the consistency does not have exactly one token");
            value.message(token, |member, value| match member.field {
                Some(_) if self.token.is_none() => {
                    self.token = Some(value.text()?).filter(|token| !token.is_empty());
                    Ok(())
                }
                _ => Err(ONE_TOKEN),
            })?;
            self.token.as_ref().map(drop).ok_or(ONE_TOKEN)
        })?;
        self.consistency.map(drop).ok_or(Unreadable("the consistency is empty"))
    }
}
