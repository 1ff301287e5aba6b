//! OpenID AuthZEN 1.0: `POST /access/v1/evaluation` and `/access/v1/evaluations`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_zookie::revision::VectorClock;
use tower_zookie::store::{CheckError, ObjectRef, ParseError, SubjectRef};

use super::fresh::Fresh;
use super::ids::stored;
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
#[serde(rename_all = "snake_case")]
enum Context {
    /// The question could not be answered.
    Error(ItemError),
    /// Why the answer is no.
    Reason(String),
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
    /// What the schema does not know is denied, and is not an error.
    fn evaluate(&self, defaults: &Self, gateway: &Gateway, revision: &VectorClock) -> Result<Decision, Problem> {
        let subject: Entity = member("subject", &self.subject, &defaults.subject)?;
        let action: Action = member("action", &self.action, &defaults.action)?;
        let resource: Entity = member("resource", &self.resource, &defaults.resource)?;
        let (subject, resource) = match (subject.object(), resource.object()) {
            (Ok(subject), Ok(resource)) => (SubjectRef::object(subject), resource),
            (Err(why), _) | (_, Err(why)) => return Ok(Decision::denied(why.to_string())),
        };
        match gateway.backend.check(&resource, &action.name, &subject, revision) {
            Ok(decision) => Ok(Decision {
                decision,
                context: None,
            }),
            Err(CheckError::UnknownName(name)) => Ok(Decision::denied(name.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}

impl Entity {
    fn object(&self) -> Result<ObjectRef, ParseError> {
        ObjectRef::new(&self.r#type, &stored(&self.id))
    }
}

fn member<T: DeserializeOwned>(name: &str, own: &Option<Value>, default: &Option<Value>) -> Result<T, Problem> {
    let value = own.as_ref().or(default.as_ref());
    let value = value.ok_or_else(|| Problem::bad_request(format!("the evaluation has no `{name}`; add it")))?;
    T::deserialize(value).map_err(|error| Problem::bad_request(format!("`{name}`: {error}")))
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    if !headers.get(CONTENT_TYPE).is_some_and(is_json) {
        let detail =
            "the content type is not `application/json`; send the evaluation as JSON, and say so in `content-type`";
        return Err(Problem::bad_request(detail));
    }
    let body = body.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("the body is no evaluation: {error}")))
}

/// `application/json`, with parameters or without.
fn is_json(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

pub(crate) async fn evaluation(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    one(&gateway, fresh, &read(&headers, body)?).await
}

pub(crate) async fn evaluations(
    State(gateway): State<Gateway>,
    fresh: Fresh,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Evaluations {
        defaults,
        evaluations,
        options,
    } = read(&headers, body)?;
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
        let decision = several(&evaluation, &defaults, &gateway, &revision.clock).unwrap_or_else(Decision::failed);
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
    Ok((with_zookie(&revision.zookie(&gateway)?), Json(decisions)).into_response())
}

fn several(
    item: &Value,
    defaults: &Evaluation,
    gateway: &Gateway,
    revision: &VectorClock,
) -> Result<Decision, Problem> {
    let own = Evaluation::deserialize(item)
        .map_err(|error| Problem::bad_request(format!("the item is no evaluation: {error}")))?;
    own.evaluate(defaults, gateway, revision)
}

async fn one(gateway: &Gateway, fresh: Fresh, evaluation: &Evaluation) -> Result<Response, Problem> {
    let revision = fresh.revision(gateway).await?;
    let decision = evaluation.evaluate(&Evaluation::default(), gateway, &revision.clock)?;
    Ok((with_zookie(&revision.zookie(gateway)?), Json(decision)).into_response())
}

impl Decision {
    fn denied(why: String) -> Self {
        Self {
            decision: false,
            context: Some(Context::Reason(why)),
        }
    }

    /// A failed item denies, and says why.
    fn failed(problem: Problem) -> Self {
        let error = ItemError {
            status: problem.status.as_u16(),
            message: problem.detail,
        };
        Self {
            decision: false,
            context: Some(Context::Error(error)),
        }
    }
}
