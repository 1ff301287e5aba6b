use bytes::Bytes;
use http::HeaderValue;

use crate::protobuf::{NotProtobuf, fields, write_bytes, write_number};
use crate::protocol::grpc::{Code, Status, answer, frame, merged, message};
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::spicedb::grpc::check::is_verdict;
use crate::protocol::spicedb::grpc::consistency::write_token;
use crate::protocol::spicedb::grpc::reply;
use crate::protocol::spicedb::grpc::reply::CHECKED_AT;
use crate::protocol::spicedb::grpc::request::ITEM;
use crate::protocol::spicedb::grpc::tuple::Tuple;
use crate::protocol::stored_response::StoredResponse;
use crate::token::Zookie;

const PAIR: u32 = 2;

const REQUEST: u32 = 1;
const ANSWER: u32 = 2;
const ERROR: u32 = 3;

/// The items of a request, in their order.
fn items(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = fields(message(body).unwrap_or_default()).flatten();
    fields.filter_map(|field| match field.number {
        ITEM => field.bytes().ok(),
        _ => None,
    })
}

/// An item and the answer to it.
#[derive(Debug, Default)]
struct Pair<'a> {
    request: Option<&'a [u8]>,
    answer: Option<&'a [u8]>,
    /// The pair has something that a plain answer does not have: an error, or a repeated or unknown field.
    more: bool,
}

impl<'a> Pair<'a> {
    fn read(message: &'a [u8]) -> Result<Self, NotProtobuf> {
        let mut pair = Self::default();
        for field in fields(message) {
            let field = field?;
            pair.more |= match field.number {
                REQUEST => pair.request.replace(field.bytes()?).is_some(),
                ANSWER => pair.answer.replace(field.bytes()?).is_some(),
                _ => true,
            };
        }
        Ok(pair)
    }

    /// Whether this is the pair of the item that was asked. Contexts are not compared.
    fn is_about(&self, item: &[u8]) -> Result<bool, NotProtobuf> {
        Ok(Tuple::of_item(self.request.unwrap_or_default())? == Tuple::of_item(item)?)
    }

    fn is_plain_verdict(&self) -> Result<bool, NotProtobuf> {
        const PERMISSIONSHIP: u32 = 1;
        const PARTIAL_CAVEAT_INFO: u32 = 2;
        let (mut verdict, mut caveat) = (None, None);
        let mut more = self.more;
        for field in fields(self.answer.unwrap_or_default()) {
            let field = field?;
            more |= match field.number {
                PERMISSIONSHIP => verdict.replace(field.varint()?).is_some(),
                PARTIAL_CAVEAT_INFO => caveat.replace(field.bytes()?).is_some(),
                _ => true,
            };
        }
        Ok(is_verdict(verdict) && !more)
    }
}

/// What the reply to a bulk says about the items `asked` of the request `body`.
pub(super) fn learn(status: &Status<'_>, reply: &Reply<'_>, body: &[u8], asked: &[usize]) -> Option<ReplyOutcome> {
    let (response, message) = answer(status, reply)?;
    let all: Vec<&[u8]> = items(body).collect();
    let mut asked = asked.iter();
    let mut items = Vec::with_capacity(asked.len());
    let (mut at, mut more) = (None, false);
    for field in fields(message) {
        let field = field.ok()?;
        match field.number {
            CHECKED_AT => more |= at.replace(field.bytes().ok()?).is_some(),
            PAIR => {
                let item = all.get(*asked.next()?)?;
                let content = field.bytes().ok()?;
                let pair = Pair::read(content).ok()?;
                if !pair.is_about(item).ok()? {
                    return None;
                }
                // A copy: one stored answer must not keep the whole reply in memory.
                let body = Bytes::copy_from_slice(content);
                let stored = StoredResponse {
                    body,
                    ..response.clone()
                };
                items.push(if pair.is_plain_verdict().ok()? {
                    ReplyItem::decision(stored)
                } else {
                    ReplyItem::unstored(stored)
                });
            }
            _ => more = true,
        }
    }
    if asked.next().is_some() {
        return None;
    }
    items.iter_mut().for_each(|item| item.store &= !more);
    Some(ReplyOutcome::Answers {
        items,
        token: Some(reply::text(at?)?),
    })
}

/// The reply to the request `body` from the answers to its items, in the order in which SpiceDB writes its fields.
pub(in crate::protocol::spicedb) fn merge(
    body: &Bytes,
    answers: &[Option<&StoredResponse>],
    zookie: Option<&Zookie>,
) -> StoredResponse {
    let pairs: usize = answers.iter().flatten().map(|answer| answer.body.len() + 8).sum();
    let token = zookie.map_or(0, |zookie| zookie.as_str().len() + 16);
    let mut items = items(body);
    let body = frame(pairs + token, |into| {
        if let Some(zookie) = zookie {
            write_token(into, CHECKED_AT, zookie);
        }
        for answer in answers {
            let item = items.next().unwrap_or_default();
            match answer {
                Some(answer) => write_bytes(into, PAIR, &answer.body),
                None => write_bytes(into, PAIR, &unanswered(item)),
            }
        }
    });
    merged(answers, body, reply::trailers(Some(HeaderValue::from_static(""))))
}

/// The item of a merged reply for a missing answer: an error, in the API's own form.
fn unanswered(item: &[u8]) -> Vec<u8> {
    let mut status = Vec::new();
    write_number(&mut status, 1, Code::Unavailable as u64);
    write_bytes(&mut status, 2, b"the upstream did not answer this item");
    let mut pair = Vec::new();
    write_bytes(&mut pair, REQUEST, item);
    write_bytes(&mut pair, ERROR, &status);
    pair
}
