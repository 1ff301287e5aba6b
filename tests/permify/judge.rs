//! A judge that knows everything that was written and evaluated, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use tower_zookie_testing::grpc::{INTERNAL, INVALID_ARGUMENT, OK, UNIMPLEMENTED};
use tower_zookie_testing::permify::database::Token;
use tower_zookie_testing::permify::messages::{ALLOWED, PermissionBulkCheckResponse, PermissionCheckResponse};

use crate::asked::Answered;
use crate::bypass::Bypass;
use crate::store::{Evaluation, Store, version};
use crate::world::{ConsistencyLevel, Passed, WINDOWED};

/// The maximum age of an answer of a layer with default settings.
const BOUND: Duration = Duration::from_millis(5500);
/// The same for answers at exact snapshots.
const TIME_TO_LIVE: Duration = Duration::from_secs(60);

pub(crate) struct Judge<'a> {
    pub(crate) store: &'a Store,
    pub(crate) passed: &'a [Passed],
    /// The layers follow change feeds.
    pub(crate) feeds: bool,
}

/// One answer, and where it came from.
struct Case<'a> {
    answered: &'a Answered,
    evaluation: &'a Evaluation,
    from_memory: bool,
}

impl Judge<'_> {
    /// How many of the answers were from memory.
    pub(crate) fn judge(&self, answered: &Answered) -> Result<usize, TestCaseError> {
        let reply = &answered.reply;
        if reply.status() == INVALID_ARGUMENT && answered.asked.can_not_be_met() {
            return Ok(0);
        }
        match (answered.asked.bypass, reply.status()) {
            // The token that an exact read needs may be in a message that can't be read.
            (Some(bypass), INVALID_ARGUMENT)
                if !bypass.is_of_headers() && answered.asked.consistency == ConsistencyLevel::Exact =>
            {
                return Ok(0);
            }
            (Some(_), UNIMPLEMENTED) if answered.asked.demands_beside() => return Ok(0),
            (Some(Bypass::BrokenOff), status) => {
                let beside = answered.asked.demands_beside();
                prop_assert!(status == INTERNAL && !beside, "rule 9: {:?}", answered);
                return Ok(0);
            }
            (_, status) => prop_assert_eq!(status, OK, "{:?}", answered),
        }
        self.judge_tokens(answered)?;
        let results = match &*answered.asked.whats {
            [_] => vec![reply.message::<PermissionCheckResponse>()],
            _ => reply.message::<PermissionBulkCheckResponse>().results,
        };
        prop_assert_eq!(results.len(), answered.asked.whats.len());
        let mut cases = Vec::new();
        for (result, (document, user)) in results.iter().zip(&answered.asked.whats) {
            let number = result.metadata.as_ref().map_or(0, |checked| checked.check_count);
            let evaluation = usize::try_from(number - 1).ok().map(|nth| &self.store.evaluations[nth]);
            let evaluation = evaluation.ok_or_else(|| TestCaseError::fail("an answer that Permify never gave"))?;
            prop_assert_eq!(result.can == ALLOWED, evaluation.allowed);
            prop_assert_eq!((&*evaluation.what.0, &*evaluation.what.1), (*document, *user));
            let joined = reply.is_hit() || reply.cache_status().contains("; collapsed");
            cases.push(Case {
                answered,
                evaluation,
                from_memory: joined || evaluation.at < answered.arrived,
            });
        }
        for case in &cases {
            self.judge_schema(case)?;
            self.judge_naming(case)?;
            match answered.asked.consistency {
                ConsistencyLevel::Exact => judge_exact(self, case)?,
                ConsistencyLevel::Full => judge_head(case)?,
                ConsistencyLevel::None if answered.asked.tokens().next().is_some() => self.judge_floors(case)?,
                ConsistencyLevel::None if answered.asked.way == WINDOWED => {}
                ConsistencyLevel::None => judge_head(case)?,
            }
            if answered.asked.consistency != ConsistencyLevel::Exact {
                self.judge_age(case)?;
            }
        }
        let snapshots: BTreeSet<_> = cases.iter().map(|case| &case.evaluation.seen).collect();
        prop_assert!(
            snapshots.len() == 1,
            "rule 16: {} snapshots in {:?}",
            snapshots.len(),
            answered
        );
        Ok(cases.iter().filter(|case| case.from_memory).count())
    }

    /// Rule 10: tenants and versions share nothing, and a request without a version never gets an answer that is too
    /// old.
    fn judge_schema(&self, case: &Case<'_>) -> Result<(), TestCaseError> {
        let (asked, arrived) = (&case.answered.asked, case.answered.arrived);
        prop_assert_eq!(&*case.evaluation.tenant, asked.tenant, "rule 10");
        let by = case.evaluation.version;
        if let Some(pinned) = asked.pinned {
            prop_assert_eq!(by, pinned, "rule 10: {:?}", case.answered);
            return Ok(());
        }
        let oldest = self.store.latest(asked.tenant, case.long_ago());
        prop_assert!(
            by >= oldest,
            "rule 10: by v{} after v{}: {:?}",
            by,
            oldest,
            case.answered
        );
        for passed in self.passed {
            let before = passed.way == asked.way && passed.tenant == asked.tenant && passed.replied < arrived;
            let later = before && (by + 1..by + 100).any(|later| version(later) == passed.version);
            prop_assert!(!later, "rule 13: by v{} after {:?}: {:?}", by, passed, case.answered);
        }
        Ok(())
    }

    /// Rules 5 and 8. The store named the reply's token and its cookie's, and a read does not change a good cookie. (An
    /// exact reply may have the token that it was asked at.)
    fn judge_tokens(&self, answered: &Answered) -> Result<(), TestCaseError> {
        let named = |text: &str| self.store.has_named(text, answered.replied, self.feeds);
        if let Some(zookie) = answered.reply.header("zookie") {
            let asked = &answered.asked;
            let own = asked.consistency == ConsistencyLevel::Exact && asked.tokens().any(|token| token == zookie);
            prop_assert!(
                own || named(zookie),
                "rule 5: the store never said {}: {:?}",
                zookie,
                answered
            );
        }
        if let Some(cookie) = answered.reply.cookie() {
            let useless = answered.asked.cookie.as_ref().is_some_and(|cookie| !named(cookie));
            prop_assert!(useless && named(&cookie), "rule 6: {:?}", answered);
        }
        Ok(())
    }

    /// Rule 8. Shared answers were read at tokens that the store named. (A settled snapshot serves exact reads at
    /// itself.)
    fn judge_naming(&self, case: &Case<'_>) -> Result<(), TestCaseError> {
        let Some(asked_at) = &case.evaluation.asked_at else {
            return Ok(());
        };
        let shared = case.from_memory && case.answered.asked.consistency != ConsistencyLevel::Exact;
        let named = self.store.has_named(&asked_at.text(), case.evaluation.at, self.feeds);
        prop_assert!(named || !shared, "rule 8: {:?} by {:?}", case.answered, case.evaluation);
        Ok(())
    }

    /// Rule 1. A message without a token asks for head. If nothing fresh covers the token beside it, head is read: a
    /// read at exactly that token would be as old as the token.
    fn judge_floors(&self, case: &Case<'_>) -> Result<(), TestCaseError> {
        if case.evaluation.asked_at.is_none() {
            return judge_head(case);
        }
        for token in case.answered.asked.tokens() {
            prop_assert!(
                self.covers(case, token),
                "rule 1: {:?} by {:?}",
                case.answered,
                case.evaluation
            );
        }
        Ok(())
    }

    /// Whether an answer has all that a read at the token sees: at any time, if it was read at a token that the store
    /// had issued, and until then, if it was read at the caller's own token, which may be forged.
    fn covers(&self, case: &Case<'_>, token: &str) -> bool {
        let (token, evaluation) = (self.store.parse(token).unwrap(), case.evaluation);
        let own_word = case.was_asked_at(&token) || evaluation.asked_at.is_none() || self.is_unmodified(case);
        let by = if own_word { evaluation.at } else { case.answered.replied };
        evaluation.seen.is_superset(&token.read(&self.committed(case, by)))
    }

    /// Whether it was asked at one of the caller's tokens, for the caller alone.
    fn is_unmodified(&self, case: &Case<'_>) -> bool {
        let mut sent = case.answered.asked.tokens().filter_map(|token| self.store.parse(token));
        !case.from_memory && sent.any(|token| case.was_asked_at(&token))
    }

    /// Rule 4, except for unmodified requests, whose answers are as old as the caller's own token.
    fn judge_age(&self, case: &Case<'_>) -> Result<(), TestCaseError> {
        let evaluation = case.evaluation;
        if evaluation.asked_at.is_none() {
            prop_assert!(evaluation.at >= case.long_ago(), "rule 4: {:?}", case.answered);
            return Ok(());
        }
        if self.is_unmodified(case) {
            return Ok(());
        }
        let ended = self.committed(case, case.long_ago());
        prop_assert!(
            evaluation.seen.is_superset(&ended),
            "rule 4: {:?} lacks {:?}: {:?}",
            evaluation,
            ended.difference(&evaluation.seen),
            case.answered
        );
        Ok(())
    }

    /// What of the tenant's was committed by an instant.
    fn committed(&self, case: &Case<'_>, by: Instant) -> BTreeSet<u64> {
        let commits = self.store.commits.iter();
        let of_tenant = commits.filter(|commit| commit.at <= by && commit.tenant == case.answered.asked.tenant);
        of_tenant.map(|commit| commit.xid).collect()
    }
}

