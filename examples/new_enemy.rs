//! The New Enemy problem, and how a zookie solves it.
//!
//! Alice leaves the team, and then the team writes down a plan that she must not see. A cache that remembers how it was
//! before she left shows her the plan. With the zookie that the plan was saved with, the same cache does not.
//!
//! `cargo run --example new_enemy`

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Request};
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt};
use tower_zookie::cache::Capabilities;
use tower_zookie::protocol::{CheckRoute, Routes, Verdict};
use tower_zookie::store::{ReadMode, Schema, SnapshotReader, Store, Update};
use tower_zookie::token::{InferaDb, RevisionToken};
use tower_zookie::{Asked, ZookieBody, ZookieLayer};

type AnyError = Box<dyn Error + Send + Sync>;

const SCHEMA: &str = "
    definition user {}
    definition team { relation member: user }
    definition folder { relation reader: team#member  permission read = reader }";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let store = Arc::new(Store::new(Schema::parse(SCHEMA)?));
    store.write([
        Update::create("team:heist#member@user:alice".parse()?),
        Update::create("folder:plans#reader@team:heist#member".parse()?),
    ])?;

    // The permission service, as it would be without any cache.
    let reader = SnapshotReader::new(Arc::clone(&store));
    let service = Router::new().route("/check", get(check)).with_state(reader.clone());

    // The same service behind the layer.
    let routes = Routes::builder(InferaDb::new("example"))
        .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
        .capabilities(Capabilities::versioned())
        .build()?;
    let mut cached = ZookieLayer::builder(routes).build()?.layer(service);

    println!("Alice asks for the folder:         {}", ask(&mut cached, None).await?);

    // Another replica of the service handles these writes, so the layer does not see them.
    store.write([Update::delete("team:heist#member@user:alice".parse()?)])?;
    println!("Alice leaves the team.");
    let zookie = reader.current_token().encode();
    println!("The team saves a new plan, and with it the zookie of that moment.");

    println!("Alice asks, without the zookie:    {}", ask(&mut cached, None).await?);
    println!(
        "Alice asks, with the plan's:       {}",
        ask(&mut cached, Some(&zookie)).await?
    );
    Ok(())
}

#[derive(Deserialize)]
struct Question {
    resource: String,
    permission: String,
    subject: String,
}

/// Evaluates at least as fresh as the layer asks.
async fn check(
    State(reader): State<SnapshotReader>,
    asked: Asked,
    Query(question): Query<Question>,
) -> Result<(HeaderMap, Json<Value>), String> {
    let answer = async {
        let token = match &asked.zookie {
            Some(zookie) => RevisionToken::decode(zookie.as_str())?,
            None => reader.current_token(),
        };
        let (resource, subject) = (question.resource.parse()?, question.subject.parse()?);
        let mode = ReadMode::AtLeast;
        let (allowed, read_at) = reader
            .check(&resource, &question.permission, &subject, &token, mode)
            .await?;
        let mut headers = HeaderMap::new();
        headers.insert("zookie", read_at.encode().parse()?);
        Ok::<_, AnyError>((headers, Json(json!({"allowed": allowed}))))
    };
    answer.await.map_err(|error| error.to_string())
}

/// Asks whether Alice may read the folder, and prints the answer and who gave it.
async fn ask<S>(service: &mut S, zookie: Option<&str>) -> Result<String, AnyError>
where
    S: Service<Request<Body>, Response = axum::http::Response<ZookieBody<Body>>, Error = Infallible>,
{
    let mut request = Request::get("/check?resource=folder:plans&permission=read&subject=user:alice");
    if let Some(zookie) = zookie {
        request = request.header("zookie", zookie);
    }
    let response = service.ready().await?.call(request.body(Body::empty())?).await?;
    let status = response
        .headers()
        .get("cache-status")
        .and_then(|status| status.to_str().ok());
    let status = status.unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    let decision = if body["allowed"] == true { "allowed" } else { "denied " };
    Ok(format!("{decision}  ({status})"))
}
