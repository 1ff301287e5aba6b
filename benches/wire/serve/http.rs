//! The axum service.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower_zookie::ZookieLayer;
use tower_zookie::cache::Capabilities;
use tower_zookie::protocol::{AuthZen, CheckRoute, Routes, Verdict};
use tower_zookie::store::ObjectRef;
use tower_zookie::token::{InferaDb, RevisionToken};

use super::{Checker, Counters};
use crate::AnyError;
use crate::rows::Upstream;

pub(super) fn start(listener: TcpListener, checker: Checker, layered: bool) -> Result<Counters, AnyError> {
    let router = match checker.upstream {
        Upstream::Static => constant(&checker)?,
        Upstream::Near | Upstream::Away => Router::new()
            .route("/check", get(check))
            .route("/access/v1/evaluation", post(evaluation))
            .with_state(checker),
    };
    let (router, counters) = if layered {
        let layer = layer()?;
        let handle = layer.handle();
        let counters: Counters = Some(Box::new(move || handle.stats()));
        (router.layer(layer), counters)
    } else {
        (router, None)
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("a connection waits for more to send: {error}");
        }
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    Ok(counters)
}

fn layer() -> Result<ZookieLayer<(AuthZen, Routes)>, AnyError> {
    let tokens = InferaDb::new("wire");
    let routes = Routes::builder(tokens.clone())
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .capabilities(Capabilities::versioned())
        .build()?;
    let authzen = AuthZen::new(tokens).capabilities(Capabilities::versioned());
    Ok(ZookieLayer::builder((authzen, routes)).build()?)
}

const ZOOKIE: HeaderName = HeaderName::from_static("zookie");

#[derive(Debug, Deserialize)]
struct Asked {
    resource: String,
    permission: String,
    subject: String,
}

#[derive(Debug, Serialize)]
struct Allowed {
    allowed: bool,
}

#[derive(Debug, Deserialize)]
struct Evaluation {
    subject: Entity,
    action: Action,
    resource: Entity,
}

#[derive(Debug, Deserialize)]
struct Entity {
    r#type: String,
    id: String,
}

#[derive(Debug, Deserialize)]
struct Action {
    name: String,
}

#[derive(Debug, Serialize)]
struct Decision {
    decision: bool,
}

async fn check(
    State(checker): State<Checker>,
    Floor(floor): Floor,
    Query(asked): Query<Asked>,
) -> Result<impl IntoResponse, Rejected> {
    let (resource, subject) = (asked.resource.parse()?, asked.subject.parse()?);
    let (allowed, revision) = checker.check(&resource, &asked.permission, subject, floor).await?;
    Ok((checker.zookie(revision)?, Json(Allowed { allowed })))
}

async fn evaluation(
    State(checker): State<Checker>,
    Floor(floor): Floor,
    Json(asked): Json<Evaluation>,
) -> Result<impl IntoResponse, Rejected> {
    let resource = ObjectRef::new(&asked.resource.r#type, &asked.resource.id)?;
    let subject = ObjectRef::new(&asked.subject.r#type, &asked.subject.id)?;
    let (decision, revision) = checker.check(&resource, &asked.action.name, subject, floor).await?;
    Ok((checker.zookie(revision)?, Json(Decision { decision })))
}

/// Says yes to everything, with replies like those of the service.
fn constant(checker: &Checker) -> Result<Router, AnyError> {
    const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
    let zookie = checker.zookie(checker.store.current_revision())?;
    let of_check = zookie.clone();
    let check = move || std::future::ready((JSON, of_check.clone(), r#"{"allowed":true}"#));
    let evaluation = move |_: Bytes| std::future::ready((JSON, zookie.clone(), r#"{"decision":true}"#));
    Ok(Router::new()
        .route("/check", get(check))
        .route("/access/v1/evaluation", post(evaluation)))
}

impl Checker {
    /// The header of a reply that was evaluated at this revision.
    fn zookie(&self, revision: u64) -> Result<[(HeaderName, HeaderValue); 1], AnyError> {
        let zookie = RevisionToken::new(self.store.node_id(), revision).encode();
        Ok([(ZOOKIE, HeaderValue::from_str(&zookie)?)])
    }
}

/// The revision that an answer must cover: the layer forwards it in the caller's header.
struct Floor(Option<u64>);

impl FromRequestParts<Checker> for Floor {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, checker: &Checker) -> Result<Self, Rejected> {
        let Some(value) = parts.headers.get(ZOOKIE) else {
            return Ok(Self(None));
        };
        let token = RevisionToken::decode(value.to_str()?)?;
        if token.node_id != checker.store.node_id() {
            return Err("a zookie of another store".into());
        }
        Ok(Self(Some(token.revision)))
    }
}

/// A request that can't be answered.
struct Rejected(AnyError);

impl<E: Into<AnyError>> From<E> for Rejected {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.0.to_string()).into_response()
    }
}
