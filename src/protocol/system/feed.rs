//! How a system's changes are followed.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::request::Parts;

use crate::changes::{Change, Effect, Object, Subject, TupleFilter};
use crate::protocol::call::Unreadable;
use crate::protocol::feed::{Checkpoints, FeedFailure, FeedProtocol, ReadSchema, Report, Reported};
use crate::protocol::kit::grpc::Code;
use crate::protocol::operation::{Does, Field, Is, Operation};
use crate::protocol::reply::Reply;
use crate::protocol::system::{Over, System};
use crate::protocol::wire::{Ended, Reader, Streamed, Wire};
use crate::token::Zookie;

/// What a system's change feed means, for all its wires.
pub(in crate::protocol) trait Followed {
    /// Whether the feed can be followed through the gateway too.
    const THROUGH_GATEWAY: bool = true;

    /// The fields of a message with one relationship that is read.
    const RELATIONSHIP: &'static [Field] = &[];

    /// What a checkpoint says.
    fn checkpoints(&self) -> Checkpoints;

    /// The call to `watch` that opens the feed, after the token `from`.
    fn open<W: Wire>(watch: &Operation, tenant: &str, from: Option<&str>) -> Asked;

    /// The operation that reads the schema.
    fn read_schema() -> Option<&'static Operation> {
        None
    }

    /// A call that succeeds only while the store still has all changes after `at`.
    fn check<W: Wire>(at: &str) -> Asked {
        let _ = at;
        None
    }

    /// A call that reads relationships at exactly `at`.
    fn read_relationships<W: Wire>(filter: TupleFilter<'_>, at: &str) -> Asked {
        let _ = (filter, at);
        None
    }

    /// Whether a call that failed with this code has lost changes.
    fn loses(code: Code) -> bool {
        let _ = code;
        false
    }

    /// The token of a message, as the store's other replies spell it.
    fn canonical(&self, token: &str) -> Option<String> {
        Some(token.to_owned())
    }

    /// Whether the feed reports changes of the schema, given the token of a read schema.
    fn follows_schema(&self, token: &str) -> bool {
        let _ = token;
        true
    }
}

/// A request of the layer's own, if it can be written.
pub(in crate::protocol) type Asked = Option<(Parts, Bytes)>;

impl<S: System, W: Wire> FeedProtocol for Over<S, W> {
    fn checkpoints(&self) -> Checkpoints {
        self.system.checkpoints()
    }

    fn open(&self, tenant: &str, from: Option<&Zookie>) -> Asked {
        S::open::<W>(watch::<S>()?, tenant, from.map(Zookie::as_str))
    }

    fn next(&self, arrived: &mut BytesMut, longest: usize) -> Result<Option<Bytes>, Unreadable> {
        W::next(arrived, longest)
    }

    fn reports(&self, message: &[u8]) -> Result<Vec<Report>, FeedFailure> {
        const NO_TOKEN: FeedFailure = FeedFailure::lost_because("a message of the feed has no token that can be read");
        let message = streamed::<S, W>(message)?;
        let fields = watch::<S>().map_or(&[][..], |watch| watch.reply);
        let token = text_in::<W>(message, fields, |is| matches!(is, Is::Token)).map_err(|_| NO_TOKEN)?;
        let token = token.as_deref().and_then(|token| self.system.canonical(token));
        let token = token.ok_or(NO_TOKEN)?;
        let told = Told::in_message::<W>(message, fields).unwrap_or_else(|why| Told {
            other: Some(Some(why)),
            ..Told::default()
        });
        let reported = told.reported();
        Ok(reported
            .map(|what| Report {
                token: token.clone(),
                what,
            })
            .collect())
    }

    fn ended(&self, reply: &Reply<'_>) -> Result<(), FeedFailure> {
        message_of::<S, W>(reply).map(drop)
    }

    fn check(&self, _: &str, at: &Zookie) -> Asked {
        S::check::<W>(at.as_str())
    }

    fn read_schema(&self, _: &str) -> Asked {
        W::call(S::read_schema()?, S::BASE, None, &[])
    }

    fn schema(&self, reply: &Reply<'_>) -> Result<ReadSchema, FeedFailure> {
        const UNREADABLE: FeedFailure = FeedFailure::interrupted_because("the reply with the schema can't be read");
        let message = message_of::<S, W>(reply)?.ok_or(UNREADABLE)?;
        let fields = S::read_schema().map_or(&[][..], |operation| operation.reply);
        let read = |wanted: fn(&Is) -> bool| text_in::<W>(message, fields, wanted).map_err(|_| UNREADABLE);
        let text = read(|is| matches!(is, Is::Text))?.unwrap_or_default();
        let token = read(|is| matches!(is, Is::Token))?.ok_or(UNREADABLE)?;
        let is_followed = self.system.follows_schema(&token);
        Ok(ReadSchema {
            text,
            token,
            is_followed,
        })
    }

