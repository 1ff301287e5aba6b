use bytes::Bytes;

use super::super::super::json::Json;
use super::super::super::{Call, Unreadable};
use super::question::{is_null, once};
use crate::cache::Ask;
use crate::consistency::Consistency;
use crate::token::Zookie;

/// The wishes, in both spellings of their fields.
const WISHES: [(&str, &str, Consistency); 4] = [
    ("minimizeLatency", "minimize_latency", Consistency::MinimizeLatency),
    ("atLeastAsFresh", "at_least_as_fresh", Consistency::AtLeastAsFresh),
    ("atExactSnapshot", "at_exact_snapshot", Consistency::AtExactSnapshot),
    ("fullyConsistent", "fully_consistent", Consistency::FullyConsistent),
];

/// What a message says of its freshness.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) consistency: Consistency,
    pub(super) token: Option<Bytes>,
}

impl Stated {
    /// What goes without saying where the head is read in any case.
    pub(super) const AT_HEAD: Self = Self {
        consistency: Consistency::FullyConsistent,
        token: None,
    };
}

/// Reads the member `consistency`. One that the server would take for an error can't be read.
pub(super) fn read(json: &mut Json<'_>) -> Result<Option<Stated>, Unreadable> {
    if is_null(json)? {
        return Ok(None);
    }
    let mut seen = [false; WISHES.len()];
    let mut stated = None;
    json.object(|json, name| {
        let index = WISHES
            .iter()
            .position(|(camel, snake, _)| name == *camel || name == *snake);
        let index = index.ok_or(Unreadable("a consistency that is not known"))?;
        once(&mut seen[index])?;
        if is_null(json)? {
            return Ok(());
        }
        let one = match WISHES[index].2 {
            consistency @ (Consistency::AtLeastAsFresh | Consistency::AtExactSnapshot) => Stated {
                consistency,
                token: Some(token(json)?),
            },
            consistency => {
                if json.scalar()? != "true" {
                    return Err(Unreadable("a consistency that is not wished"));
                }
                Stated {
                    consistency,
                    token: None,
                }
            }
        };
        if stated.replace(one).is_some() {
            return Err(Unreadable("two consistencies"));
        }
        Ok(())
    })?;
    stated.map(Some).ok_or(Unreadable("an empty consistency"))
}

fn token(json: &mut Json<'_>) -> Result<Bytes, Unreadable> {
    let mut token = Bytes::new();
    json.object(|json, name| {
        if name != "token" {
            return Err(Unreadable("more than a token where a token belongs"));
        }
        if !is_null(json)? {
            token = Bytes::copy_from_slice(json.string()?.as_bytes());
        }
        Ok(())
    })?;
    Ok(token)
}

/// What is to be said, in the words of the API.
pub(super) struct Wish<'a> {
    consistency: Consistency,
    zookie: Option<&'a Zookie>,
}

impl<'a> Wish<'a> {
    /// The wish to ask at `at`, which `zookie` spells where it names a revision. Only a head is sure to cover a revision
    /// that no token spells.
    pub(super) fn of(at: &Ask, zookie: Option<&'a Zookie>) -> Self {
        let (consistency, zookie) = match (at, zookie) {
            (Ask::Unasked, _) => (Consistency::MinimizeLatency, None),
            (Ask::AtLeast(_) | Ask::AsItCame(_), Some(_)) => (Consistency::AtLeastAsFresh, zookie),
            (Ask::Exact(_), Some(_)) => (Consistency::AtExactSnapshot, zookie),
            (Ask::Full, _) | (_, None) => (Consistency::FullyConsistent, None),
        };
        Self { consistency, zookie }
    }

    /// Whether a call's message says just that. Without a consistency the server minimizes latency.
    pub(super) fn is_stated_by(&self, call: &Call) -> bool {
        call.consistency.unwrap_or(Consistency::MinimizeLatency) == self.consistency
            && call.token.as_deref() == self.zookie.map(|zookie| zookie.as_str().as_bytes())
    }

    /// The value of the member `consistency`.
    pub(super) fn spell(&self) -> String {
        let wish = WISHES.iter().find(|(_, _, wish)| *wish == self.consistency);
        let wish = wish.map_or("fullyConsistent", |(camel, _, _)| camel);
        match self.zookie {
            // A zookie has no character that JSON escapes.
            Some(zookie) => format!(r#"{{"{wish}":{{"token":"{zookie}"}}}}"#),
            None => format!(r#"{{"{wish}":true}}"#),
        }
    }
}
