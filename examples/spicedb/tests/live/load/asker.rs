//! One caller: sends one request after the other, and has every reply judged.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use spicedb_examples::v1::permissions_service_client::PermissionsServiceClient;
use spicedb_examples::v1::{CheckBulkPermissionsRequest, Consistency, ZedToken};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, decision, fully_consistent, minimize_latency};
use tokio::time::Instant;
use tonic::{Code, Request, Status};

use super::Scene;
use super::judge::{Asked, ConsistencyLevel, Judge};
use crate::client::{Answers, Caller, Question, status_of};

pub(super) struct Asker {
    scene: &'static Scene,
    random: StdRng,
    permissions: PermissionsServiceClient<Caller>,
    judge: Judge,
    /// The token of its own last reply.
    last: Option<ZedToken>,
}

/// What one caller saw.
pub(super) struct Found {
    pub(super) replies: usize,
    pub(super) cancelled: usize,
    /// The errors in the replies.
    pub(super) errors: Vec<String>,
}

impl Asker {
    pub(super) fn new(
        scene: &'static Scene,
        number: usize,
        permissions: PermissionsServiceClient<Caller>,
        judge: Judge,
    ) -> Self {
        Self {
            scene,
            random: StdRng::seed_from_u64(number as u64),
            permissions,
            judge,
            last: None,
        }
    }

    pub(super) async fn run(mut self) -> Found {
        let (mut replies, mut cancelled, mut errors) = (0, 0, Vec::new());
        while self.scene.goes_on() {
            let asked = self.next();
            replies += 1;
            let found = match self.ask(&asked).await {
                Ok((decisions, at, status)) => {
                    if asked.consistency != ConsistencyLevel::Exact {
                        self.last = Some(at.clone());
                    }
                    let found = self.judge.judge(&asked, &decisions, &at).await;
                    found.map_err(|error| format!("{error}: {decisions:?} at {} to {asked:?} ({status})", at.token))
                }
                // The server closes each connection after a while, and the channel gives up what was just being sent.
                Err(status) if status.code() == Code::Cancelled => {
                    cancelled += 1;
                    Ok(())
                }
                Err(status) => Err(format!("{status:?} to {asked:?}")),
            };
            errors.extend(found.err());
        }
        Found {
            replies,
            cancelled,
            errors,
        }
    }

    fn next(&mut self) -> Asked {
        let count = match self.random.random_range(0..100) {
            0..85 => 1,
            _ => self.random.random_range(2..9),
        };
        let questions = (0..count).map(|_| self.scene.question().clone()).collect();
        let (consistency, token) = match self.random.random_range(0..100) {
            0..35 => (ConsistencyLevel::Any, None),
            35..65 => (ConsistencyLevel::AtLeast, Some(self.some_write())),
            65..78 => (ConsistencyLevel::AtLeast, self.last.clone()),
            78..85 => (ConsistencyLevel::Carried, Some(self.some_write())),
            85..93 => (ConsistencyLevel::Exact, Some(self.some_write())),
            _ => (ConsistencyLevel::Full, None),
        };
        Asked {
            questions,
            consistency: if token.is_none() && consistency == ConsistencyLevel::AtLeast {
                ConsistencyLevel::Any
            } else {
                consistency
            },
            token,
            sent: Instant::now(),
        }
    }

    /// The token of a write, mostly of one of the last.
    fn some_write(&mut self) -> ZedToken {
        let back = self.random.random_range(0..4_u32);
        let back = self.random.random_range(0..=4_usize.pow(back));
        self.scene
            .written(|writes| writes[writes.len().saturating_sub(1 + back)].token.clone())
    }

    async fn ask(&mut self, asked: &Asked) -> Result<(Vec<String>, ZedToken, String), Status> {
        let questions: Vec<Question> = asked
            .questions
            .iter()
            .map(|question| self.scene.ours(question))
            .collect();
        let consistency = asked.consistency();
        if let [question] = &*questions {
            let request = carrying(question.at(consistency), asked);
            let reply = self.permissions.check_permission(request).await?;
            let status = status_of(reply.metadata());
            let reply = reply.into_inner();
            let decision = decision(reply.permissionship).to_owned();
            return Ok((vec![decision], reply.checked_at.unwrap(), status));
        }
        let request = CheckBulkPermissionsRequest {
            consistency: Some(consistency),
            items: questions.iter().map(Question::item).collect(),
            with_tracing: false,
        };
        let reply = self
            .permissions
            .check_bulk_permissions(carrying(request, asked))
            .await?;
        let status = status_of(reply.metadata());
        let reply = reply.into_inner();
        let answers = Answers {
            pairs: reply.pairs,
            at: reply.checked_at.unwrap(),
            status,
        };
        Ok((answers.decisions(), answers.at, answers.status))
    }
}

impl Asked {
    fn consistency(&self) -> Consistency {
        match (self.consistency, &self.token) {
            (ConsistencyLevel::AtLeast, Some(token)) => at_least_as_fresh(token),
            (ConsistencyLevel::Exact, Some(token)) => at_exact_snapshot(token),
            (ConsistencyLevel::Full, _) => fully_consistent(),
            _ => minimize_latency(),
        }
    }
}

fn carrying<T>(message: T, asked: &Asked) -> Request<T> {
    let mut request = Request::new(message);
    if let (ConsistencyLevel::Carried, Some(token)) = (asked.consistency, &asked.token) {
        request.metadata_mut().insert("zookie", token.token.parse().unwrap());
    }
    request
}
