use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tower_zookie::protocol::{Reply, ReplyItem, ReplyOutcome, StoredResponse};

use crate::api::case::{Api, Case, Wire};
use crate::api::question::{Question, map, zookie};
use crate::api::table::Does;
use crate::api::{json, proto};
use crate::frame::frame;

/// A whole reply of a server.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// What a reply says.
#[derive(Debug, PartialEq, Eq)]
pub enum Learned {
    Nothing,
    /// For each answer, whether it may be stored, and the token.
    Answers(Vec<bool>, Option<String>),
    /// The token, and whether the schema changed.
    Wrote(Option<String>, bool),
    RevisionRejected,
    NotWritten,
    Unchanged,
}

impl From<ReplyOutcome> for Learned {
    fn from(outcome: ReplyOutcome) -> Self {
        match outcome {
            ReplyOutcome::Nothing => Self::Nothing,
            ReplyOutcome::Answers { items, token } => {
                Self::Answers(items.iter().map(|item| item.store).collect(), token)
            }
            ReplyOutcome::Wrote { token, schema } => Self::Wrote(token, schema),
            ReplyOutcome::RevisionRejected => Self::RevisionRejected,
            ReplyOutcome::NotWritten => Self::NotWritten,
            ReplyOutcome::Unchanged => Self::Unchanged,
            other => panic!("{other:?} is new"),
        }
    }
}

/// The answers in a reply.
pub fn items(outcome: ReplyOutcome) -> Vec<ReplyItem> {
    match outcome {
        ReplyOutcome::Answers { items, .. } => items,
        _ => Vec::new(),
    }
}

/// The answers in a reply that may be stored.
pub fn stored(outcome: ReplyOutcome) -> Vec<ReplyItem> {
    items(outcome).into_iter().filter(|item| item.store).collect()
}

impl Answer {
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    #[must_use]
    pub fn with_headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers = map(headers);
        self
    }

    #[must_use]
    pub fn with_trailers(mut self, trailers: &[(&str, &str)]) -> Self {
        self.trailers = Some(map(trailers));
        self
    }

    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

impl Api {
    /// A successful reply with this body.
    pub fn reply_of(self, body: impl Into<Bytes>) -> Answer {
        let trailers = [("grpc-status", "0"), ("grpc-message", ""), ("x-request-id", "7")];
        Answer {
            status: StatusCode::OK,
            headers: map(&[("content-type", self.content_type())]),
            body: body.into(),
            trailers: (self.wire == Wire::Grpc).then(|| map(&trailers)),
        }
    }

    /// The server's error.
    pub fn error(self, code: usize, message: &str) -> Answer {
        let status = [("grpc-status", &*code.to_string()), ("grpc-message", message)];
        match self.wire {
            Wire::Grpc => {
                let headers = [&[("content-type", "application/grpc")], &status[..]].concat();
                let mut error = self.reply_of("").with_headers(&headers);
                error.trailers = None;
                error
            }
            Wire::Json => {
                let error = json!({"code": code, "message": message, "details": []});
                self.reply_of(error.to_string()).with_status(400)
            }
        }
    }
}

impl Case {
    /// A successful reply.
    pub fn reply(self, message: &Value) -> Answer {
        self.reply_with(message, ",")
    }

    /// A successful reply. In JSON, this comma is between members and elements.
    pub fn reply_with(self, message: &Value, comma: &str) -> Answer {
        let (members, fields) = (message.as_object().unwrap(), self.operation.replies);
        self.api.reply_of(match self.api.wire {
            Wire::Grpc => frame(&proto::encode(fields, members, &mut None)),
            Wire::Json => json::text(fields, members, comma).into(),
        })
    }

    /// A reply to [`Case::message`].
    pub fn answer(self, allowed: bool) -> Answer {
        let items = [0, 1].map(|document| (self.api.question(document, "alice"), allowed));
        self.reply(&match self.does() {
            Does::Bulk => self.api.system.answers(&items),
            does @ (Does::Check | Does::Expand) => self.api.system.answer(does, allowed),
            _ => json!({"unknown": "x"}),
        })
    }
}

impl Question {
    /// What the reply says about all questions.
    pub fn learn(&self, answer: &Answer) -> ReplyOutcome {
        self.learn_of(&self.all(), answer)
    }

    pub fn learn_of(&self, asked: &[usize], answer: &Answer) -> ReplyOutcome {
        let reply = Reply::new(answer.status, &answer.headers, &answer.body, answer.trailers.as_ref());
        self.case.api.system.protocol().learn(self.received(), asked, &reply)
    }

    pub fn learned(&self, answer: &Answer) -> Learned {
        self.learn(answer).into()
    }

    /// What a reply with this message says.
    pub fn learned_from(&self, message: &Value) -> Learned {
        self.learned(&self.case.reply(message))
    }

    pub fn merge(&self, answers: &[Option<&StoredResponse>], token: Option<&str>) -> StoredResponse {
        let protocol = self.case.api.system.protocol();
        protocol.merge(self.received(), answers, zookie(token).as_ref())
    }
}
