use std::cmp::{Ordering, Reverse};
use std::sync::Arc;
use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::request::Parts as Head;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::time::Instant;

use super::headers::{Header, Headers};
use super::shared::{OldTokens, Shared};
use crate::cache::{Abilities, Told, Untold};
use crate::consistency::{Consistency, Floor, Freshness};
use crate::protocol::{Call, Kind, Protocol, Refusal};
use crate::revision::Revision;
use crate::token::{Outline, Source, Token, TokenErrorKind, Zookie};

/// The header in which a request says how fresh an answer it wishes.
pub(super) const CONSISTENCY: HeaderName = HeaderName::from_static("zookie-consistency");

/// How fresh a request's answer must be, and which tokens say so.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) freshness: Freshness,
    /// What the answer must cover, also where it is asked at head. An exact snapshot is none.
    pub(super) floor: Option<Floor>,
    /// Cookies of other stores than the floor's. Which store answers here may show in its reply only.
    pub(super) elsewhere: Vec<Floor>,
    /// The token of the floor or of the exact snapshot: as it came, or spelled anew where several were joined.
    pub(super) zookie: Option<Zookie>,
    /// A token of a header, the query or the message is among them.
    pub(super) explicit: bool,
    /// One of the message is: whether it belongs here is the upstream's to judge.
    pub(super) in_message: bool,
    /// The request bore a zookie cookie, so that the reply sets one.
    pub(super) cookie: bool,
    /// Nothing kept will do, and neither would a head: the message is to go as it came.
    pub(super) as_it_came: bool,
}

/// Why a request can't be decided on.
#[derive(Debug)]
pub(super) enum Rejected {
    Refuse(Refusal),
    Bypass(&'static str),
    /// To be handed on as it came, whatever its carriers demand.
    Page,
}

/// All tokens of one request.
#[derive(Debug, Default)]
struct Tokens {
    floor: Option<Joined>,
    elsewhere: Vec<Floor>,
    explicit: usize,
    /// The last explicit one: the snapshot, if there is only one.
    snapshot: Option<Arc<Token>>,
    /// The snapshot is the message's own.
    in_message: bool,
    cookie: bool,
    /// A cookie that can't be read, or tokens that have no join: only a read at head is surely fresh enough.
    at_head: bool,
    /// Two that the caller put there have no join.
    apart: bool,
    /// One is older than the store may be asked at.
    too_old: bool,
    refusal: Option<Refusal>,
}

#[derive(Debug)]
struct Joined {
    revision: Revision,
    explicit: bool,
    /// `None` for a join that is none of the tokens.
    zookie: Option<Zookie>,
}

impl Wanted {
    /// All that the request's tokens demand, of whichever store.
    pub(super) fn floors(&self) -> impl Iterator<Item = &Floor> {
        self.floor.iter().chain(&self.elsewhere)
    }