    fn read_relationships(&self, _: &str, filter: TupleFilter<'_>, at: &Zookie) -> Asked {
        let is_plain = |name: &str| !name.contains(['"', '\\']) && !name.contains(char::is_control);
        let (kind, relation) = filter.usersets.unwrap_or_default();
        if ![filter.kind, filter.relation, kind, relation].into_iter().all(is_plain) {
            return None;
        }
        S::read_relationships::<W>(filter, at.as_str())
    }

    fn relationship(&self, message: &[u8]) -> Result<(Change, String), FeedFailure> {
        let message = streamed::<S, W>(message)?;
        let unreadable = |Unreadable(why)| FeedFailure::interrupted(format!("a relationship can't be read: {why}"));
        let token = text_in::<W>(message, S::RELATIONSHIP, |is| matches!(is, Is::Token)).map_err(unreadable)?;
        let mut row = Row {
            effect: Some(Effect::Added),
            ..Row::default()
        };
        let mut reader = W::reply(message).map_err(unreadable)?;
        row.read(&mut reader, S::RELATIONSHIP, Side::Resource)
            .map_err(unreadable)?;
        let change = row.change().map_err(unreadable)?;
        let token = token.ok_or(FeedFailure::interrupted("a relationship has no token"))?;
        Ok((change, token))
    }
}

fn watch<S: System>() -> Option<&'static Operation> {
    S::OPERATIONS.iter().find(|operation| operation.does == Does::Watch)
}

/// A message of a stream of replies.
fn streamed<S: System, W: Wire>(message: &[u8]) -> Result<&[u8], FeedFailure> {
    match W::streamed(message) {
        Ok(Streamed::Message(message)) => Ok(message),
        Ok(Streamed::Failed(code)) => Err(failed::<S>(code)),
        Err(Unreadable(why)) => Err(FeedFailure::lost(why)),
    }
}

/// The message of a whole reply, if it succeeded.
fn message_of<'a, S: System, W: Wire>(reply: &Reply<'a>) -> Result<Option<&'a [u8]>, FeedFailure> {
    match W::ended(reply) {
        Ended::Succeeded(answer) => Ok(answer.map(|(_, message)| message)),
        Ended::Failed(code, _) => Err(failed::<S>(code)),
        Ended::Unclear => Err(match (W::streamed(reply.body), reply.status) {
            (Ok(Streamed::Failed(code)), _) => failed::<S>(code),
            (_, StatusCode::OK) => FeedFailure::interrupted("the upstream ended it without a status"),
            (_, status) => FeedFailure::interrupted(format!("the upstream answered with {status}")),
        }),
    }
}

/// A status's message may name a subject.
fn failed<S: System>(code: Code) -> FeedFailure {
    let why = format!("the upstream ended it with status {}, {code:?}", code as u16);
    match S::loses(code) {
        true => FeedFailure::lost(why),
        false => FeedFailure::interrupted(why),
    }
}

/// The only text in a message whose field is `wanted`.
fn text_in<W: Wire>(
    message: &[u8],
    fields: &'static [Field],
    wanted: fn(&Is) -> bool,
) -> Result<Option<String>, Unreadable> {
    let (mut reader, mut found) = (W::reply(message)?, None);
    find(&mut reader, fields, wanted, &mut found)?;
    reader.end()?;
    Ok(found.filter(|text: &String| !text.is_empty()))
}

fn find<'m, R: Reader<'m>>(
    message: &mut R,
    fields: &'static [Field],
    wanted: fn(&Is) -> bool,
    found: &mut Option<String>,
) -> Result<(), Unreadable> {
    message.message(fields, |member, value| match member.field.map(|(_, field)| field.is) {
        Some(is) if wanted(&is) => match found.replace(text(value)?.into()) {
            None => Ok(()),
            Some(_) => Err(REPEATED),
        },
        Some(Is::Opened(fields)) => find(value, fields, wanted, found),
        _ => value.raw().map(drop),
    })
}

const REPEATED: Unreadable = Unreadable("it repeats a field");

fn text<'m, R: Reader<'m>>(value: &mut R) -> Result<Box<str>, Unreadable> {
    let text = value.text()?;
    let text = std::str::from_utf8(&text).map_err(|_| Unreadable("a text is not UTF-8"))?;
    Ok(text.into())
}

/// Notes a field, and whether it is repeated.
fn once(seen: &mut u64, index: usize) -> Result<(), Unreadable> {
    match std::mem::replace(seen, *seen | 1 << index) & 1 << index {
        0 => Ok(()),
        _ => Err(REPEATED),
    }
}

/// What a message of the feed tells.
#[derive(Debug, Default)]
struct Told {
    changes: Vec<Change>,
    schema_changed: bool,
    /// A change of something else, and why it could not be read.
    other: Option<Option<Unreadable>>,
    is_checkpoint: bool,
}

