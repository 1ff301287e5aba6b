use std::fmt;

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
        const HIT: HeaderValue = HeaderValue::from_static("tower-zookie; hit");
        match self {
            Self::Hit => HIT,
            other => HeaderValue::from_str(&other.to_string()).unwrap_or(HIT_FALLBACK),
        }
    }
}

/// Never used in fact: what is written below is visible ASCII.
const HIT_FALLBACK: HeaderValue = HeaderValue::from_static("tower-zookie");

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tower-zookie")?;
        match *self {
            Self::Hit => f.write_str("; hit"),
            Self::MixedHit => f.write_str("; hit; detail=\"mixed\""),
            Self::Missed { why, stored, collapsed } => {
                write!(f, "; fwd={}", forward_reason(why))?;
                flags(f, stored, collapsed)?;
                write!(f, "; detail=\"{}\"", detail(why))
            }
            Self::Partial {
                why,
                stored,
                hits,
                questions,
                mixed,
            } => {
                write!(f, "; fwd={}", forward_reason(why))?;
                flags(f, stored, false)?;
                let mixed = if mixed { "mixed, " } else { "" };
                write!(f, "; detail=\"{mixed}{hits} of {questions} from the cache\"")
            }
            Self::Bypass(why) => write!(f, "; fwd=bypass; detail=\"{why}\""),
            Self::Write => f.write_str("; fwd=method; detail=\"a write\""),
            Self::Rejected(why) => write!(f, "; detail=\"rejected: {why}\""),
        }
    }
}

fn flags(f: &mut fmt::Formatter<'_>, stored: bool, collapsed: bool) -> fmt::Result {
    if stored && !collapsed {
        f.write_str("; stored")?;
    }
    if collapsed {
        f.write_str("; collapsed")?;
    }
    Ok(())
}

fn forward_reason(why: Miss) -> &'static str {
    match why {
        Miss::Absent => "miss",
        Miss::Floor | Miss::Age | Miss::Expired | Miss::Epoch => "stale",
        Miss::Exact | Miss::Full => "request",
    }
}

fn detail(why: Miss) -> &'static str {
    match why {
        Miss::Absent => "no answer is stored",
        Miss::Expired => "the stored answer's time to live is over",
        Miss::Epoch => "the stored answer is from before the store or its schema was replaced",
        Miss::Floor => "the stored answer does not cover the zookie",
        Miss::Age => "the stored answer is too old",
        Miss::Exact => "no answer of this exact snapshot is stored",
        Miss::Full => "fully consistent requests are always forwarded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_as_rfc_9211_lists() {
        let missed = |why, stored, collapsed| CacheStatus::Missed { why, stored, collapsed }.to_string();
        assert_eq!(CacheStatus::Hit.to_header_value(), "tower-zookie; hit");
        assert!(missed(Miss::Absent, true, false).starts_with("tower-zookie; fwd=miss; stored; detail="));
        assert!(missed(Miss::Absent, true, true).starts_with("tower-zookie; fwd=miss; collapsed; detail="));
        assert!(missed(Miss::Floor, true, false).starts_with("tower-zookie; fwd=stale; stored"));
        assert!(missed(Miss::Full, false, false).starts_with("tower-zookie; fwd=request; detail="));
        assert!(
            CacheStatus::Bypass("why")
                .to_string()
                .starts_with("tower-zookie; fwd=bypass; detail=\"why\"")
        );
    }
}
