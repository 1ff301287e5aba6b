use std::cmp::Reverse;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::time::Instant;

use super::headers::{Header, Headers};
use super::shared::{OldTokens, Shared};
use crate::cache::{Capabilities, DefaultRead, ReadAt, ReadMode};
use crate::consistency::{Consistency, Floor, Floors, Freshness};
use crate::protocol::{Call, Kind, Protocol, Rejection};
use crate::token::{Outline, Source, Token, TokenErrorKind, Zookie};

/// The header in which a request says how fresh an answer it wishes.
pub(super) const CONSISTENCY: HeaderName = HeaderName::from_static("zookie-consistency");

/// How fresh a request's answer must be, and which tokens say so.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) freshness: Freshness,
    /// What the answer must cover, also where it is read at head. An exact snapshot is no floor.
    pub(super) floors: Floors,
    /// Cookies of other stores than the floors'. Which store answers here may show in its reply only.
    pub(super) elsewhere: Floors,
    /// The only token of the request, as its caller spelled it.
    pub(super) own_zookie: Option<Zookie>,
    /// A token of a header, the query or the message is among them.
    pub(super) explicit: bool,
    /// One of the message is: whether it belongs here is the upstream's to judge.
    pub(super) in_message: bool,
    /// The request has a cookie that is of no use, so that the reply sets another one.
    pub(super) replace_cookie: bool,
    /// The request is forwarded unmodified: no entry and no head read satisfies it.
    pub(super) unmodified: bool,
}

/// Why a request can't be decided on.
#[derive(Debug)]
pub(super) enum Rejected {
    Reject(Rejection),
    /// A token that can't be read is forwarded for the upstream to judge.
    Forward(&'static str),
}

/// All tokens of one request.
#[derive(Debug, Default)]
struct Tokens {
    /// Those that the caller put there: in a header, the query or the message.
    explicit: Floors,
    cookies: Floors,
    /// The last explicit one, if it is not the last of all.
    explicit_before: Option<Arc<Token>>,
    explicit_count: usize,
    count: usize,
    /// The last token of all, and whether it is an explicit one.
    last: Option<(Arc<Token>, bool)>,
    /// The snapshot is the message's own.
    in_message: bool,
    /// The request has a cookie.
    cookie: bool,
    /// A cookie that can't be read or is too old: only a read at head is surely fresh enough.
    at_head: bool,
    /// One is older than the store may be asked at.
    too_old: bool,
    says_more: bool,
    rejection: Option<Rejection>,
}

impl Wanted {
    /// What the request itself demands. `None` where no one revision says it.
    pub(super) fn read_at_unmodified(&self) -> Option<ReadAt> {
        match (&self.freshness, self.floors.top()) {
            (Freshness::Full, Some(top)) if self.unmodified => Some(ReadAt::Unmodified(top.revision.clone())),
            _ => ReadAt::unmodified(&self.freshness),
        }
    }