impl Told {
    fn in_message<W: Wire>(message: &[u8], fields: &'static [Field]) -> Result<Self, Unreadable> {
        let (mut told, mut reader) = (Self::default(), W::reply(message)?);
        told.read(&mut reader, fields)?;
        reader.end()?;
        Ok(told)
    }

    fn read<'m, R: Reader<'m>>(&mut self, message: &mut R, fields: &'static [Field]) -> Result<(), Unreadable> {
        let mut seen = 0;
        message.message(fields, |member, value| {
            let Some((index, field)) = member.field else {
                self.unread(Unreadable("it has a field that this version does not know"));
                return value.raw().map(drop);
            };
            match field.is {
                Is::Changes(fields) => value.each(|change| {
                    let mut whole = change.clone();
                    change.raw()?;
                    self.change(&mut whole, fields);
                    Ok(())
                }),
                Is::SchemaChanged => {
                    self.schema_changed |= value.flag()?;
                    Ok(())
                }
                Is::Checkpoint => {
                    once(&mut seen, index)?;
                    self.is_checkpoint = value.flag()?;
                    Ok(())
                }
                Is::Opened(fields) => {
                    once(&mut seen, index)?;
                    self.read(value, fields)
                }
                _ => value.raw().map(drop),
            }
        })
    }

    fn change<'m, R: Reader<'m>>(&mut self, change: &mut R, fields: &'static [Field]) {
        let mut row = Row::default();
        match row.read(change, fields, Side::Resource) {
            Ok(()) if row.is_other => self.other = self.other.or(Some(None)),
            Ok(()) => match row.change() {
                Ok(change) => self.changes.push(change),
                Err(why) => self.unread(why),
            },
            Err(why) => self.unread(why),
        }
    }

    fn unread(&mut self, why: Unreadable) {
        self.other = Some(self.other.flatten().or(Some(why)));
    }

    /// A checkpoint comes last: it may stand for what the message itself tells.
    fn reported(self) -> impl Iterator<Item = Reported> {
        let is_empty = !self.schema_changed && !self.is_checkpoint && self.other.is_none();
        let changed = (is_empty || !self.changes.is_empty()).then_some(Reported::Changed(self.changes));
        let schema = self.schema_changed.then_some(Reported::SchemaChanged);
        let checkpoint = self.is_checkpoint.then_some(Reported::Checkpoint);
        let other = self.other.map(Reported::Anything);
        changed.into_iter().chain(schema).chain(other).chain(checkpoint)
    }
}

/// A relationship while it is read.
#[derive(Debug, Default)]
struct Row {
    effect: Option<Effect>,
    resource: Names,
    subject: Names,
    /// It is no relationship.
    is_other: bool,
}

#[derive(Debug, Default)]
struct Names {
    kind: Box<str>,
    id: Box<str>,
    relation: Box<str>,
}

/// What a field of a relationship belongs to.
#[derive(Clone, Copy, Debug)]
enum Side {
    Resource,
    Subject,
}

impl Row {
    fn read<'m, R: Reader<'m>>(
        &mut self,
        message: &mut R,
        fields: &'static [Field],
        side: Side,
    ) -> Result<(), Unreadable> {
        let mut seen = 0;
        message.message(fields, |member, value| {
            let Some((index, field)) = member.field else {
                return Err(Unreadable("a relationship has a field that this version does not know"));
            };
            once(&mut seen, index)?;
            let names = match side {
                Side::Resource => &mut self.resource,
                Side::Subject => &mut self.subject,
            };
            match field.is {
                Is::Effect(known, effects) => self.effect = value.choice(known)?.map(|index| effects[index]),
                Is::Kind => names.kind = text(value)?,
                Is::Id => names.id = text(value)?,
                Is::Relation => names.relation = text(value)?,
                Is::Message(fields) => self.read(value, fields, side)?,
                Is::Resource(fields) => self.read(value, fields, Side::Resource)?,
                Is::Subject(fields) => self.read(value, fields, Side::Subject)?,
                Is::OtherChange => {
                    value.raw()?;
                    self.is_other = true;
                }
                _ => value.raw().map(drop)?,
            }
            Ok(())
        })
    }

    fn change(self) -> Result<Change, Unreadable> {
        let Self {
            effect,
            resource,
            subject,
            ..
        } = self;
        let effect = effect.ok_or(Unreadable("a change has an operation that this version does not know"))?;
        let named = [
            &resource.kind,
            &resource.id,
            &resource.relation,
            &subject.kind,
            &subject.id,
        ];
        if named.into_iter().any(|name| name.is_empty()) {
            return Err(Unreadable(
                "a relationship does not name its resource, relation and subject",
            ));
        }
        let object = Object::new(subject.kind, subject.id);
        Ok(Change {
            effect,
            resource: Object::new(resource.kind, resource.id),
            relation: resource.relation,
            subject: match &*subject.relation {
                "" | "..." => Subject::of(object),
                _ => Subject::userset(object, subject.relation),
            },
        })
    }
}
