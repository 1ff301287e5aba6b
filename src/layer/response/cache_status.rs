use std::borrow::Cow;

use http::HeaderValue;

use crate::cache::{Miss, NotStored};

/// Our member of the `Cache-Status` field (RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::layer) enum CacheStatus {
    Hit,
    /// Forwarded, because the cache had no answer that is fresh enough.
    Missed {
        why: Miss,
        stored: bool,
        collapsed: bool,
    },
    /// A bulk of which a part came from the cache.
    Partial {
        why: Miss,
        stored: bool,
        hits: usize,
        questions: usize,
        mixed: bool,
    },
    /// A bulk from the cache whose items hold at different revisions.
    MixedHit,
    /// Forwarded around the cache.
    Bypass(&'static str),
    /// A write, or what a token wrote.
    Write,
    Rejected(&'static str),
}

impl CacheStatus {
    pub(in crate::layer) fn to_header_value(self) -> HeaderValue {
        // A constant, because every hit has it.
        const HIT: HeaderValue = HeaderValue::from_static("tower-zookie; hit");
        if self == Self::Hit {
            return HIT;
        }
        match self.text() {
            Cow::Borrowed(text) => HeaderValue::from_static(text),
            Cow::Owned(text) => HeaderValue::try_from(text).unwrap_or(NAME),
        }
    }

    fn text(self) -> Cow<'static, str> {
        let text = match self {
            Self::Hit => "tower-zookie; hit",
            Self::MixedHit => "tower-zookie; hit; detail=\"mixed\"",
            Self::Missed { why, stored, collapsed } => missed(why, stored, collapsed),
            Self::Write => "tower-zookie; fwd=method; detail=\"a write\"",
            Self::Partial {
                why,
                stored,
                hits,
                questions,
                mixed,
            } => {
                let fwd = forward_reason(why);
                let stored = if stored { "; stored" } else { "" };
                let mixed = if mixed { "mixed, " } else { "" };
                let text = format!(
                    "tower-zookie; fwd={fwd}{stored}; detail=\"{why}: {mixed}{hits} of {questions} from the cache\""
                );
                return text.into();
            }
            Self::Bypass(why) => return format!("tower-zookie; fwd=bypass; detail=\"{why}\"").into(),
            Self::Rejected(why) => return format!("tower-zookie; detail=\"rejected: {why}\"").into(),
        };
        text.into()
    }
}

/// What stands where a text can't be a header's value. All texts can: they are visible ASCII.
const NAME: HeaderValue = HeaderValue::from_static("tower-zookie");

/// RFC 9211's reason: nothing fits the request, what fits is stale, or the request forbids it.
fn forward_reason(why: Miss) -> &'static str {
    match why {
        Miss::Floor | Miss::Age | Miss::Changed | Miss::Expired | Miss::Epoch => "stale",
        Miss::Exact
        | Miss::Full
        | Miss::NoCache
        | Miss::WithoutToken
        | Miss::Cookie
        | Miss::OldToken
        | Miss::Unmodified
        | Miss::ObjectUnsettled
        | Miss::ObjectUnknown
        | Miss::ObjectUnnamed => "request",
        _ => "miss",
    }
}

