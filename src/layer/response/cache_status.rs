use std::borrow::Cow;

use http::HeaderValue;

use crate::cache::Miss;

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
                let text =
                    format!("tower-zookie; fwd={fwd}{stored}; detail=\"{mixed}{hits} of {questions} from the cache\"");
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

fn forward_reason(why: Miss) -> &'static str {
    match why {
        Miss::Absent => "miss",
        Miss::Floor | Miss::Age | Miss::Expired | Miss::Epoch => "stale",
        Miss::Exact | Miss::Full => "request",
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
        Miss::Absent => text!("miss", "no answer is stored"),
        Miss::Expired => text!("stale", "the stored answer's time to live is over"),
        Miss::Epoch => text!(
            "stale",
            "the stored answer is from before the store or its schema was replaced"
        ),
        Miss::Floor => text!("stale", "the stored answer does not cover the zookie"),
        Miss::Age => text!("stale", "the stored answer is too old"),
        Miss::Exact => text!("request", "no answer of this exact snapshot is stored"),
        Miss::Full => text!("request", "fully consistent requests are always forwarded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_as_rfc_9211_lists() {
        let missed = |why, stored, collapsed| CacheStatus::Missed { why, stored, collapsed }.text();
        assert_eq!(CacheStatus::Hit.to_header_value(), "tower-zookie; hit");
        assert!(missed(Miss::Absent, true, false).starts_with("tower-zookie; fwd=miss; stored; detail="));
        assert!(missed(Miss::Absent, true, true).starts_with("tower-zookie; fwd=miss; collapsed; detail="));
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
            assert!(missed(why, false, false).starts_with(&reason), "{why}");
        }
    }
}
