//! gRPC over one HTTP/2 connection that all callers share, as those of one tonic channel do.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Uri};
use prost::Message;
use tokio::net::TcpStream;
use tower_zookie::store::ObjectRef;
use tower_zookie_testing::spicedb::messages::{
    self, CHECK, CheckPermissionRequest, CheckPermissionResponse, HAS_PERMISSION, NO_PERMISSION, SubjectReference,
    at_least,
};

use super::Request;
use crate::AnyError;
use crate::history::Question;
use crate::message::Tokens;

/// Flag and length.
const PREFIX: usize = 5;

/// A message's fields can be encoded separately and joined: those of the token come first.
pub(super) fn check(question: &Question) -> Request {
    let object = |object: &ObjectRef| messages::object(object.object_type(), object.id());
    let message = CheckPermissionRequest {
        resource: object(&question.resource),
        permission: question.permission.to_owned(),
        subject: Some(SubjectReference {
            object: object(&question.subject),
            optional_relation: String::new(),
        }),
        ..CheckPermissionRequest::default()
    };
    Request {
        before: Vec::new(),
        after: message.encode_to_vec(),
        allowed: question.allowed,
    }
}

pub(super) fn tokens(node: &str, head: u64) -> Result<Vec<Vec<u8>>, AnyError> {
    let tokens = Tokens::new(node);
    let field = |revision: u64| -> Result<Vec<u8>, AnyError> {
        let token = tokens.encode(revision).ok_or("a revision without a token")?;
        let message = CheckPermissionRequest {
            consistency: at_least(&token.token),
            ..CheckPermissionRequest::default()
        };
        Ok(message.encode_to_vec())
    };
    (1..=head).map(field).collect()
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    send: SendRequest<Bytes>,
    uri: Uri,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, AnyError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (send, connection) = h2::client::handshake(stream).await?;
        // It ends with the server. A caller that waits for a reply then gets an error.
        tokio::spawn(connection);
        Ok(Self {
            send,
            uri: format!("http://{address}{CHECK}").parse()?,
        })
    }

    /// The decision.
    pub(super) async fn ask(&mut self, request: &Request, token: &[u8]) -> Result<bool, AnyError> {
        let length = token.len() + request.after.len();
        let mut message = BytesMut::with_capacity(PREFIX + length);
        message.put_u8(0);
        message.put_u32(u32::try_from(length)?);
        message.put_slice(token);
        message.put_slice(&request.after);

        let mut head = http::Request::post(self.uri.clone()).body(())?;
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(head, false)?;
        stream.send_data(message.freeze(), true)?;

        let (parts, mut body) = response.await?.into_parts();
        let mut received = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            received.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        let status = trailers.get("grpc-status").or(parts.headers.get("grpc-status"));
        if parts.status != 200 || status.is_none_or(|status| status != "0") {
            return Err(format!("not a reply: {parts:?} {trailers:?}").into());
        }
        let message = received.get(PREFIX..).ok_or("a reply without a message")?;
        let reply = CheckPermissionResponse::decode(message)?;
        match reply.permissionship {
            HAS_PERMISSION => Ok(true),
            NO_PERMISSION => Ok(false),
            other => Err(format!("permissionship {other}").into()),
        }
    }
}
