//! `GET /.well-known/authzen-configuration`: what AuthZEN's Policy Decision Point Metadata says of this service.

use axum::Json;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri};
use serde::Serialize;

use super::Gateway;
use super::problem::Problem;

/// Where callers reach this service, such as `https://pdp.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// A text that is no [`BaseUrl`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is no base URL; write it as `https://HOST` or `https://HOST:PORT`, without a path")]
pub struct NotABaseUrl {
    text: String,
}

impl std::str::FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        let uri: Option<Uri> = text.parse().ok();
        let is_base = |uri: &Uri| {
            let has_no_path = uri
                .path_and_query()
                .is_none_or(|path| *path == PathAndQuery::from_static("/"));
            let has_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
            matches!(uri.scheme_str(), Some("http" | "https")) && has_no_path && !has_user && !text.contains('#')
        };
        match uri {
            Some(uri) if is_base(&uri) => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(NotABaseUrl { text: text.to_owned() }),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Metadata {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
}

/// Without a [`BaseUrl`] it is the host by which the caller reached this service, over plain HTTP.
pub(crate) async fn metadata(
    State(gateway): State<Gateway>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Metadata>, Problem> {
    let base = match gateway.base_url {
        Some(BaseUrl(base)) => base,
        None => {
            let named = headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = uri.authority().map(|authority| authority.as_str()).or(named);
            let base = host.map(|host| format!("http://{host}").parse::<BaseUrl>());
            let base = base.and_then(Result::ok);
            base.ok_or_else(|| Problem::bad_request("the request names no valid host; send `host`"))?
                .0
        }
    };
    Ok(Json(Metadata {
        access_evaluation_endpoint: format!("{base}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{base}/access/v1/evaluations"),
        policy_decision_point: base,
    }))
}
