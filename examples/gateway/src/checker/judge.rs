//! The rules of the contract.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::evaluate::State;
use super::schema::{NotASchema, Rules};
use super::{Broken, ConsistencyLevel, Question, Reply, Violation, Write};

/// How old answers may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The layer's: interval × (1 + staleness); zero without a layer.
    pub layer: Duration,
    /// The interval to which the store rounds reads that name no revision.
    pub store: Duration,
}

/// Knows what was written, and judges replies by it.
#[derive(Debug)]
pub struct Judge {
    rules: Rules,
    /// In the order of their revisions.
    writes: Vec<Write>,
    acknowledged: Acknowledged,
    bounds: Bounds,
    /// The revision of the empty store.
    empty: u64,
}

impl Judge {
    /// # Errors
    ///
    /// If the checker can't read the schema.
    pub fn new(schema: &str, mut writes: Vec<Write>, bounds: Bounds) -> Result<Self, NotASchema> {
        writes.sort_by_key(|write| write.revision);
        Ok(Self {
            rules: Rules::parse(schema)?,
            acknowledged: Acknowledged::new(&writes),
            empty: writes.first().map_or(0, |first| first.revision.saturating_sub(1)),
            writes,
            bounds,
        })
    }

    /// All that is wrong with these replies.
    pub fn judge(&self, mut replies: Vec<Reply>) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut found = |reply: &Reply, broken| {
            let reply = reply.clone();
            violations.push(Violation { reply, broken });
        };
        for reply in &replies {
            self.freshness(reply)
                .into_iter()
                .for_each(|broken| found(reply, broken));
        }
        replies.sort_by_key(|reply| reply.session);
        let mut seen: Option<(u32, u64)> = None;
        for reply in &replies {
            // An exact read asks for the past, so it does not move the session.
            let Some((client, _)) = reply.session.filter(|_| reply.consistency != ConsistencyLevel::Exact) else {
                continue;
            };
            let before = seen.filter(|(other, _)| *other == client).map(|(_, revision)| revision);
            if let Some(before) = before.filter(|before| reply.revision < *before) {
                found(reply, Broken::Order { before });
            }
            seen = Some((
                client,
                before.map_or(reply.revision, |before| before.max(reply.revision)),
            ));
        }
        replies.sort_by_key(|reply| reply.revision);
        self.decisions(&replies, found);
        violations
    }

    fn freshness(&self, reply: &Reply) -> Vec<Broken> {
        let mut broken = Vec::new();
        let revision = reply.revision;
        if reply.consistency == ConsistencyLevel::Exact {
            let other = reply.tokens.iter().filter(|token| **token != revision);
            broken.extend(other.map(|&token| Broken::Exact { token }));
            return broken;
        }
        let below = reply.tokens.iter().filter(|token| revision < **token);
        broken.extend(below.map(|&token| Broken::Floor { token }));
        let missing = self.acknowledged.first_after(revision);
        let too_old = |bound: Duration| missing.filter(|missing| missing.at + bound < reply.sent);
        let age = self.bounds.layer + self.bounds.store;
        if let Some(Missing { revision, at }) = too_old(age) {
            broken.push(Broken::Age {
                missing: revision,
                acknowledged_before: reply.sent.saturating_sub(at),
                bound: age,
            });
        }
        match reply.consistency {
            ConsistencyLevel::Full => {
                if let Some(Missing { revision, .. }) = too_old(Duration::ZERO) {
                    broken.push(Broken::Full { missing: revision });
                }
            }
            ConsistencyLevel::Bounded(bound) => {
                if let Some(Missing { revision, at }) = too_old(bound) {
                    broken.push(Broken::Bounded {
                        missing: revision,
                        acknowledged_before: reply.sent.saturating_sub(at),
                        bound,
                    });
                }
            }
            ConsistencyLevel::Any | ConsistencyLevel::Exact => {}
        }
        broken
    }

    /// Replays the history once along the replies, which are in the order of their revisions.
    fn decisions(&self, replies: &[Reply], mut found: impl FnMut(&Reply, Broken)) {
        let mut state = State::default();
        let mut at = self.empty;
        let mut writes = self.writes.iter().peekable();
        let mut known: HashMap<Arc<Question>, bool> = HashMap::new();
        for reply in replies {
            while let Some(write) = writes.next_if(|write| write.revision <= reply.revision) {
                write.changes.iter().for_each(|change| state.apply(change));
                at = write.revision;
                known.clear();
            }
            if at != reply.revision {
                found(reply, Broken::UnknownRevision);
                continue;
            }
            let mut wrong = Vec::new();
            for (question, said) in &reply.decisions {
                let truth = known
                    .entry(Arc::clone(question))
                    .or_insert_with(|| state.has(&self.rules, question));
                if truth != said {
                    wrong.push((Arc::clone(question), *said));
                }
            }
            let mixed = wrong.len() < reply.decisions.len() && reply.decisions.len() > 1;
            for (question, said) in wrong {
                found(
                    reply,
                    if mixed {
                        Broken::Bulk { question, said }
                    } else {
                        Broken::Decision { question, said }
                    },
                );
            }
        }
    }
}

/// Which revision was acknowledged by when.
#[derive(Debug)]
struct Acknowledged(Vec<Missing>);

/// A revision and when it was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Missing {
    revision: u64,
    at: Duration,
}

impl Acknowledged {
    fn new(writes: &[Write]) -> Self {
        let mut all: Vec<_> = writes
            .iter()
            .map(|write| Missing {
                revision: write.revision,
                at: write.acknowledged,
            })
            .collect();
        all.sort_by_key(|write| (write.at, write.revision));
        // Only those that were the newest when they came.
        let mut newest = 0;
        all.retain(|write| {
            write.revision > newest && {
                newest = write.revision;
                true
            }
        });
        Self(all)
    }

    /// Of the revisions after this one, that which was acknowledged first.
    fn first_after(&self, revision: u64) -> Option<Missing> {
        let after = self.0.partition_point(|write| write.revision <= revision);
        self.0.get(after).copied()
    }
}
