//! OpenID AuthZEN 1.0: `POST /access/v1/evaluation` and `/access/v1/evaluations`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_zookie::store::{ObjectRef, SubjectRef};

use super::fresh::Fresh;
use super::problem::Problem;
use super::{Gateway, with_zookie};

/// More would hold a worker for long.
const MOST_EVALUATIONS: usize = 10_000;

/// A subject or a resource.
#[derive(Debug, Deserialize)]
struct Entity {
    r#type: String,
    id: String,
}

#[derive(Debug, Deserialize)]
struct Action {
    name: String,
}

/// One evaluation, or the defaults of several. Members are read when they are needed: an evaluation's own take the
/// place of the defaults, whole.
#[derive(Debug, Default, Deserialize)]
struct Evaluation {
    subject: Option<Value>,
    action: Option<Value>,
    resource: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Evaluations {
    #[serde(flatten)]
    defaults: Evaluation,
    #[serde(default)]
    evaluations: Vec<Value>,
    #[serde(default)]
    options: Options,
}

#[derive(Debug, Default, Deserialize)]
struct Options {
    #[serde(default)]
    evaluations_semantic: Semantic,
}

/// When to stop before the last evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Semantic {
    #[default]
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

#[derive(Debug, Serialize)]
struct Decision {
    decision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
}

#[derive(Debug, Serialize)]
struct Context {
    error: ItemError,
}

#[derive(Debug, Serialize)]
struct ItemError {
    status: u16,
    message: String,
}

#[derive(Debug, Serialize)]
struct Decisions {
    evaluations: Vec<Decision>,
}

impl Evaluation {
    fn evaluate(&self, defaults: &Self, gateway: &Gateway, revision: u64) -> Result<bool, Problem> {
        let subject: Entity = member("subject", &self.subject, &defaults.subject)?;
        let action: Action = member("action", &self.action, &defaults.action)?;
        let resource: Entity = member("resource", &self.resource, &defaults.resource)?;
        let subject = SubjectRef::object(ObjectRef::new(&subject.r#type, &subject.id)?);
        let resource = ObjectRef::new(&resource.r#type, &resource.id)?;
        Ok(gateway.store.check(&resource, &action.name, &subject, revision)?)
    }
}

fn member<T: DeserializeOwned>(name: &str, own: &Option<Value>, default: &Option<Value>) -> Result<T, Problem> {
    let value = own.as_ref().or(default.as_ref());
    let value = value.ok_or_else(|| Problem::bad_request(format!("the evaluation has no `{name}`; add it")))?;
    T::deserialize(value).map_err(|error| Problem::bad_request(format!("`{name}`: {error}")))
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("the body is no evaluation: {error}")))
}

pub(crate) async fn evaluation(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    one(&gateway, fresh, &read(body)?).await
}

pub(crate) async fn evaluations(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Evaluations {
        defaults,
        evaluations,
        options,
    } = read(body)?;
    if evaluations.is_empty() {
        return one(&gateway, fresh, &defaults).await;
    }
    if evaluations.len() > MOST_EVALUATIONS {
        let detail = format!("more than {MOST_EVALUATIONS} evaluations; split them");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let revision = fresh.revision(&gateway).await?;
    let mut decisions = Vec::with_capacity(evaluations.len());
    for evaluation in evaluations {
        let decision = match several(&evaluation, &defaults, &gateway, revision) {
            Ok(decision) => Decision {
                decision,
                context: None,
            },
            Err(problem) => Decision::failed(problem),
        };
        let last = match options.evaluations_semantic {
            Semantic::ExecuteAll => false,
            Semantic::DenyOnFirstDeny => !decision.decision,
            Semantic::PermitOnFirstPermit => decision.decision,
        };
        decisions.push(decision);
        if last {
            break;
        }
    }
    let decisions = Decisions { evaluations: decisions };
    Ok((with_zookie(&gateway.zookie(revision)), Json(decisions)).into_response())
}

fn several(item: &Value, defaults: &Evaluation, gateway: &Gateway, revision: u64) -> Result<bool, Problem> {
    let own = Evaluation::deserialize(item)
        .map_err(|error| Problem::bad_request(format!("the item is no evaluation: {error}")))?;
    own.evaluate(defaults, gateway, revision)
}

async fn one(gateway: &Gateway, fresh: Fresh, evaluation: &Evaluation) -> Result<Response, Problem> {
    let revision = fresh.revision(gateway).await?;
    let decision = Decision {
        decision: evaluation.evaluate(&Evaluation::default(), gateway, revision)?,
        context: None,
    };
    Ok((with_zookie(&gateway.zookie(revision)), Json(decision)).into_response())
}

impl Decision {
    /// A failed item denies, and says why.
    fn failed(problem: Problem) -> Self {
        let error = ItemError {
            status: problem.status.as_u16(),
            message: problem.detail,
        };
        Self {
            decision: false,
            context: Some(Context { error }),
        }
    }
}
