use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::protocol::kit::grpc::{Code, code};
use crate::protocol::kit::json::{Json, NotJson};
use crate::protocol::kit::parts;
use crate::protocol::problem::Rejection;
use crate::protocol::reply::Reply;

/// A `google.rpc.Status`: the gateway's reply to a call that fails.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Error {
    pub(in crate::protocol) code: Code,
    pub(in crate::protocol) message: String,
}

impl Error {
    /// The error in a reply, if the reply is an error.
    pub(super) fn of(reply: &Reply<'_>) -> Option<Self> {
        if reply.status.is_success() || parts::is_encoded(reply.headers) {
            return None;
        }
        Self::read(reply.body).ok().flatten()
    }

    pub(super) fn read(body: &[u8]) -> Result<Option<Self>, NotJson> {
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
}

/// A rejection in the gateway's form.
pub(super) fn reject(why: &Rejection) -> Response<Bytes> {
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

/// The HTTP status that grpc-gateway gives to a code of a rejection.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