    /// What the caller is told when the upstream's reply bore `token`. It must not go back, whatever the upstream says.
    pub(super) fn or_higher(&self, token: &Token) -> Option<Zookie> {
        let floor = self.floor.as_ref().map(|floor| &floor.revision);
        match floor.or(self.freshness.revision()) {
            Some(floor)
                if token.revision.store() == floor.store()
                    && token.revision.partial_cmp(floor).is_none_or(Ordering::is_lt) =>
            {
                self.zookie.clone()
            }
            _ => Some(token.zookie.clone()),
        }
    }
}

impl Tokens {
    fn add(&mut self, token: Arc<Token>, explicit: bool, arrived: Instant) {
        let one = Joined {
            revision: token.revision.clone(),
            explicit,
            zookie: Some(token.zookie.clone()),
        };
        if explicit {
            self.explicit += 1;
            self.snapshot = Some(token);
        }
        let Some(floor) = self.floor.take() else {
            self.floor = Some(one);
            return;
        };
        if floor.revision.store() != one.revision.store() {
            // At most one of them is ours. A browser sends its cookie by itself, so that one yields.
            match (floor.explicit, explicit) {
                (true, true) => self.refusal = Some(Refusal::TokensDoNotJoin),
                _ => self.at_head = true,
            }
            let (kept, other) = if explicit { (one, floor) } else { (floor, one) };
            self.floor = Some(kept);
            self.elsewhere.push(Floor {
                revision: other.revision,
                demanded: arrived,
            });
            return;
        }
        let either = floor.explicit || explicit;
        let higher = if floor.revision >= one.revision {
            floor
        } else if floor.revision < one.revision {
            one
        } else if let Some(revision) = floor.revision.join(&one.revision) {
            Joined {
                revision,
                zookie: None,
                ..one
            }
        } else {
            self.at_head = true;
            self.apart |= floor.explicit && explicit;
            floor
        };
        self.floor = Some(Joined {
            explicit: either,
            ..higher
        });
    }
}

impl<P: Protocol> Shared<P> {
    pub(super) fn wanted(
        &self,
        head: &Head,
        headers: &Headers<'_>,
        query: Outline,
        call: &Call,
        arrived: Instant,
    ) -> Result<Wanted, Rejected> {
        let tokens = self.tokens(head, query, call, arrived)?;
        let refuse = |why| Err(Rejected::Refuse(why));
        let wish = stricter(wish(headers)?, call.consistency)?;
        let Tokens {
            floor,
            elsewhere,
            explicit,
            snapshot,
            in_message,
            cookie,
            at_head,
            apart,
            too_old,
            ..
        } = tokens;
        let kept = !matches!(call.kind, Kind::Read { .. });
        if kept
            && floor.is_none()
            && !cookie
            && !too_old
            && self.settings.require_token
            && wish != Some(Consistency::FullyConsistent)
        {
            return refuse(Refusal::TokenRequired);
        }
        if wish == Some(Consistency::AtExactSnapshot) {
            return match (explicit, snapshot) {
                (1, Some(token)) => Ok(Wanted {
                    freshness: Freshness::Exact(token.revision.clone()),
                    floor: None,
                    elsewhere: Vec::new(),
                    zookie: Some(token.zookie.clone()),
                    explicit: true,
                    in_message: call.token.is_some(),
                    cookie: false,
                    as_it_came: false,
                }),
                _ if too_old => refuse_old(),
                _ => refuse(Refusal::ExactNeedsOneToken),
            };
        }
        let demanded = arrived;
        let Abilities {
            told,
            newest_head,
            untold,
            ..
        } = self.protocol.abilities();
        // Where a head may lack what the message names, the message is not to be changed for the sake of its carriers.
        let own = snapshot.filter(|_| in_message && told == Told::Exactly && !newest_head);
        match wish {
            Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_)) if own.is_some() => {
                return refuse(Refusal::WishesContradict);
            }
            _ if own.is_some() && apart => return refuse(Refusal::TokensDoNotJoin),
            _ => {}
        }
        let (floor, zookie) = match floor {
            None => (None, None),
            Some(Joined { revision, zookie, .. }) => {
                let zookie = zookie.or_else(|| self.memo.format().encode(&revision));
                (Some(Floor { revision, demanded }), zookie)
            }
        };
        let inexpressible = floor.is_some() && zookie.is_none();
        let untold = untold == Untold::AtHead && wish.is_none() && floor.is_none();
        let full = wish == Some(Consistency::FullyConsistent) || untold || at_head || inexpressible;
        let full = full || forbid_caching(headers.values(Header::CacheControl));
        if let Some(own) = own.filter(|_| full) {
            let revision = own.revision.clone();
            return Ok(Wanted {
                freshness: Freshness::Full,
                floor: Some(Floor { revision, demanded }),
                elsewhere,
                zookie: Some(own.zookie.clone()),
                explicit: true,
                in_message: true,
                cookie,
                as_it_came: true,
            });
        }
        let freshness = if full {
            Freshness::Full
        } else {
            let head_within: Option<Duration> = match wish {
                Some(Consistency::BoundedStaleness(bound)) => Some(bound),
                _ => None,
            };
            Freshness::AtLeast {
                floor: floor.clone(),
                head_within,
            }
        };
        Ok(Wanted {
            freshness,
            floor,
            elsewhere,
            zookie,
            explicit: explicit > 0,
            in_message: call.token.is_some(),
            cookie,
            as_it_came: false,
        })
    }

    /// Whether a request's head says anything of tokens and wishes.
    pub(super) fn raises_floor(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut raises = headers.contains_key(CONSISTENCY) || forbid_caching(headers.get_all(CACHE_CONTROL));
        let visited = self.carriers.visit(headers, uri, |_, _| raises = true);
        raises || visited.is_err()
    }

    fn tokens(&self, head: &Head, query: Outline, call: &Call, arrived: Instant) -> Result<Tokens, Rejected> {
        let mut tokens = Tokens::default();
        let visited = self
            .carriers
            .visit_with(&head.headers, &head.uri, query, |source, text| {
                tokens.cookie |= source == Source::Cookie;
                let parsed = text
                    .map_err(|error| error.kind().clone())
                    .and_then(|text| self.memo.parse(text).map_err(|error| error.kind().clone()));
                match parsed {
                    Ok(token) => drop(self.take(&mut tokens, token, source.is_explicit(), arrived)),
                    Err(kind) if source.is_explicit() => tokens.refusal = Some(Refusal::BadToken(kind)),
                    Err(_) => tokens.at_head = true,
                }
            });
        if let Err(error) = visited {
            tokens.refusal = Some(Refusal::BadToken(error.kind().clone()));
        }
        if let Some(text) = &call.token {
            match std::str::from_utf8(text).map(|text| self.memo.parse(text)) {
                Ok(Ok(token)) => tokens.in_message = self.take(&mut tokens, token, true, arrived),
                _ => {
                    return Err(Rejected::Bypass(
                        "a token in the message that only the upstream can judge",
                    ));
                }
            }
        }
        if tokens.too_old && self.settings.old_tokens == OldTokens::Refuse {
            return refuse_old();
        }
        match tokens.refusal.take() {
            Some(_) if self.settings.forward_bad_tokens => Err(Rejected::Bypass("a token that can't be read")),
            Some(refusal) => Err(Rejected::Refuse(refusal)),
            None => Ok(tokens),
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

fn refuse_old<T>() -> Result<T, Rejected> {
    Err(Rejected::Refuse(Refusal::BadToken(TokenErrorKind::Expired)))
}

fn wish(headers: &Headers<'_>) -> Result<Option<Consistency>, Rejected> {
    let mut values = headers.values(Header::Consistency);
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match (parsed, values.next()) {
        (Some(wish), None) => Ok(Some(wish)),
        _ => Err(Rejected::Refuse(Refusal::UnknownConsistency)),
    }
}

/// What a header and the message wish together.
fn stricter(header: Option<Consistency>, message: Option<Consistency>) -> Result<Option<Consistency>, Rejected> {
    let strictness = |wish: &Consistency| match wish {
        Consistency::MinimizeLatency => (0, Reverse(Duration::ZERO)),
        Consistency::AtLeastAsFresh => (1, Reverse(Duration::ZERO)),
        Consistency::BoundedStaleness(bound) => (2, Reverse(*bound)),
        Consistency::AtExactSnapshot => (3, Reverse(Duration::ZERO)),
        Consistency::FullyConsistent => (4, Reverse(Duration::ZERO)),
    };
    if (header, message) == (Some(Consistency::FullyConsistent), Some(Consistency::AtExactSnapshot)) {
        return Err(Rejected::Refuse(Refusal::WishesContradict));
    }
    Ok(header.into_iter().chain(message).max_by_key(strictness))
}

fn forbid_caching<'a>(cache_control: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    cache_control
        .into_iter()
        .any(|value| has_directive(value.as_bytes(), b"no-cache"))
}

/// Whether a comma-separated list such as `Cache-Control` names a directive.
fn has_directive(list: &[u8], directive: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|member| {
        let name = member.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(directive)
    })
}
