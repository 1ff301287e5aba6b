use bytes::Bytes;

use crate::consistency::Consistency;
use crate::protocol::call::Unreadable;
use crate::protocol::gateway::{is_null, once};
use crate::protocol::json::Json;
use crate::protocol::spicedb::wish::Wish;

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

/// A wish as the value of the member `consistency`.
pub(super) fn spell(wish: &Wish<'_>) -> String {
    let named = WISHES
        .iter()
        .find(|(_, _, consistency)| *consistency == wish.consistency);
    let name = named.map_or("fullyConsistent", |(camel, _, _)| camel);
    match wish.zookie {
        // A zookie has no character that JSON escapes.
        Some(zookie) => format!(r#"{{"{name}":{{"token":"{zookie}"}}}}"#),
        None => format!(r#"{{"{name}":true}}"#),
    }
}
