use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::super::super::grpc::{Code, code};
use super::super::super::json::{Json, NotJson};
use super::super::super::{Refusal, Reply, head};
use super::super::refused::refuses_revision;

/// A `google.rpc.Status`, which is what the gateway replies where a call fails.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) code: Code,
    message: String,
}

impl Error {
    /// The error that a reply bears, if it is one.
    pub(super) fn of(reply: &Reply<'_>) -> Option<Self> {
        if reply.status.is_success() || head::is_encoded(reply.headers) {
            return None;
        }
        Self::read(reply.body).ok().flatten()
    }

    fn read(body: &[u8]) -> Result<Option<Self>, NotJson> {
        let (mut code, mut message) = (None, String::new());
        let mut json = Json::new(body)?;
        json.object(|json, name| {
            match name {
                "code" => code = json.scalar()?.parse().ok().and_then(Code::numbered),
                "message" => message = json.string()?.into_owned(),
                _ => drop(json.value()?),
            }
            Ok::<_, NotJson>(())
        })?;
        json.end()?;
        Ok(code.map(|code| Self { code, message }))
    }

    /// Whether the server would not answer at the revision that it was told.
    pub(super) fn refuses_revision(&self) -> bool {
        refuses_revision(self.code, self.message.as_bytes())
    }
}

/// A refusal in the gateway's form.
pub(in super::super) fn refuse(why: &Refusal) -> Response<Bytes> {
    #[derive(Serialize)]
    struct Status {
        code: u16,
        message: String,
        details: [(); 0],
    }
    let status = Status {
        code: code(why) as u16,
        message: why.detail(),
        details: [],
    };
    let mut response = Response::new(serde_json::to_vec(&status).unwrap_or_default().into());
    *response.status_mut() = http_status(code(why));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The HTTP status that grpc-gateway gives to a code that the layer refuses with.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
