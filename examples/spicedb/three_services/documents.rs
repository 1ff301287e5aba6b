//! The service of documents. It writes and checks permissions, and knows of no tokens.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::{RelationshipUpdate, WriteRelationshipsRequest};
use spicedb_examples::{check, decision, minimize_latency, relationship};

use crate::permissions::Client;

/// `GET` says whether a user may read a document, and `PUT` lets the user read it.
pub(crate) fn router(permissions: Client) -> Router {
    Router::new()
        .route("/documents/{document}/readers/{user}", get(may_read).put(add_reader))
        .with_state(permissions)
}

async fn may_read(
    State(mut permissions): State<Client>,
    Path((document, user)): Path<(String, String)>,
) -> Result<&'static str, StatusCode> {
    let (document, user) = (format!("document:{document}"), format!("user:{user}"));
    let question = check(&document, "read", &user, minimize_latency());
    let question = question.map_err(|_| StatusCode::BAD_REQUEST)?;
    let reply = permissions.check_permission(question).await;
    let reply = reply.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(decision(reply.into_inner().permissionship))
}

async fn add_reader(
    State(mut permissions): State<Client>,
    Path((document, user)): Path<(String, String)>,
) -> Result<&'static str, StatusCode> {
    let reader = relationship(&format!("document:{document}#reader@user:{user}"));
    let update = RelationshipUpdate {
        operation: Operation::Touch.into(),
        relationship: Some(reader.map_err(|_| StatusCode::BAD_REQUEST)?),
    };
    let write = WriteRelationshipsRequest {
        updates: vec![update],
        ..WriteRelationshipsRequest::default()
    };
    let written = permissions.write_relationships(write).await;
    written.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok("shared")
}
