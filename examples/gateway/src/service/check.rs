//! `GET /check?resource=repo:rust-lang/rust&permission=push&subject=user:u1`

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use tower_zookie::store::{ObjectRef, SubjectRef};

use super::fresh::Fresh;
use super::problem::Problem;
use super::{Gateway, with_zookie};

#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    resource: String,
    permission: String,
    subject: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    allowed: bool,
    zookie: String,
}

pub(crate) async fn check(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    question: Result<Query<Question>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(question) = question.map_err(|error| {
        let detail = format!(
            "{}; ask `/check?resource=type:id&permission=name&subject=type:id`",
            error.body_text()
        );
        Problem::bad_request(detail)
    })?;
    let resource: ObjectRef = question.resource.parse()?;
    let subject: SubjectRef = question.subject.parse()?;
    let revision = fresh.revision(&gateway).await?;
    let allowed = gateway
        .backend
        .check(&resource, &question.permission, &subject, &revision.clock)?;
    let zookie = revision.zookie(&gateway)?;
    let headers = with_zookie(&zookie);
    let zookie = zookie.to_string();
    let answer = Answer { allowed, zookie };
    Ok((headers, Json(answer)))
}
