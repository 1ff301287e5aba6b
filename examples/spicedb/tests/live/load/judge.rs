//! Whether a reply is one that the server could have given.

use std::sync::atomic::Ordering;
use std::time::Duration;

use spicedb_examples::at_exact_snapshot;
use spicedb_examples::v1::ZedToken;
use tokio::time::Instant;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::spicedb::Engine;

use super::{BEFORE, Scene, WINDOW, Written};
use crate::client::{Client, Question};

pub(super) const STALENESS: Staleness = Staleness::percent(10);
/// An answer's age in the layer, at most.
const BOUND: Duration = Duration::from_millis(WINDOW.as_millis() as u64 * 11 / 10);
/// How far a server with default flags rounds down a read that names no revision; on some engines it also waits for its
/// followers.
const QUANTIZED: Duration = Duration::from_millis(5500);
const FOLLOWERS: Duration = Duration::from_millis(4800);
/// A server lets a read at head share a datastore query that another one began shortly before.
const HEAD: Duration = Duration::from_secs(1);
/// A margin for clocks that differ.
const SLACK: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConsistencyLevel {
    Any,
    AtLeast,
    /// The message accepts any answer, but there is a token in the metadata.
    Carried,
    Exact,
    Full,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) questions: Vec<Question>,
    pub(super) consistency: ConsistencyLevel,
    pub(super) token: Option<ZedToken>,
    pub(super) sent: Instant,
}

pub(super) struct Judge {
    scene: &'static Scene,
    direct: Client,
}

impl Judge {
    pub(super) fn new(scene: &'static Scene) -> Self {
        let direct = scene.server.direct();
        Self { scene, direct }
    }

    pub(super) async fn judge(&mut self, asked: &Asked, decisions: &[String], at: &ZedToken) -> Result<(), String> {
        if decisions.len() != asked.questions.len() {
            return Err("a decision is missing".to_owned());
        }
        self.is_fresh(asked, at)?;
        let own = if self.scene.server.repeats() {
            self.servers_own(asked, at).await?
        } else {
            self.possible(asked, decisions, at)?
        };
        if own == decisions {
            Ok(())
        } else {
            Err(format!("the server says {own:?} there"))
        }
    }

    fn is_fresh(&self, asked: &Asked, at: &ZedToken) -> Result<(), String> {
        let server = self.scene.server;
        let covers = |floor: &ZedToken| server.covers(&at.token, &floor.token);
        if let Some(token) = &asked.token {
            if !covers(token) {
                return Err("it lies below its floor".to_owned());
            }
            if asked.consistency == ConsistencyLevel::Exact && !server.covers(&token.token, &at.token) {
                return Err("it lies above its snapshot".to_owned());
            }
        }
        let followers = matches!(server.engine, Engine::CockroachDb | Engine::Spanner);
        let staleness = QUANTIZED + if followers { FOLLOWERS } else { Duration::ZERO };
        let due = match asked.consistency {
            ConsistencyLevel::Exact => return Ok(()),
            ConsistencyLevel::Full => self.due(asked, HEAD),
            _ => self.due(asked, BOUND + staleness + SLACK),
        };
        match due.filter(|due| !covers(due)) {
            Some(_) => Err("it is too old".to_owned()),
            None => Ok(()),
        }
    }

    /// The newest write that was acknowledged this long before.
    fn due(&self, asked: &Asked, age: Duration) -> Option<ZedToken> {
        let known = |write: &&Written| asked.sent.saturating_duration_since(write.acknowledged) > age;
        let due = self.scene.written(|writes| writes.iter().rev().find(known).cloned());
        due.map(|write| write.token)
    }

    /// What the server says when it is asked the same at the reply's own revision.
    async fn servers_own(&mut self, asked: &Asked, at: &ZedToken) -> Result<Vec<String>, String> {
        let questions: Vec<_> = asked
            .questions
            .iter()
            .map(|question| self.scene.ours(question))
            .collect();
        let questions: Vec<_> = questions.iter().collect();
        let own = self.direct.bulk(&questions, at_exact_snapshot(at)).await;
        own.map(|own| own.decisions())
            .map_err(|error| format!("the server can't be asked there: {error}"))
    }

    /// The same decisions, where each was true at some time from the reply's revision until now: this engine's answers
    /// may be of later data than their revision. Before the load there was no relationship.
    fn possible(&self, asked: &Asked, decisions: &[String], at: &ZedToken) -> Result<Vec<String>, String> {
        let server = self.scene.server;
        let from = self.scene.written(|writes| {
            writes
                .iter()
                .rposition(|write| server.covers(&at.token, &write.token.token))
        });
        let until = self.scene.begun.load(Ordering::SeqCst) as u64;
        let true_at = |question: &Question, write: u64| {
            let (resource, subject) = (question.resource.parse().unwrap(), question.subject.parse().unwrap());
            let allowed = self
                .scene
                .model
                .check(&resource, &question.permission, &subject, BEFORE + write);
            if allowed.unwrap() { "yes" } else { "no" }
        };
        for (question, decision) in asked.questions.iter().zip(decisions) {
            let before = from.is_none() && decision == "no";
            let first = from.unwrap_or(0) as u64;
            if !before && (first..until).all(|write| true_at(question, write) != decision) {
                return Err(format!(
                    "{question:?} was never {decision} from write {first} to {until}"
                ));
            }
        }
        Ok(decisions.to_vec())
    }
}
