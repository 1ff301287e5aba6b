//! One client: sends one request after the other, and records the replies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;
use gateway::AnyError;
use gateway::checker::{Reply, revision_of};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Scene;
use super::requests::{Asking, Form};

/// One request and what came of it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) took: Duration,
    /// The reply, twice where its body names another revision than its header.
    pub(crate) replies: Vec<Reply>,
    pub(crate) failure: Option<String>,
}

#[derive(Debug)]
pub(super) struct Client {
    number: u32,
    address: SocketAddr,
    scene: Arc<Scene>,
    random: StdRng,
    /// The zookie of its own last reply.
    last: Option<(u64, String)>,
}

impl Client {
    pub(super) fn new(number: u32, address: SocketAddr, scene: Arc<Scene>) -> Self {
        Self {
            number,
            address,
            scene,
            random: StdRng::seed_from_u64(number.into()),
            last: None,
        }
    }

    /// Every third client chains its own zookies.
    fn is_session(&self) -> bool {
        self.number.is_multiple_of(3)
    }

    pub(super) async fn run(mut self, length: Duration) -> Vec<Record> {
        let mut records = Vec::new();
        let mut connection = None;
        while self.scene.now() < length {
            let asking = Asking::next(&self.scene, &mut self.random, self.last.as_ref());
            let sent = self.scene.now();
            if self.random.random_range(0..2000) == 0 {
                // Some hang up while they wait.
                let hung_up = self.ask(&mut connection, &asking);
                let _ = timeout(Duration::from_micros(100), hung_up).await;
                connection = None;
                continue;
            }
            let answered = self.ask(&mut connection, &asking).await;
            let took = self.scene.now().saturating_sub(sent);
            let index = records.len() as u32;
            let record = match answered.and_then(|answered| self.read(&asking, sent, index, &answered)) {
                Ok(replies) => Record {
                    took,
                    replies,
                    failure: None,
                },
                Err(error) => {
                    connection = None;
                    Record {
                        took,
                        replies: Vec::new(),
                        failure: Some(format!("no answer: {error}\n    to {asking:?}")),
                    }
                }
            };
            self.scene.replies.fetch_add(1, Ordering::Relaxed);
            records.push(record);
        }
        records
    }

    async fn ask(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
        asking: &Asking,
    ) -> Result<Response<Bytes>, AnyError> {
        let request = asking.request(&HeaderValue::try_from(self.address.to_string())?)?;
        let sender = match connection {
            Some(sender) => sender,
            None => connection.insert(connect(self.address).await?),
        };
        sender.ready().await?;
        whole(sender.send_request(request).await?).await
    }

    fn read(
        &mut self,
        asking: &Asking,
        sent: Duration,
        index: u32,
        answered: &Response<Bytes>,
    ) -> Result<Vec<Reply>, AnyError> {
        let text = |name| {
            answered
                .headers()
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let status = text("cache-status").unwrap_or("no layer");
        if answered.status() != StatusCode::OK {
            let body = String::from_utf8_lossy(answered.body());
            return Err(format!("{}, {status}: {body}", answered.status()).into());
        }
        let zookie = text("zookie").ok_or("the reply has no zookie")?;
        let revision = revision_of(zookie).ok_or("the reply's zookie can't be read")?;
        let (decisions, in_body) = decisions(asking.form, answered.body())?;
        let complete = match asking.form {
            Form::Evaluations { until: Some(until) } => {
                let end = decisions.iter().position(|decision| *decision == until);
                end.map_or(asking.questions.len(), |end| end + 1)
            }
            _ => asking.questions.len(),
        };
        if decisions.len() != complete {
            return Err(format!("{} decisions where {complete} were due, {status}", decisions.len()).into());
        }
        let reply = Reply {
            sent,
            consistency: asking.consistency,
            tokens: asking.tokens.iter().map(|(revision, ..)| *revision).collect(),
            revision,
            decisions: asking.questions.iter().cloned().zip(decisions).collect(),
            session: self.is_session().then_some((self.number, index)),
            note: status.into(),
        };
        if self.is_session() && asking.consistency != gateway::checker::ConsistencyLevel::Exact {
            self.last = Some((revision, zookie.to_owned()));
        }
        let other = in_body.filter(|other| *other != revision);
        let other = other.map(|revision| Reply {
            revision,
            ..reply.clone()
        });
        Ok([reply].into_iter().chain(other).collect())
    }
}

pub(super) async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, AnyError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

pub(super) async fn whole(response: Response<Incoming>) -> Result<Response<Bytes>, AnyError> {
    let (parts, body) = response.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// The decisions of a reply, and the revision that its body names.
fn decisions(form: Form, body: &[u8]) -> Result<(Vec<bool>, Option<u64>), AnyError> {
    #[derive(Deserialize)]
    struct Check {
        allowed: bool,
        zookie: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Decision {
        decision: bool,
    }
    #[derive(Deserialize)]
    struct Decisions {
        evaluations: Vec<Decision>,
    }
    Ok(match form {
        Form::Check => {
            let Check { allowed, zookie } = serde_json::from_slice(body)?;
            let revision = revision_of(&zookie).ok_or("the zookie in the reply's body can't be read")?;
            (vec![allowed], Some(revision))
        }
        Form::Evaluation => (vec![serde_json::from_slice::<Decision>(body)?.decision], None),
        Form::Evaluations { .. } => {
            let Decisions { evaluations } = serde_json::from_slice(body)?;
            (evaluations.into_iter().map(|item| item.decision).collect(), None)
        }
    })
}
