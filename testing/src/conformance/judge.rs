use bytes::Bytes;
use http::Response;

use crate::conformance::Wrong;
use crate::conformance::api::{Api, Asks};
use crate::conformance::store::Store;

/// What an answer to one request must satisfy.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed {
    pub(super) floor: Option<u64>,
    pub(super) exact: Option<u64>,
    /// Head when the request was sent, if it is fully consistent.
    pub(super) head: Option<u64>,
    /// The caller is honest, so it is owed an answer.
    pub(super) answer: bool,
}

/// Judges a reply, and returns the revision that it names.
pub(super) fn judge<A: Api>(
    api: &A,
    store: &Store,
    asks: &Asks,
    owed: &Owed,
    reply: &Response<Bytes>,
) -> Result<Option<u64>, Wrong> {
    let Some(answer) = api.answer(asks, reply) else {
        return match owed.answer {
            true => Err(format!("rule 17: an honest request has no answer: {asks:?} {owed:?}")),
            false => Ok(None),
        };
    };
    let token = answer.token.ok_or("rule 5: the answer names no revision")?;
    let revision = (1..=store.head()).find(|revision| api.token(*revision) == token);
    let revision = revision.ok_or_else(|| format!("rule 5: the store never named {token}"))?;
    if let Some(floor) = owed.floor.filter(|floor| *floor > revision) {
        return Err(format!("rule 1: an answer at {revision} for the floor {floor}"));
    }
    if let Some(exact) = owed.exact.filter(|exact| *exact != revision) {
        return Err(format!("rule 2: an answer at {revision} for the snapshot {exact}"));
    }
    if let Some(head) = owed.head.filter(|head| *head > revision) {
        return Err(format!("rule 3: an answer at {revision} for head, which was {head}"));
    }
    let rule = match (owed.exact, asks) {
        (Some(_), _) => 2,
        (None, Asks::Bulk(_)) => 16,
        (None, _) => 1,
    };
    let expected = store.verdicts(asks.questions(), revision);
    if answer.verdicts.len() != expected.len() {
        return Err(format!(
            "rule {rule}: {} answers to {} questions",
            answer.verdicts.len(),
            expected.len()
        ));
    }
    for (nth, (verdict, expected)) in answer.verdicts.iter().zip(&expected).enumerate() {
        match verdict {
            None if owed.answer => return Err(format!("rule 17: answer {nth} of {asks:?} is an error")),
            Some(verdict) if verdict != expected => {
                return Err(format!(
                    "rule {rule}: answer {nth} of {asks:?} is {verdict}, but at {revision} it is {expected}"
                ));
            }
            _ => {}
        }
    }
    Ok(Some(revision))
}
