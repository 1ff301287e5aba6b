use bytes::Bytes;

use crate::consistency::Consistency;
use crate::protocol::call::Unreadable;
use crate::protocol::gateway::{is_null, once};
use crate::protocol::json::Json;
use crate::protocol::spicedb::consistency::MessageConsistency;

/// The consistencies, in both spellings of their fields.
const CONSISTENCIES: [(&str, &str, Consistency); 4] = [
    ("minimizeLatency", "minimize_latency", Consistency::MinimizeLatency),
    ("atLeastAsFresh", "at_least_as_fresh", Consistency::AtLeastAsFresh),
    ("atExactSnapshot", "at_exact_snapshot", Consistency::AtExactSnapshot),
    ("fullyConsistent", "fully_consistent", Consistency::FullyConsistent),
];

/// The freshness that a message states.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) consistency: Consistency,
    pub(super) token: Option<Bytes>,
}

impl Stated {
    /// The freshness of a call that always reads at head.
    pub(super) const AT_HEAD: Self = Self {
        consistency: Consistency::FullyConsistent,
        token: None,
    };
}

/// Reads the member `consistency`. A consistency that the server rejects is unreadable.
pub(super) fn read(json: &mut Json<'_>) -> Result<Option<Stated>, Unreadable> {
    if is_null(json)? {
        return Ok(None);
    }
    let mut seen = [false; CONSISTENCIES.len()];
    let mut stated = None;
    json.object(|json, name| {
        let index = CONSISTENCIES
            .iter()
            .position(|(camel, snake, _)| name == *camel || name == *snake);
        let index = index.ok_or(Unreadable("the consistency is unknown"))?;
        once(&mut seen[index])?;
        if is_null(json)? {
            return Ok(());
        }
        let one = match CONSISTENCIES[index].2 {
            consistency @ (Consistency::AtLeastAsFresh | Consistency::AtExactSnapshot) => Stated {
                consistency,
                token: Some(token(json)?),
            },
            consistency => {
                if json.scalar()? != "true" {
                    return Err(Unreadable("a consistency is false"));
                }
                Stated {
                    consistency,
                    token: None,
                }
            }
        };
        if stated.replace(one).is_some() {
            return Err(Unreadable("the message has two consistencies"));
        }
        Ok(())
    })?;
    stated.map(Some).ok_or(Unreadable("the consistency is empty"))
}

fn token(json: &mut Json<'_>) -> Result<Bytes, Unreadable> {
    let mut token = Bytes::new();
    json.object(|json, name| {
        if name != "token" {
            return Err(Unreadable("the consistency has more than a token"));
        }
        if !is_null(json)? {
            token = Bytes::copy_from_slice(json.string()?.as_bytes());
        }
        Ok(())
    })?;
    Ok(token)
}

/// The value of the member `consistency`.
pub(super) fn spell(stated: &MessageConsistency<'_>) -> String {
    let named = CONSISTENCIES
        .iter()
        .find(|(_, _, consistency)| *consistency == stated.consistency);
    let name = named.map_or("fullyConsistent", |(camel, _, _)| camel);
    match stated.zookie {
        // A zookie has no characters that JSON escapes.
        Some(zookie) => format!(r#"{{"{name}":{{"token":"{zookie}"}}}}"#),
        None => format!(r#"{{"{name}":true}}"#),
    }
}
