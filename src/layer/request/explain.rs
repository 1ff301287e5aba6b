use bytes::Bytes;
use http::Request;
use http::request::Parts;
use tokio::time::Instant;

use crate::cache::{Fingerprint, Merge, Miss, Served};
use crate::consistency::Freshness;
use crate::layer::explanation::{ExplainedQuestion, Explanation, KeyPart, StoredAnswer};
use crate::layer::pending::Requirement;
use crate::layer::request::classify::Class;
use crate::layer::request::passed::closest;
use crate::layer::request::tokens::Denied;
use crate::layer::state::LayerState;
use crate::protocol::{Claim, Kind, Protocol, Received, Route, StoredResponse};

impl<P: Protocol> LayerState<P> {
    /// What would become of a request. Nothing is asked, counted or noted.
    pub(in crate::layer) fn explain(&self, request: &Request<Bytes>) -> Explanation {
        let (mut parts, message) = request.clone().into_parts();
        let endpoints = self.protocol.endpoints();
        let mut explanation = Explanation {
            operation: None,
            would: String::new(),
            key: Vec::new(),
            requirement: None,
            questions: Vec::new(),
        };
        let claim = self.protocol.claim(&parts.method, &parts.uri, &parts.headers);
        let route = match claim {
            Claim::Pass => {
                let why = closest(&endpoints, &parts.method, parts.uri.path(), &parts.headers);
                explanation.would = match why {
                    Some((endpoint, why)) => {
                        format!(
                            "pass untouched; the closest route is {} {}: {why}",
                            endpoint.method, endpoint.path
                        )
                    }
                    None => "pass untouched: it matches no route".to_owned(),
                };
                return explanation;
            }
            Claim::Parts(route) | Claim::Body(route) | Claim::Floor(route) => route,
        };
        let operation = endpoints.iter().find(|endpoint| endpoint.route == route);
        explanation.operation = operation.map(|endpoint| format!("{} {}", endpoint.method, endpoint.path));
        if matches!(claim, Claim::Floor(_)) && !self.verifies() && !self.raises_floor(&parts) {
            explanation.would = "be forwarded: a read that is never stored".to_owned();
            return explanation;
        }
        let message = match self.unwrap_message(route, &mut parts, message) {
            Ok(message) => message,
            Err(why) => {
                explanation.would = format!("be rejected: {}", why.name());
                return explanation;
            }
        };
        let names = self.key_parts(route, &parts, &message);
        explanation.key = names
            .into_iter()
            .map(|(named, name, _)| KeyPart::new(named, name))
            .collect();
        self.explain_claimed(route, &parts, &message, &mut explanation);
        explanation
    }

    fn explain_claimed(&self, route: Route, parts: &Parts, message: &Bytes, explanation: &mut Explanation) {
        let now = Instant::now();
        match self.class(route, parts, message, None, None, now) {
            Err(Denied::Reject(why)) => explanation.would = format!("be rejected: {}", why.name()),
            Err(Denied::Forward(why)) => explanation.would = format!("be forwarded: {why}"),
            Ok(Class::Write(_)) => explanation.would = "be forwarded: a write".to_owned(),
            Ok(Class::LookUp(_)) => {
                explanation.would = "look up what is remembered of its objects, and then decide".to_owned();
            }
            Ok(Class::Page) => explanation.would = "be forwarded: a page of a listing".to_owned(),
            Ok(Class::Bypass(bypass, why)) => {
                explanation.requirement = Some(spelled(&bypass.1));
                explanation.would = format!("be forwarded: {why}");
            }
            Ok(Class::Read(call, caller, requirement)) => {
                explanation.requirement = Some(spelled(&requirement));
                if caller.ends.is_some_and(|ends| ends <= now) {
                    explanation.would = "be forwarded: the credential has ended".to_owned();
                    return;
                }
                let each = match &call.kind {
                    Kind::Check(question) => std::slice::from_ref(question),
                    Kind::Bulk(each) => each,
                    _ => {
                        explanation.would = "be forwarded: a read that is never stored".to_owned();
                        return;
                    }
                };
                let served = self.would_serve(each, &requirement, now);
                let found: Vec<Option<&StoredResponse>> = served.stored().collect();
                let needed = self.protocol.needed(Received::new(route, &call, message), &found);
                explanation.would = match (needed.is_empty(), served.any()) {
                    (true, _) => "be answered from the cache".to_owned(),
                    (false, true) => format!("ask the upstream {} of {} questions", needed.len(), each.len()),
                    (false, false) => "ask the upstream".to_owned(),
                };
                let explained = each
                    .iter()
                    .zip(&served.found)
                    .map(|(question, found)| ExplainedQuestion {
                        miss: found.as_ref().err().copied(),
                        stored: self.stored_answer(*question, now),
                    });
                explanation.questions = explained.collect();
            }
        }
    }

    /// What the cache would give to a request, with the reason of each miss.
    fn would_serve(&self, each: &[Fingerprint], requirement: &Requirement, now: Instant) -> Served<StoredResponse> {
        if let Some(why) = requirement.no_entry {
            return Served::nothing(each.len(), why);
        }
        let merge = match self.settings.mix_revisions {
            true => Merge::Mixed,
            false => Merge::OneSnapshot,
        };
        let mut served = self.cache.served(each, &requirement.freshness, now, merge);
        for (found, question) in served.found.iter_mut().zip(each) {
            if let Err(why @ Miss::Absent) = found {
                *why = self.cache.peek_why(*question, now);
            }
        }
        served
    }

    fn stored_answer(&self, question: Fingerprint, now: Instant) -> Option<StoredAnswer> {
        let decision = self.cache.newest(question)?;
        Some(StoredAnswer {
            age: decision.age(now),
            ends_in: decision.expires.saturating_duration_since(now),
            has_revision: decision.label().is_some(),
        })
    }
}

/// A requirement in words.
fn spelled(requirement: &Requirement) -> String {
    let floors = requirement.floors.iter().count();
    match &requirement.freshness {
        _ if requirement.unmodified => "whatever the upstream makes of the token".to_owned(),
        Freshness::Full => "fully consistent: read at head".to_owned(),
        Freshness::Exact(_) => "at exactly the revision of the token".to_owned(),
        Freshness::AtLeast { head_within, .. } => {
            let floor = match floors {
                0 => "no older than the window".to_owned(),
                1 => "no older than the window, and at least as fresh as the token".to_owned(),
                more => format!("no older than the window, and at least as fresh as {more} tokens"),
            };
            match head_within {
                Some(bound) => format!("{floor}, read at head within the last {bound:?}"),
                None => floor,
            }
        }
    }
}
