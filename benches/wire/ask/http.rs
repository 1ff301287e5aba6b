//! HTTP/1.1 with keep-alive, with requests written beforehand: a client must not cost more than the server.

use std::net::SocketAddr;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_zookie::token::RevisionToken;

use super::Request;
use crate::AnyError;
use crate::history::Question;

pub(super) fn get(question: &Question) -> Request {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("resource", &question.resource.to_string())
        .append_pair("permission", question.permission)
        .append_pair("subject", &question.subject.to_string())
        .finish();
    Request {
        before: format!("GET /check?{query} HTTP/1.1\r\nhost: localhost\r\nzookie: ").into_bytes(),
        after: b"\r\n\r\n".to_vec(),
        allowed: question.allowed,
    }
}

pub(super) fn post(question: &Question) -> Request {
    let (resource, subject) = (&question.resource, &question.subject);
    let body = serde_json::json!({
        "subject": {"type": subject.object_type(), "id": subject.id()},
        "action": {"name": question.permission},
        "resource": {"type": resource.object_type(), "id": resource.id()},
    });
    let body = body.to_string();
    let length = body.len();
    let before = format!(
        "POST /access/v1/evaluation HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nzookie: "
    );
    Request {
        before: before.into_bytes(),
        after: format!("\r\n\r\n{body}").into_bytes(),
        allowed: question.allowed,
    }
}

pub(super) fn tokens(node: &str, head: u64) -> Vec<Vec<u8>> {
    let tokens = (1..=head).map(|revision| RevisionToken::new(node, revision).encode());
    tokens.map(String::into_bytes).collect()
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(alias = "decision")]
    allowed: bool,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, AnyError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            sent: Vec::new(),
            received: Vec::new(),
        })
    }

    /// The decision.
    pub(super) async fn ask(&mut self, request: &Request, token: &[u8]) -> Result<bool, AnyError> {
        self.sent.clear();
        for part in [&request.before, token, &request.after] {
            self.sent.extend_from_slice(part);
        }
        self.stream.write_all(&self.sent).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed a connection".into());
            }
            if let Some(body) = body(&self.received)? {
                return Ok(serde_json::from_slice::<Reply>(body)?.allowed);
            }
        }
    }
}

/// The body of a reply that is there as a whole.
fn body(received: &[u8]) -> Result<Option<&[u8]>, AnyError> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(received)? else {
        return Ok(None);
    };
    if head.code != Some(200) {
        return Err(format!("not a reply: {}", String::from_utf8_lossy(received)).into());
    }
    let length = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .ok_or("a reply without a content-length")?;
    let length: usize = std::str::from_utf8(length.value)?.parse()?;
    match received.len() - start {
        there if there < length => Ok(None),
        there if there == length => Ok(Some(&received[start..])),
        _ => Err("a reply is longer than it says".into()),
    }
}