/// The text of a miss: written out, so that a miss makes no text.
fn missed(why: Miss, stored: bool, collapsed: bool) -> &'static str {
    macro_rules! text {
        ($reason:literal, $detail:literal) => {
            match (stored, collapsed) {
                (_, true) => concat!(
                    "tower-zookie; fwd=",
                    $reason,
                    "; collapsed; detail=\"",
                    $detail,
                    "\""
                ),
                (true, false) => concat!(
                    "tower-zookie; fwd=",
                    $reason,
                    "; stored; detail=\"",
                    $detail,
                    "\""
                ),
                (false, false) => concat!("tower-zookie; fwd=", $reason, "; detail=\"", $detail, "\""),
            }
        };
    }
    match why {
        Miss::First => text!("miss", "first: the question is new"),
        Miss::Evicted => text!("miss", "evicted: the stored answer made room for others"),
        Miss::OtherCredential => text!("miss", "other_credential: the answer is stored for another credential"),
        Miss::NotStored(why) => match why {
            NotStored::Pending => text!("miss", "pending: a call for it has not been answered"),
            NotStored::ErrorStatus => text!("miss", "error_status: the last reply was an error"),
            NotStored::NoToken => text!("miss", "no_token: the last reply named no revision"),
            NotStored::UnreadableToken => text!("miss", "unreadable_token: the last reply's token can't be read"),
            NotStored::NoVerdict => text!("miss", "no_verdict: the last reply had no verdict that may be stored"),
            NotStored::NoStore => text!("miss", "no_store: the last reply forbade storing it"),
            NotStored::TooLarge => text!("miss", "too_large: the last reply was over the limit"),
            NotStored::Unsettled => text!("miss", "unsettled: the store has not named the last answer's revision"),
            NotStored::TooOld => text!("miss", "too_old: the last answer's revision was older than the window"),
            NotStored::Unshared => text!("miss", "unshared: the last answer was for its caller alone"),
            NotStored::OtherStore => text!(
                "miss",
                "other_store: the last reply was of another store than was asked"
            ),
            NotStored::Replaced => text!(
                "miss",
                "replaced: the store or its schema was replaced, or the cache emptied, during the last call"
            ),
        },
        Miss::Absent => text!("miss", "absent: no answer is stored"),
        Miss::Expired => text!("stale", "expired: the stored answer's time to live is over"),
        Miss::Epoch => text!(
            "stale",
            "epoch: the stored answer is from before the store or its schema was replaced, or the cache emptied"
        ),
        Miss::Floor => text!("stale", "floor: the stored answer does not cover the zookie"),
        Miss::Age => text!("stale", "age: the stored answer is too old"),
        Miss::Changed => text!("stale", "changed: a change may concern the stored answer"),
        Miss::Exact => text!("request", "exact: no answer of this exact snapshot is stored"),
        Miss::Apart => text!("miss", "apart: the stored answers do not hold at one revision"),
        Miss::Full => text!("request", "full: fully consistent requests are always forwarded"),
        Miss::NoCache => text!("request", "no_cache: the request says no-cache"),
        Miss::WithoutToken => text!(
            "request",
            "without_token: the system reads requests without a token at head"
        ),
        Miss::Cookie => text!(
            "request",
            "cookie: the zookie cookie is of no use, so the question is asked at head"
        ),
        Miss::OldToken => text!(
            "request",
            "old_token: the zookie is too old, so the question is asked at head"
        ),
        Miss::Unmodified => text!("request", "unmodified: only the upstream can judge the zookie"),
        Miss::ObjectUnsettled => text!("request", "object_unsettled: a write of its objects may still run"),
        Miss::ObjectUnknown => text!(
            "request",
            "object_unknown: the tokens of its objects could not be looked up"
        ),
        Miss::ObjectUnnamed => text!("request", "object_unnamed: it does not say which objects it concerns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_as_rfc_9211_lists() {
        let missed = |why, stored, collapsed| CacheStatus::Missed { why, stored, collapsed }.text();
        assert_eq!(CacheStatus::Hit.to_header_value(), "tower-zookie; hit");
        assert!(missed(Miss::First, true, false).starts_with("tower-zookie; fwd=miss; stored; detail="));
        assert!(missed(Miss::First, true, true).starts_with("tower-zookie; fwd=miss; collapsed; detail="));
        assert!(missed(Miss::Floor, true, false).starts_with("tower-zookie; fwd=stale; stored"));
        assert!(missed(Miss::Full, false, false).starts_with("tower-zookie; fwd=request; detail="));
        assert!(
            CacheStatus::Bypass("why")
                .text()
                .starts_with("tower-zookie; fwd=bypass; detail=\"why\"")
        );
    }

    #[test]
    fn a_miss_has_the_reason_of_its_kind() {
        for &why in Miss::ALL {
            let reason = format!("tower-zookie; fwd={}; detail=", forward_reason(why));
            let text = missed(why, false, false);
            assert!(text.starts_with(&reason), "{why}");
            assert!(text.contains(&format!("detail=\"{why}: ")), "{why}");
        }
    }
}
