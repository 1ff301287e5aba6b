//! What a reply says.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::changes::Verdict;
use crate::protocol::call::{Kind, Received, Unreadable};
use crate::protocol::kit::grpc::Code;
use crate::protocol::operation::{Does, Field, Is, Operation};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::protocol::system::System;
use crate::protocol::system::answer::Answer;
use crate::protocol::system::tuple::Tuple;
use crate::protocol::wire::{Ended, Reader, Wire};

/// What the reply to a call of `operation` says about the items `asked`.
pub(super) fn outcome<S: System, W: Wire>(
    operation: &Operation,
    received: Received<'_>,
    asked: &[usize],
    reply: &Reply<'_>,
) -> ReplyOutcome {
    let ended = W::ended(reply);
    let is_write = matches!(operation.does, Does::Write | Does::WriteSchema | Does::Import);
    let answer = match ended {
        Ended::Succeeded(answer) if is_write => {
            let token = answer.and_then(|(_, message)| token_in::<W>(operation, message));
            return match token {
                Some(token) if S::is_nothing_written(&token) => ReplyOutcome::Unchanged,
                token => ReplyOutcome::Wrote {
                    token,
                    schema: operation.does == Does::WriteSchema,
                },
            };
        }
        Ended::Failed(Code::AlreadyExists | Code::FailedPrecondition, _) if is_write => return ReplyOutcome::Unchanged,
        Ended::Failed(code, _) if is_write && code.changed_nothing() => return ReplyOutcome::NotWritten,
        Ended::Failed(code, message) if !is_write && S::rejects_revision(code, &message) => {
            return ReplyOutcome::RevisionRejected;
        }
        Ended::Succeeded(Some(answer)) => answer,
        Ended::Succeeded(None) | Ended::Failed(..) | Ended::Unclear => return ReplyOutcome::Nothing,
    };
    let (content_type, message) = answer;
    let learned = match (&received.call.kind, operation.results()) {
        (Kind::Check(_), _) => one::<S, W>(operation, content_type, message, reply),
        (Kind::Bulk(_), Some(results)) => {
            several::<S, W>(operation, results, received.message, asked, &content_type, message)
        }
        _ => token_in::<W>(operation, message).map(|token| (Vec::new(), Some(token))),
    };
    match learned {
        Some((items, token)) => ReplyOutcome::Answers { items, token },
        None => ReplyOutcome::Nothing,
    }
}

/// The answers in a reply, and its token.
type Learned = (Vec<ReplyItem>, Option<String>);

/// The token in a message.
pub(super) fn token_in<W: Wire>(operation: &Operation, message: &[u8]) -> Option<String> {
    read::<W>(operation, message)
        .ok()?
        .token
        .filter(|token| !token.is_empty())
}

fn read<W: Wire>(operation: &Operation, message: &[u8]) -> Result<Answer, Unreadable> {
    let mut answer = Answer::new(SystemTime::now());
    let mut reader = W::reply(message)?;
    answer.members(&mut reader, operation.reply)?;
    reader.end()?;
    Ok(answer)
}

/// The token of a reply, if the system's replies to this operation have one. Without it the reply says nothing.
fn token(operation: &Operation, answer: Answer) -> Option<Option<String>> {
    let token = answer.token.filter(|token| !token.is_empty());
    (token.is_some() || operation.reply_token().is_none()).then_some(token)
}

/// The reply to one question.
fn one<S: System, W: Wire>(
    operation: &Operation,
    content_type: HeaderValue,
    message: &[u8],
    reply: &Reply<'_>,
) -> Option<Learned> {
    let answer = read::<W>(operation, message).ok()?;
    let item = ReplyItem {
        response: W::whole(content_type, reply, S::add_trailers),
        store: answer.is_plain(),
        expires_in: answer.expires_in,
        verdict: answer.verdict.map_or(Verdict::Unclear, S::verdict),
    };
    Some((vec![item], token(operation, answer)?))
}

/// The reply to a bulk.
fn several<S: System, W: Wire>(
    operation: &Operation,
    results: &'static Field,
    request: &[u8],
    asked: &[usize],
    content_type: &HeaderValue,
    message: &[u8],
) -> Option<Learned> {
    let Is::Results(fields) = results.is else {
        return None;
    };
    let echo = fields.iter().find_map(|field| match field.is {
        Is::Echo(fields) => Some(fields),
        _ => None,
    });
    let requested = match echo {
        Some(_) => items::<W>(operation, request)?,
        None => Vec::new(),
    };
    let mut whole = Answer::new(SystemTime::now());
    let mut items = Vec::with_capacity(asked.len());
    let mut reader = W::reply(message).ok()?;
    let mut result = |result: &mut W::Reader<'_>| {
        const OTHER: Unreadable = Unreadable("the reply answers other questions");
        let asked = *asked.get(items.len()).ok_or(OTHER)?;
        let text = result.clone().raw()?;
        let mut answer = Answer::new(SystemTime::now());
        let (mut repeated, mut seen) = (None, 0);
        result.message(fields, |member, value| {
            answer.note(&mut seen, member);
            match member.field {
                Some((
                    _,
                    Field {
                        is: Is::Echo(fields), ..
                    },
                )) => {
                    repeated = Some(Tuple::of(value, fields)?);
                    Ok(())
                }
                _ => answer.member(member, value),
            }
        })?;
        if let Some(fields) = echo {
            let mut item = requested.get(asked).ok_or(OTHER)?.clone();
            if repeated.unwrap_or_default() != Tuple::of(&mut item, fields)? {
                return Err(OTHER);
            }
        }
        items.push(ReplyItem {
            // A copy: one stored answer must not keep the whole reply in memory.
            response: StoredResponse::new(StatusCode::OK, content_type.clone(), Bytes::copy_from_slice(text)),
            store: answer.is_plain() && answer.verdict.is_some_and(S::shares_item),
            expires_in: answer.expires_in,
            verdict: answer.verdict.map_or(Verdict::Unclear, S::verdict),
        });
        Ok(())
    };
    let read = reader.message(operation.reply, |member, value| match member.field {
        Some((_, field)) if matches!(field.is, Is::Results(_)) => value.each(&mut result),
        _ => whole.member(member, value),
    });
    read.and_then(|()| reader.end()).ok()?;
    if items.len() < asked.len() {
        return None;
    }
    let has_more = whole.has_more;
    items.iter_mut().for_each(|item| item.store &= !has_more);
    Some((items, token(operation, whole)?))
}

/// The items of a bulk's request, in their order.
pub(super) fn items<'m, W: Wire>(operation: &Operation, request: &'m [u8]) -> Option<Vec<W::Reader<'m>>> {
    let mut items = Vec::new();
    let mut reader = W::request(request).ok()?;
    let read = reader.message(operation.request, |member, value| match member.field {
        Some((_, field)) if matches!(field.is, Is::Items(_)) => value.each(|item| {
            items.push(item.clone());
            item.raw().map(drop)
        }),
        _ => value.raw().map(drop),
    });
    read.ok().map(|()| items)
}
