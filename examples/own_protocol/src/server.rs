use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tower_zookie::ZookieLayer;
use tower_zookie::cache::InvalidSetting;

use crate::protocol::OwnProtocol;
use crate::store::{Grant, Store};

/// How fresh an answer has to be.
#[derive(Clone, Debug, Default, Deserialize)]
struct Freshness {
    at: Option<String>,
    read: Option<Read>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Read {
    Latest,
    Exactly,
}

#[derive(Debug, Deserialize)]
struct Check {
    subject: String,
    action: String,
    resource: String,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Deserialize)]
struct CheckAll {
    checks: Vec<Grant>,
    #[serde(flatten)]
    freshness: Freshness,
}

#[derive(Debug, Deserialize)]
struct Write {
    subject: String,
    action: String,
    resource: String,
    allowed: bool,
}

/// The service, without the layer.
pub fn router(store: Arc<Store>) -> Router {
    Router::new()
        .route("/v1/check", post(check))
        .route("/v1/check-all", post(check_all))
        .route("/v1/grants", post(write))
        .with_state(store)
}

/// The service behind the layer.
///
/// # Errors
///
/// [`InvalidSetting`], which the default settings never cause.
pub fn behind_layer(store: Arc<Store>) -> Result<Router, InvalidSetting> {
    let layer = ZookieLayer::builder(OwnProtocol::new()).build()?;
    Ok(router(store).layer(layer))
}

async fn check(State(store): State<Arc<Store>>, Json(check): Json<Check>) -> Response {
    let Check {
        subject,
        action,
        resource,
        freshness,
    } = check;
    let question = Grant {
        subject,
        action,
        resource,
    };
    match revision(&store, &freshness) {
        Ok(at) => {
            let allowed = store.check(&[question], at)[0];
            Json(json!({"allowed": allowed, "revision": at.to_string()})).into_response()
        }
        Err(refused) => refused,
    }
}

async fn check_all(State(store): State<Arc<Store>>, Json(all): Json<CheckAll>) -> Response {
    match revision(&store, &all.freshness) {
        Ok(at) => {
            let allowed = store.check(&all.checks, at);
            let results: Vec<_> = allowed.iter().map(|allowed| json!({ "allowed": allowed })).collect();
            Json(json!({"results": results, "revision": at.to_string()})).into_response()
        }
        Err(refused) => refused,
    }
}

async fn write(State(store): State<Arc<Store>>, Json(write): Json<Write>) -> Response {
    let Write {
        subject,
        action,
        resource,
        allowed,
    } = write;
    let revision = store.write(
        Grant {
            subject,
            action,
            resource,
        },
        allowed,
    );
    Json(json!({"revision": revision.to_string()})).into_response()
}

/// The revision to answer at: head, or the one that an exact read names.
fn revision(store: &Store, freshness: &Freshness) -> Result<u64, Response> {
    let refused = |status: StatusCode, why: &str| (status, Json(json!({ "error": why }))).into_response();
    let head = store.head();
    let at = match freshness.at.as_deref().map(str::parse::<u64>) {
        None => None,
        Some(Ok(at)) => Some(at),
        Some(Err(_)) => return Err(refused(StatusCode::BAD_REQUEST, "`at` is not a revision")),
    };
    match (freshness.read, at) {
        (_, Some(at)) if at == 0 || at > head => Err(refused(StatusCode::CONFLICT, "the revision is not reached")),
        (Some(Read::Exactly), None) => Err(refused(StatusCode::BAD_REQUEST, "an exact read needs `at`")),
        (Some(Read::Exactly), Some(at)) => Ok(at),
        (Some(Read::Latest) | None, _) => Ok(head),
    }
}
