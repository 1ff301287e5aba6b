use std::cmp::Reverse;
use std::mem;
use std::time::Duration;

use http::request::Parts;
use tokio::time::Instant;

use crate::cache::{Capabilities, DefaultRead, Miss, ReadMode};
use crate::consistency::{Consistency, Floor, Floors, Freshness};
use crate::layer::headers::{Header, Headers, forbid_caching};
use crate::layer::pending::Requirement;
use crate::layer::request::tokens::{Denied, Stated, Tokens};
use crate::layer::state::LayerState;
use crate::protocol::{Protocol, Rejection};
use crate::token::{Outline, TokenErrorKind};

impl<P: Protocol> LayerState<P> {
    /// What the answer to a request must satisfy, from the tokens and the consistency that its parts and its message state.
    pub(super) fn requirement(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        query: Outline,
        stated: Stated<'_>,
        arrived: Instant,
    ) -> Result<Requirement, Denied> {
        let tokens = self.tokens(parts, headers, query, stated, arrived)?;
        let no_cache = forbid_caching(headers.values(Header::CacheControl));
        let consistency = stricter(consistency_in_header(headers)?, stated.consistency)?;
        let has_token = tokens.count > 0 || tokens.cookie || tokens.too_old;
        let must_have_token = self.settings.require_token && stated.check;
        if must_have_token && !has_token && consistency != Some(Consistency::FullyConsistent) {
            return Err(Rejection::TokenRequired.into());
        }
        if tokens.has_more_than_revision && tokens.count > 1 {
            return Err(Rejection::TokensDoNotJoin.into());
        }
        let requirement = if consistency == Some(Consistency::AtExactSnapshot) {
            exact(&tokens, no_cache, stated)?
        } else {
            at_least(tokens, consistency, no_cache, stated, self.protocol.capabilities())?
        };
        Ok(requirement)
    }
}

/// The requirement of a request at one exact snapshot.
fn exact(tokens: &Tokens, no_cache: bool, stated: Stated<'_>) -> Result<Requirement, Rejection> {
    match (tokens.explicit_count, tokens.snapshot()) {
        _ if no_cache => Err(Rejection::ContradictoryConsistency),
        (1, Some(token)) => Ok(Requirement {
            freshness: Freshness::Exact(token.revision.clone()),
            floors: Floors::none(),
            elsewhere: Floors::none(),
            own_zookie: Some(token.zookie.clone()),
            explicit: true,
            in_message: stated.token.is_some(),
            replace_cookie: false,
            unmodified: tokens.has_more_than_revision,
            no_entry: tokens.has_more_than_revision.then_some(Miss::Unmodified),
            raised: false,
            remembered_in: None,
        }),
        _ if tokens.too_old => Err(Rejection::BadToken(TokenErrorKind::Expired)),
        _ => Err(Rejection::ExactNeedsOneToken),
    }
}

/// The requirement of a request under any other consistency: every token is a floor.
fn at_least(
    mut tokens: Tokens,
    consistency: Option<Consistency>,
    no_cache: bool,
    stated: Stated<'_>,
    capabilities: Capabilities,
) -> Result<Requirement, Rejection> {
    let Capabilities {
        read_mode,
        head_may_trail_reads,
        default_read,
        ..
    } = capabilities;
    // Where head may lack what the message's token names, headers and cookies never weaken that token.
    let guards_its_own = tokens.in_message && read_mode == ReadMode::Exactly && head_may_trail_reads;
    if guards_its_own && may_exclude_a_snapshot(consistency) {
        return Err(Rejection::ContradictoryConsistency);
    }
    let (mut floors, cookies) = (mem::take(&mut tokens.explicit), mem::take(&mut tokens.cookies));
    let (mut elsewhere, mut at_head, mut replace_cookie) = (Floors::none(), tokens.at_head, tokens.at_head);
    for cookie in cookies {
        let other_store = |floor: &Floor| floor.revision.store() != cookie.revision.store();
        if floors.iter().any(other_store) {
            // At most one of them is ours. A browser sends its cookie by itself, so the cookie yields.
            (at_head, replace_cookie) = (true, true);
            elsewhere.push(cookie);
        } else {
            floors.push(cookie);
        }
    }
    let by_default_at_head = default_read == DefaultRead::AtHead && consistency.is_none() && floors.is_empty();
    let full = consistency == Some(Consistency::FullyConsistent) || by_default_at_head || at_head || no_cache;
    let head_within = match consistency {
        Some(Consistency::BoundedStaleness(bound)) => Some(bound),
        _ => None,
    };
    let unmodified = tokens.has_more_than_revision && !full && head_within.is_none() || full && guards_its_own;
    let own = tokens.snapshot().filter(|_| guards_its_own && unmodified);
    if let Some(own) = own
        && floors.iter().any(|floor| !own.revision.is_at_or_after(&floor.revision))
    {
        return Err(Rejection::TokensDoNotJoin);
    }
    let at_head = if consistency == Some(Consistency::FullyConsistent) {
        Some(Miss::Full)
    } else if no_cache {
        Some(Miss::NoCache)
    } else if tokens.too_old {
        Some(Miss::OldToken)
    } else if at_head {
        Some(Miss::Cookie)
    } else {
        by_default_at_head.then_some(Miss::WithoutToken)
    };
    let no_entry = if unmodified { Some(Miss::Unmodified) } else { at_head };
    let freshness = if full || unmodified {
        Freshness::Full
    } else {
        Freshness::AtLeast {
            floors: floors.clone(),
            head_within,
        }
    };
    Ok(Requirement {
        freshness,
        own_zookie: own.or(tokens.only()).map(|token| token.zookie.clone()),
        floors,
        elsewhere,
        explicit: tokens.explicit_count > 0,
        in_message: stated.token.is_some(),
        replace_cookie,
        unmodified,
        no_entry,
        raised: false,
        remembered_in: None,
    })
}

/// The consistency that a request states in its header.
fn consistency_in_header(headers: &Headers<'_>) -> Result<Option<Consistency>, Rejection> {
    let mut values = headers.values(Header::Consistency);
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match (parsed, values.next()) {
        (Some(consistency), None) => Ok(Some(consistency)),
        _ => Err(Rejection::UnknownConsistency),
    }
}

/// The consistency that a header and the message demand together.
fn stricter(header: Option<Consistency>, message: Option<Consistency>) -> Result<Option<Consistency>, Rejection> {
    let strictness = |consistency: &Consistency| match consistency {
        Consistency::MinimizeLatency => (0, Reverse(Duration::ZERO)),
        Consistency::AtLeastAsFresh => (1, Reverse(Duration::ZERO)),
        Consistency::BoundedStaleness(bound) => (2, Reverse(*bound)),
        Consistency::AtExactSnapshot => (3, Reverse(Duration::ZERO)),
        Consistency::FullyConsistent => (4, Reverse(Duration::ZERO)),
    };
    let exact = |consistency| consistency == Some(Consistency::AtExactSnapshot);
    if exact(header) && may_exclude_a_snapshot(message) || exact(message) && may_exclude_a_snapshot(header) {
        return Err(Rejection::ContradictoryConsistency);
    }
    Ok(header.into_iter().chain(message).max_by_key(strictness))
}

/// Whether an answer at a snapshot may be too old for this consistency.
fn may_exclude_a_snapshot(consistency: Option<Consistency>) -> bool {
    matches!(
        consistency,
        Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_))
    )
}