    /// The consistency in which a request is forwarded that is asked at `ask`.
    pub(super) fn consistency(&self, ask: &ReadAt) -> Consistency {
        match (&self.freshness, ask) {
            (
                Freshness::AtLeast {
                    head_within: Some(bound),
                    ..
                },
                ReadAt::Head,
            ) => Consistency::BoundedStaleness(*bound),
            _ => super::forward::consistency(ask),
        }
    }
}

impl Tokens {
    fn add(&mut self, token: Arc<Token>, explicit: bool, arrived: Instant) {
        let floor = Floor {
            revision: token.revision.clone(),
            demanded: arrived,
        };
        self.count += 1;
        self.says_more |= token.has_more_than_revision;
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

    /// The last explicit token: the snapshot, if there is only one.
    fn snapshot(&self) -> Option<&Token> {
        match &self.last {
            Some((last, true)) => Some(last),
            _ => self.explicit_before.as_deref(),
        }
    }
}

/// What of a call matters for how fresh its answer must be. A message that can't be read says nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated<'a> {
    pub(super) consistency: Option<Consistency>,
    pub(super) token: Option<&'a Bytes>,
    /// A service may demand a token of it.
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

impl<P: Protocol> Shared<P> {
    pub(super) fn wanted(
        &self,
        parts: &Parts,
        headers: &Headers<'_>,
        query: Outline,
        stated: Stated<'_>,
        arrived: Instant,
    ) -> Result<Wanted, Rejected> {
        let mut tokens = self.tokens(parts, query, stated, arrived)?;
        let reject = |why| Err(Rejected::Reject(why));
        let no_cache = forbid_caching(headers.values(Header::CacheControl));
        let wish = stricter(wish(headers)?, stated.consistency)?;
        if stated.check
            && tokens.count == 0
            && !tokens.cookie
            && !tokens.too_old
            && self.settings.require_token
            && wish != Some(Consistency::FullyConsistent)
        {
            return reject(Rejection::TokenRequired);
        }
        if tokens.says_more && tokens.count > 1 {
            return reject(Rejection::TokensDoNotJoin);
        }
        if wish == Some(Consistency::AtExactSnapshot) {
            return match (tokens.explicit_count, tokens.snapshot()) {
                _ if no_cache => reject(Rejection::ContradictoryConsistency),
                (1, Some(token)) => Ok(Wanted {
                    freshness: Freshness::Exact(token.revision.clone()),
                    floors: Floors::none(),
                    elsewhere: Floors::none(),
                    own_zookie: Some(token.zookie.clone()),
                    explicit: true,
                    in_message: stated.token.is_some(),
                    replace_cookie: false,
                    unmodified: tokens.says_more,
                }),
                _ if tokens.too_old => reject_old(),
                _ => reject(Rejection::ExactNeedsOneToken),
            };
        }
        let Capabilities {
            read_mode,
            head_may_trail_reads,
            default_read,
            ..
        } = self.protocol.capabilities();
        // Where head may lack what the message names, no header or cookie takes the message's token away.
        let guards_its_own = tokens.in_message && read_mode == ReadMode::Exactly && head_may_trail_reads;
        if guards_its_own
            && matches!(
                wish,
                Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_))
            )
        {
            return reject(Rejection::ContradictoryConsistency);
        }

        let (mut floors, cookies) = (mem::take(&mut tokens.explicit), mem::take(&mut tokens.cookies));
        let (mut elsewhere, mut at_head, mut replace_cookie) = (Floors::none(), tokens.at_head, tokens.at_head);
        for cookie in cookies {
            let store = |floor: &Floor| floor.revision.store() != cookie.revision.store();
            if floors.iter().any(store) {
                // At most one of them is ours. A browser sends its cookie by itself, so the cookie yields.
                (at_head, replace_cookie) = (true, true);
                elsewhere.push(cookie);
            } else {
                floors.push(cookie);
            }
        }
        let by_default_at_head = default_read == DefaultRead::AtHead && wish.is_none() && floors.is_empty();
        let full = wish == Some(Consistency::FullyConsistent) || by_default_at_head || at_head || no_cache;
        let bounded = matches!(wish, Some(Consistency::BoundedStaleness(_)));
        let unmodified = tokens.says_more && !full && !bounded || full && guards_its_own;
        let own = tokens.snapshot().filter(|_| guards_its_own && unmodified);
        if let Some(own) = own
            && floors.iter().any(|floor| !own.revision.is_at_or_after(&floor.revision))
        {
            return reject(Rejection::TokensDoNotJoin);
        }
        let freshness = match wish {
            _ if full || unmodified => Freshness::Full,
            Some(Consistency::BoundedStaleness(bound)) => Freshness::AtLeast {
                floors: floors.clone(),
                head_within: Some(bound),
            },
            _ => Freshness::AtLeast {
                floors: floors.clone(),
                head_within: None,
            },
        };
        Ok(Wanted {
            freshness,
            own_zookie: match (own, &tokens.last) {
                (Some(own), _) => Some(own.zookie.clone()),
                (None, Some((only, _))) if tokens.count == 1 => Some(only.zookie.clone()),
                (None, _) => None,
            },
            floors,
            elsewhere,
            explicit: tokens.explicit_count > 0,
            in_message: stated.token.is_some(),
            replace_cookie,
            unmodified,
        })
    }

