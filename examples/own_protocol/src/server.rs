use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_zookie::{Handle, InvalidSetting, ZookieLayer};

use crate::feed::feed;
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

/// The service behind the layer, which follows the store's writes until the runtime ends, and the layer's handle.
///
/// # Errors
///
/// [`InvalidSetting`], which the default settings never cause.
pub fn behind_following_layer(store: Arc<Store>) -> Result<(Router, Handle<OwnProtocol>), InvalidSetting> {
    let layer = ZookieLayer::builder(OwnProtocol::new()).build()?;
    let (following, feed) = (layer.handle(), feed(Arc::clone(&store)));
    tokio::spawn(async move { following.follow(feed).await });
    let handle = layer.handle();
    Ok((router(store).layer(layer), handle))
}

/// Why a request has no answer.
struct Refused(StatusCode, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        (status, Json(json!({ "error": why }))).into_response()
    }
}

async fn check(State(store): State<Arc<Store>>, Json(check): Json<Check>) -> Result<Json<Value>, Refused> {
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
    let at = revision(&store, &freshness)?;
    let allowed = store.check(&[question], at)[0];
    Ok(Json(json!({"allowed": allowed, "revision": at.to_string()})))
}

async fn check_all(State(store): State<Arc<Store>>, Json(all): Json<CheckAll>) -> Result<Json<Value>, Refused> {
    let at = revision(&store, &all.freshness)?;
    let allowed = store.check(&all.checks, at);
    let results: Vec<_> = allowed.iter().map(|allowed| json!({ "allowed": allowed })).collect();
    Ok(Json(json!({"results": results, "revision": at.to_string()})))
}

async fn write(State(store): State<Arc<Store>>, Json(write): Json<Write>) -> Json<Value> {
    let Write {
        subject,
        action,
        resource,
        allowed,
    } = write;
    let grant = Grant {
        subject,
        action,
        resource,
    };
    let revision = store.write(grant, allowed);
    Json(json!({"revision": revision.to_string()}))
}

/// The revision to answer at: head, or the one that an exact read names.
fn revision(store: &Store, freshness: &Freshness) -> Result<u64, Refused> {
    let head = store.head();
    let at: Option<u64> = match &freshness.at {
        None => None,
        Some(at) => Some(
            at.parse()
                .map_err(|_| Refused(StatusCode::BAD_REQUEST, "`at` is not a revision"))?,
        ),
    };
    match (freshness.read, at) {
        (_, Some(at)) if at == 0 || at > head => Err(Refused(StatusCode::CONFLICT, "the revision is not reached")),
        (Some(Read::Exactly), None) => Err(Refused(StatusCode::BAD_REQUEST, "an exact read needs `at`")),
        (Some(Read::Exactly), Some(at)) => Ok(at),
        (Some(Read::Latest) | None, _) => Ok(head),
    }
}