/// Rule 2.
fn judge_exact(judge: &Judge<'_>, case: &Case<'_>) -> Result<(), TestCaseError> {
    let token = case.answered.asked.tokens().next().unwrap();
    let evaluation = case.evaluation;
    let asked_at = case.was_asked_at(&judge.store.parse(token).unwrap());
    prop_assert!(asked_at, "rule 2: {:?} by {:?}", case.answered, evaluation);
    if case.from_memory {
        let joined = evaluation.at >= case.answered.arrived;
        prop_assert!(
            evaluation.settled || joined,
            "rule 2: {:?} by {:?}",
            case.answered,
            evaluation
        );
        prop_assert!(evaluation.at + TIME_TO_LIVE >= case.answered.arrived, "rule 12");
    }
    Ok(())
}

/// Rule 3.
fn judge_head(case: &Case<'_>) -> Result<(), TestCaseError> {
    let evaluation = case.evaluation;
    let read_by_now = evaluation.asked_at.is_none() && evaluation.at >= case.answered.arrived;
    prop_assert!(
        read_by_now && !case.answered.reply.is_hit(),
        "rule 3: {:?} by {:?}",
        case.answered,
        evaluation
    );
    Ok(())
}

impl<'a> Case<'a> {
    fn was_asked_at(&self, token: &Token) -> bool {
        let asked_at = self.evaluation.asked_at.as_ref();
        asked_at.is_some_and(|asked_at| asked_at.text() == token.text())
    }

    /// Just before the earliest instant at which an answer from memory may have been read.
    fn long_ago(&self) -> Instant {
        let ago = BOUND + Duration::from_millis(1);
        self.answered.arrived.checked_sub(ago).unwrap_or(self.answered.arrived)
    }
}
