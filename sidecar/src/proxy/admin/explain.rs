//! `POST /explain`: what would become of a request, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tower_zookie::protocol::Protocol;
use tower_zookie::{Explanation, Handle};

use crate::proxy::failure::Form;
use crate::proxy::front::as_forwarded;
use crate::proxy::origin::Origin;
use crate::proxy::speaks::Speaks;

/// What explains a request.
#[derive(Debug)]
pub(in crate::proxy) struct Explains<P> {
    pub(in crate::proxy) layer: Handle<P>,
    /// Where the requests of each port go.
    pub(in crate::proxy) origins: Vec<(Speaks, Origin)>,
}

/// A request as a caller of the sidecar sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default = "post")]
    method: String,
    /// With the query.
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    /// A text is the body itself. Anything else is a body of JSON.
    body: Option<Value>,
    /// The body's bytes, such as a gRPC frame.
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Several(Vec<String>),
}

fn post() -> String {
    "POST".to_owned()
}

type Wrong = (StatusCode, String);

pub(super) async fn explain<P: Protocol>(
    State(explains): State<Arc<Explains<P>>>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Explanation>, Wrong> {
    let Json(asked) = asked.map_err(|rejection| (rejection.status(), format!("{}\n", rejection.body_text())))?;
    let request = explains.request(asked)?;
    Ok(Json(explains.layer.explain(&request)))
}

/// What is wrong with the request, without any value of it.
fn wrong(why: &str) -> Wrong {
    (StatusCode::BAD_REQUEST, format!("{why}\n"))
}

impl<P> Explains<P> {
    /// The request as the layer would see it.
    fn request(&self, asked: Asked) -> Result<Request<Bytes>, Wrong> {
        let body = asked.body()?;
        let mut request = Request::new(());
        *request.method_mut() = asked
            .method
            .parse::<Method>()
            .map_err(|_| wrong("`method` is no method"))?;
        let path = asked.path.starts_with('/').then(|| asked.path.parse::<Uri>().ok());
        let path = path.flatten();
        *request.uri_mut() = path.ok_or_else(|| wrong("`path` is no path; write it as `/v1/permissions/check`"))?;
        for (name, values) in asked.headers {
            let header: HeaderName = name
                .parse()
                .map_err(|_| wrong("`headers` has a name that no header can have"))?;
            let values = match values {
                Values::One(value) => vec![value],
                Values::Several(values) => values,
            };
            for value in values {
                let value = HeaderValue::try_from(value);
                let value =
                    value.map_err(|_| wrong(&format!("the header `{header}` has a value that no header can have")))?;
                request.headers_mut().append(header.clone(), value);
            }
        }
        let (parts, ()) = request.into_parts();
        let speaks = match Form::of(&parts) {
            Form::Grpc(_) => Speaks::Grpc,
            Form::Http => Speaks::Http,
        };
        let of_port = self.origins.iter().find(|(port, _)| *port == speaks);
        let forwarded = of_port
            .or(self.origins.first())
            .and_then(|(_, origin)| as_forwarded(origin, parts));
        let parts = forwarded.ok_or_else(|| wrong("`path` can't be forwarded"))?;
        Ok(Request::from_parts(parts, body))
    }
}

impl Asked {
    fn body(&self) -> Result<Bytes, Wrong> {
        match (&self.body, &self.body_base64) {
            (Some(_), Some(_)) => Err(wrong("there are `body` and `body_base64`; send one of them")),
            (Some(Value::String(text)), None) => Ok(text.clone().into()),
            (Some(json), None) => Ok(json.to_string().into()),
            (None, Some(text)) => match STANDARD.decode(text) {
                Ok(bytes) => Ok(bytes.into()),
                Err(_) => Err(wrong("`body_base64` is no base64")),
            },
            (None, None) => Ok(Bytes::new()),
        }
    }
}
