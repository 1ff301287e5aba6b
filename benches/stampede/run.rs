//! One run of a plan, and the judge of its answers.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::ServiceExt;

use crate::plan::{Caller, Plan, Scene};
use crate::rows::{self, Row};
use crate::upstream::{FIRST_REVISION, Upstream, zookie};

/// How long an impatient caller waits, and how long until it retries.
const PATIENCE: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(5);
/// How often it tries.
const TRIES: usize = 10;

/// Longer than any flight lasts.
const LATER: Duration = Duration::from_secs(2);

/// The result of one run.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) upstream_calls: usize,
    pub(crate) answered: usize,
    /// Answers that were evaluated below their caller's floor.
    pub(crate) wrong: usize,
    /// Upstream calls by the time of the first answer, if there was any.
    pub(crate) calls_to_first: Option<usize>,
    /// From the first arrival to the last answer, if all were answered.
    pub(crate) all_answered_after: Option<Duration>,
    /// Whether later callers caused no upstream call.
    pub(crate) cached_after: bool,
}

struct Answer {
    revision: u64,
    floor: u64,
    at: Instant,
    calls_by_then: usize,
}

/// Lets the plan happen before an upstream with this row before it, in paused time.
pub(crate) fn run(row: Row, scene: Scene, plan: &Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads and sockets");
    runtime.block_on(play(row, scene, plan))
}

async fn play(row: Row, scene: Scene, plan: &Plan) -> Outcome {
    let upstream = Upstream::new();
    let front = row.before(&upstream);
    // The first revision: the layer was there.
    write(front.writes.clone()).await;

    let began = Instant::now();
    let writes = match scene {
        Scene::WritesElsewhere => Row::NoLayer.before(&upstream).writes,
        _ => front.writes,
    };
    let written = plan.writes.clone();
    let writer = tokio::spawn(async move {
        for at in written {
            sleep_until(began + at).await;
            write(writes.clone()).await;
        }
    });
    let mut callers = JoinSet::new();
    for caller in &plan.callers {
        let gives_up_after = (scene == Scene::GivingUp).then_some(PATIENCE);
        callers.spawn(ask(
            front.checks.clone(),
            upstream.clone(),
            *caller,
            began,
            gives_up_after,
        ));
    }
    let mut answers: Vec<Answer> = callers.join_all().await.into_iter().flatten().collect();
    writer.await.expect("writes are answered");
    let written = plan.writes.len() as u64;
    assert_eq!(
        upstream.head(),
        FIRST_REVISION + written,
        "a write was answered from a cache"
    );
    answers.sort_by_key(|answer| answer.at);
    let upstream_calls = upstream.checks();

    sleep(LATER).await;
    evaluated_at(front.checks, FIRST_REVISION).await;
    let first = plan.callers.iter().map(|caller| began + caller.arrives).min();
    let last = answers.last().filter(|_| answers.len() == plan.callers.len());
    Outcome {
        upstream_calls,
        answered: answers.len(),
        wrong: answers.iter().filter(|answer| answer.revision < answer.floor).count(),
        calls_to_first: answers.first().map(|answer| answer.calls_by_then),
        all_answered_after: first.zip(last).map(|(first, last)| last.at - first),
        cached_after: upstream.checks() == upstream_calls,
    }
}

async fn ask(
    service: rows::Caller,
    upstream: Upstream,
    caller: Caller,
    began: Instant,
    gives_up_after: Option<Duration>,
) -> Option<Answer> {
    sleep_until(began + caller.arrives).await;
    let answer = |revision| Answer {
        revision,
        floor: caller.floor,
        at: Instant::now(),
        calls_by_then: upstream.checks(),
    };
    let Some(gives_up_after) = gives_up_after else {
        return Some(answer(evaluated_at(service, caller.floor).await));
    };
    for _ in 0..TRIES {
        if let Ok(revision) = timeout(gives_up_after, evaluated_at(service.clone(), caller.floor)).await {
            return Some(answer(revision));
        }
        sleep(PAUSE).await;
    }
    None
}

/// Checks with this floor, and gives the revision that the answer was evaluated at.
async fn evaluated_at(service: rows::Caller, floor: u64) -> u64 {
    #[derive(Deserialize)]
    struct Evaluated {
        revision: u64,
    }
    let request = Request::get("http://permissions.test/check?subject=user:ada&permission=view&resource=doc:plan")
        .header("zookie", zookie(floor))
        .body(Body::empty())
        .expect("all parts are valid");
    let body = answered(service, request).await;
    let evaluated: Evaluated = serde_json::from_slice(&body).expect("the upstream's JSON");
    evaluated.revision
}

async fn write(service: rows::Caller) {
    let request = Request::post("http://permissions.test/relationships")
        .body(Body::empty())
        .expect("all parts are valid");
    answered(service, request).await;
}

async fn answered(service: rows::Caller, request: Request<Body>) -> bytes::Bytes {
    let response = service.oneshot(request).await.expect("the upstream never fails");
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.expect("the upstream never fails");
    body.to_bytes()
}
