//! The service before a node, and the layer before the service.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tower_zookie::cache::{Capabilities, ReadMode as Reads};
use tower_zookie::consistency::{Consistency, Staleness};
use tower_zookie::protocol::{CheckRoute, ObjectAt, Routes, TextAt, Verdict, WriteRoute};
use tower_zookie::revision::VectorClock;
use tower_zookie::store::node::NodeWriteError;
use tower_zookie::store::{ObjectRef, ReadError, ReadMode, RevisionError, SubjectRef, Update};
use tower_zookie::token::{InferaDb, RevisionToken};
use tower_zookie::{Asked, ZookieLayer};

use crate::site::{Limits, Running, Site};

/// The age that no answer of a layer exceeds.
pub(crate) fn age_bound(limits: &Limits) -> std::time::Duration {
    limits.window + limits.quantize
}

pub(crate) fn layer(limits: &Limits) -> ZookieLayer<Routes> {
    let capabilities = Capabilities::versioned()
        .read_mode(Reads::Current)
        .writes_include_earlier(false);
    let check = CheckRoute::get("/check")
        .asks(
            ObjectAt::query("resource"),
            TextAt::always("view"),
            ObjectAt::query("subject"),
        )
        .verdict(Verdict::json("/allowed"))
        .reply_token("/zookie");
    let routes = Routes::builder(InferaDb::cluster("model"))
        .check(check)
        .write(WriteRoute::post("/relationships"))
        .capabilities(capabilities)
        .build()
        .unwrap();
    let window = limits.window;
    ZookieLayer::builder(routes)
        .cache(|cache| cache.window(window, Staleness::percent(0)))
        .build()
        .unwrap()
}

pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/check", get(check))
        .route("/relationships", post(write))
        .with_state(site)
}

#[derive(Debug, Deserialize)]
struct Question {
    resource: String,
    subject: String,
}

async fn check(State(site): State<Arc<Site>>, asked: Asked, Query(question): Query<Question>) -> Response {
    let resource: ObjectRef = question.resource.parse().unwrap();
    let subject: SubjectRef = question.subject.parse().unwrap();
    let answer = site.at(async |running| answer(&site, running, &asked, &resource, &subject).await);
    match answer.await {
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Err(error)) => (status_of(&error), error.to_string()).into_response(),
        Some(Ok((allowed, token))) => {
            let zookie = token.encode();
            let body = json!({"allowed": allowed, "zookie": zookie});
            ([("zookie", zookie)], Json(body)).into_response()
        }
    }
}

async fn answer(
    site: &Site,
    Running { node, reader, .. }: &Running,
    asked: &Asked,
    resource: &ObjectRef,
    subject: &SubjectRef,
) -> Result<(bool, RevisionToken), ReadError> {
    let token = asked
        .zookie
        .as_ref()
        .map(|zookie| RevisionToken::decode(zookie.as_str()).unwrap());
    let mode = match asked.consistency {
        Consistency::AtExactSnapshot => ReadMode::Exact,
        _ => ReadMode::AtLeast,
    };
    if let Some(token) = token {
        return reader.check(resource, "view", subject, &token, mode).await;
    }
    let clock = match asked.consistency {
        Consistency::MinimizeLatency => node.quantized_clock(site.limits.quantize),
        _ => node.clock(),
    };
    Ok((node.check(resource, "view", subject, &clock)?, token_of(&clock)))
}

fn status_of(error: &ReadError) -> StatusCode {
    match error {
        ReadError::Timeout { .. } | ReadError::TooManyWaiters { .. } => StatusCode::SERVICE_UNAVAILABLE,
        ReadError::Revision(RevisionError::SnapshotExpired { .. }) => StatusCode::GONE,
        ReadError::TooFarAhead { .. } => StatusCode::CONFLICT,
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn write(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    Json(updates): Json<Vec<(String, String)>>,
) -> Response {
    let token = headers
        .get("zookie")
        .map(|value| RevisionToken::decode(value.to_str().unwrap()).unwrap());
    let updates = updates.iter().map(|(verb, text)| update(verb, text));
    let written = site.at(async |running| running.node.write_if(updates, &[], token.as_ref()).await);
    match written.await {
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(Ok(written)) => ([("zookie", written.token.encode())], Json(json!({}))).into_response(),
        Some(Err(NodeWriteError::Refused(_))) => StatusCode::CONFLICT.into_response(),
        Some(Err(NodeWriteError::Token(error))) => status_of(&error).into_response(),
        Some(Err(_)) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

pub(crate) fn update(verb: &str, relationship: &str) -> Update {
    let relationship = relationship.parse().unwrap();
    match verb {
        "touch" => Update::touch(relationship),
        "create" => Update::create(relationship),
        _ => Update::delete(relationship),
    }
}

/// A token of a clock.
pub(crate) fn token_of(clock: &VectorClock) -> RevisionToken {
    let (node, number) = clock.iter().next().expect("every node has written that it joined");
    RevisionToken::with_vector_clock(node, number, clock.iter())
}
