use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use tokio::time::Instant;

use crate::cache::{CarriedIn, Refusal};
use crate::consistency::{Consistency, Floor, Floors};
use crate::layer::headers::Headers;
use crate::layer::refused::refusal;
use crate::layer::state::{LayerState, OldTokens};
use crate::protocol::{Call, Kind, Protocol, Rejection};
use crate::token::{Outline, Source, Token, TokenErrorKind};

/// Why a request has no requirement that can be judged.
#[derive(Debug)]
pub(super) enum Denied {
    Reject(Rejection),
    /// A token that can't be read is forwarded, for the upstream to judge.
    Forward(&'static str),
}

impl From<Rejection> for Denied {
    fn from(why: Rejection) -> Self {
        Self::Reject(why)
    }
}

/// All tokens of one request.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Those that the caller put there: in a header, the query or the message.
    pub(super) explicit: Floors,
    pub(super) cookies: Floors,
    /// The last explicit one, if it is not the last of all.
    explicit_before: Option<Arc<Token>>,
    pub(super) explicit_count: usize,
    pub(super) count: usize,
    /// The last token of all, and whether it is an explicit one.
    last: Option<(Arc<Token>, bool)>,
    /// The snapshot is the message's own.
    pub(super) in_message: bool,
    /// The request has a cookie.
    pub(super) cookie: bool,
    /// A cookie that can't be read or is too old: only a read at head is surely fresh enough.
    pub(super) at_head: bool,
    /// One is older than the store may be asked at.
    pub(super) too_old: bool,
    /// One says more than its revision.
    pub(super) has_more_than_revision: bool,
    rejection: Option<Rejection>,
}

impl Tokens {
    fn add(&mut self, token: Arc<Token>, explicit: bool, arrived: Instant) {
        let floor = Floor {
            revision: token.revision.clone(),
            demanded: arrived,
        };
        self.count += 1;
        self.has_more_than_revision |= token.has_more_than_revision;
        if let Some((before, true)) = self.last.replace((token, explicit)) {
            self.explicit_before = Some(before);
        }
        if !explicit {
            self.cookies.push(floor);
            return;
        }
        let elsewhere = |known: &Floor| known.revision.store() != floor.revision.store();
        if self.explicit.iter().any(elsewhere) {
            self.rejection = Some(Rejection::TokensDoNotJoin);
        }
        self.explicit.push(floor);
        self.explicit_count += 1;
    }

    /// The only token.
    pub(super) fn only(&self) -> Option<&Token> {
        let (only, _) = self.last.as_ref()?;
        (self.count == 1).then_some(only)
    }

    /// The last explicit token: the snapshot, if there is only one.
    pub(super) fn snapshot(&self) -> Option<&Token> {
        match &self.last {
            Some((last, true)) => Some(last),
            _ => self.explicit_before.as_deref(),
        }
    }
}

/// What a message states about its requirement. A message that can't be read states nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated<'a> {
    pub(super) consistency: Option<Consistency>,
    pub(super) token: Option<&'a Bytes>,
    /// It is a check, of which a service may demand a token.
    pub(super) check: bool,
}

impl<'a> Stated<'a> {
    pub(super) const UNREADABLE: Self = Self {
        consistency: None,
        token: None,
        check: true,
    };

    pub(super) fn of(call: &'a Call) -> Self {
        Self {
            consistency: call.consistency,
            token: call.token.as_ref(),
            check: !matches!(call.kind, Kind::Read { .. }),
        }
    }
}

impl<P: Protocol> LayerState<P> {
    /// The tokens of a request: those of its carriers and that of its message.
    pub(super) fn tokens(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        query: Outline,
        stated: Stated<'_>,
        arrived: Instant,
    ) -> Result<Tokens, Denied> {
        let mut tokens = Tokens::default();
        let counters = self.cache.counters();
        let in_header = match headers.are_metadata() {
            true => CarriedIn::Metadata,
            false => CarriedIn::Header,
        };
        let visited = self
            .carriers
            .visit_with(&parts.headers, &parts.uri, query, |source, text| {
                tokens.cookie |= source == Source::Cookie;
                let place = match source {
                    Source::Header => in_header,
                    Source::Cookie => CarriedIn::Cookie,
                    Source::Query => CarriedIn::Query,
                };
                counters.token(place);
                let parsed = text
                    .map_err(|error| error.kind().clone())
                    .and_then(|text| self.memo.parse_of_request(text));
                if let Ok(token) = &parsed {
                    self.take_signed(token, place);
                }
                match parsed {
                    Ok(token) => drop(self.take(&mut tokens, token, source.is_explicit(), arrived)),
                    Err(kind) if source.is_explicit() => tokens.rejection = Some(Rejection::BadToken(kind)),
                    Err(kind) => {
                        counters.token_refused(refusal(&kind));
                        tokens.at_head = true;
                    }
                }
            });
        if let Err(error) = visited {
            tokens.rejection = Some(Rejection::BadToken(error.kind().clone()));
        }
        let mut unreadable = None;
        if let Some(text) = stated.token {
            counters.token(CarriedIn::Message);
            match std::str::from_utf8(text).map(|text| self.memo.parse_of_request(text)) {
                Ok(Ok(token)) => tokens.in_message = self.take(&mut tokens, token, true, arrived),
                // The upstream knows of no signatures.
                Ok(Err(kind)) if kind.is_of_signature() => tokens.rejection = Some(Rejection::BadToken(kind)),
                Ok(Err(kind)) => unreadable = Some(refusal(&kind)),
                Err(_) => unreadable = Some(Refusal::Malformed),
            }
        }
        if tokens.too_old && self.settings.old_tokens == OldTokens::Reject {
            return Err(Rejection::BadToken(TokenErrorKind::Expired).into());
        }
        match tokens.rejection.take() {
            Some(Rejection::BadToken(kind)) if self.settings.forward_bad_tokens && !kind.is_of_signature() => {
                counters.token_refused(refusal(&kind));
                Err(Denied::Forward("a token that can't be read"))
            }
            Some(rejection) => Err(Denied::Reject(rejection)),
            None => match unreadable {
                Some(why) => {
                    counters.token_refused(why);
                    Err(Denied::Forward(
                        "a token in the message that only the upstream can judge",
                    ))
                }
                None => Ok(tokens),
            },
        }
    }

    /// Adds a token, unless it is older than the store may be asked at.
    fn take(&self, tokens: &mut Tokens, token: Arc<Token>, explicit: bool, arrived: Instant) -> bool {
        let old = self.cache.is_old(&token.revision, arrived);
        if old {
            tokens.too_old |= explicit;
            tokens.at_head = true;
        } else {
            tokens.add(token, explicit, arrived);
        }
        !old
    }
}
