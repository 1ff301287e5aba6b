//! `POST /relationships`: all updates at once, at a new revision, or no update at all. With a zookie: once the store has
//! reached it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tower_zookie::store::{Operation, Relationship, Update};

use super::fresh::Fresh;
use super::problem::Problem;
use super::{Gateway, with_zookie};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    updates: Vec<Change>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    operation: Verb,
    resource: String,
    relation: String,
    subject: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verb {
    Touch,
    Create,
    Delete,
}

#[derive(Debug, Serialize)]
struct Written {
    revision: u64,
    zookie: String,
}

impl TryFrom<Change> for Update {
    type Error = Problem;

    fn try_from(change: Change) -> Result<Self, Problem> {
        let relationship = Relationship::new(change.resource.parse()?, &change.relation, change.subject.parse()?)?;
        let operation = match change.operation {
            Verb::Touch => Operation::Touch,
            Verb::Create => Operation::Create,
            Verb::Delete => Operation::Delete,
        };
        Ok(Self::new(operation, relationship))
    }
}

pub(crate) async fn write(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    body: Result<Bytes, BytesRejection>,
) -> Result<impl IntoResponse, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let Write { updates } = serde_json::from_slice(&body).map_err(|error| {
        Problem::bad_request(format!(
            r#"{error}; send {{"updates":[{{"operation":"touch|create|delete","resource":…,"relation":…,"subject":…}}]}}"#
        ))
    })?;
    if updates.is_empty() {
        return Err(Problem::bad_request("the write has no updates; send at least one"));
    }
    let updates: Vec<Update> = updates.into_iter().map(Update::try_from).collect::<Result<_, _>>()?;
    fresh.reached(&gateway).await?;
    let (revision, token) = gateway.backend.write(updates).await?;
    let zookie = gateway.zookie_of_named(&token)?;
    let headers = with_zookie(&zookie);
    let zookie = zookie.to_string();
    Ok((headers, Json(Written { revision, zookie })))
}