    /// Whether a request's head says anything of tokens and wishes.
    pub(super) fn raises_floor(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut raises = headers.contains_key(CONSISTENCY) || forbid_caching(headers.get_all(CACHE_CONTROL));
        let visited = self.carriers.visit(headers, uri, |_, _| raises = true);
        raises || visited.is_err()
    }

    /// The tokens in a request's carriers that can be read, for the sake of its session.
    pub(super) fn session(&self, headers: &HeaderMap, uri: &Uri) -> Floors {
        let mut floors = Floors::none();
        // Beyond the most that are read, the first ones are remembered.
        let _ = self.carriers.visit(headers, uri, |_, text| {
            if let Some(token) = text.ok().and_then(|text| self.memo.parse(text).ok()) {
                floors.push(Floor::now(token.revision.clone()));
            }
        });
        floors
    }

    fn tokens(&self, parts: &Parts, query: Outline, stated: Stated<'_>, arrived: Instant) -> Result<Tokens, Rejected> {
        let mut tokens = Tokens::default();
        let visited = self
            .carriers
            .visit_with(&parts.headers, &parts.uri, query, |source, text| {
                tokens.cookie |= source == Source::Cookie;
                let parsed = text
                    .map_err(|error| error.kind().clone())
                    .and_then(|text| self.memo.parse(text).map_err(|error| error.kind().clone()));
                match parsed {
                    Ok(token) => drop(self.take(&mut tokens, token, source.is_explicit(), arrived)),
                    Err(kind) if source.is_explicit() => tokens.rejection = Some(Rejection::BadToken(kind)),
                    Err(_) => tokens.at_head = true,
                }
            });
        if let Err(error) = visited {
            tokens.rejection = Some(Rejection::BadToken(error.kind().clone()));
        }
        let mut unreadable = false;
        if let Some(text) = stated.token {
            match std::str::from_utf8(text).map(|text| self.memo.parse(text)) {
                Ok(Ok(token)) => tokens.in_message = self.take(&mut tokens, token, true, arrived),
                _ => unreadable = true,
            }
        }
        if tokens.too_old && self.settings.old_tokens == OldTokens::Reject {
            return reject_old();
        }
        match tokens.rejection.take() {
            Some(Rejection::BadToken(_)) if self.settings.forward_bad_tokens => {
                Err(Rejected::Forward("a token that can't be read"))
            }
            Some(rejection) => Err(Rejected::Reject(rejection)),
            None if unreadable => Err(Rejected::Forward(
                "a token in the message that only the upstream can judge",
            )),
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

fn reject_old<T>() -> Result<T, Rejected> {
    Err(Rejected::Reject(Rejection::BadToken(TokenErrorKind::Expired)))
}

fn wish(headers: &Headers<'_>) -> Result<Option<Consistency>, Rejected> {
    let mut values = headers.values(Header::Consistency);
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    match (parsed, values.next()) {
        (Some(wish), None) => Ok(Some(wish)),
        _ => Err(Rejected::Reject(Rejection::UnknownConsistency)),
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
    let exact = |wish| wish == Some(Consistency::AtExactSnapshot);
    let stricter_than_any_snapshot = |wish| {
        matches!(
            wish,
            Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_))
        )
    };
    if exact(header) && stricter_than_any_snapshot(message) || exact(message) && stricter_than_any_snapshot(header) {
        return Err(Rejected::Reject(Rejection::ContradictoryConsistency));
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
