use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::token::Zookie;

/// Longer than any token that a service issues.
const LONGEST_TOKEN: usize = 64 << 10;

const VERSION: u8 = 1;

/// What stands under the key of an object, as JSON: `{"v":1,"tokens":["…"],"unsettled_ms":60000,"since":17}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    v: u8,
    tokens: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsettled_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
}

/// What stands under the key of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) tokens: Vec<Zookie>,
    pub(super) unsettled: Option<Unsettled>,
}

/// A mark of a write of unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsettled {
    /// How long such a write may run.
    pub(super) duration: Duration,
    /// The message with which that time began. `None`: the one that has the value.
    pub(super) since: Option<u64>,
}

/// The bytes are no value that this version wrote.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is no JSON of the expected form")]
    Json(#[from] serde_json::Error),
    #[error("its version is {0}, and this program reads version {VERSION}")]
    Version(u8),
    #[error("it has a text that is no token")]
    Token(#[from] crate::token::TokenError),
    #[error("its mark began with a later message")]
    Since,
}

impl Value {
    pub(super) fn to_bytes(&self) -> Bytes {
        let json = Json {
            v: VERSION,
            tokens: self.tokens.iter().map(|token| token.as_str().to_owned()).collect(),
            unsettled_ms: self.unsettled.map(|unsettled| millis(unsettled.duration)),
            since: self.unsettled.and_then(|unsettled| unsettled.since),
        };
        // Texts and numbers alone always make JSON.
        serde_json::to_vec(&json).unwrap_or_default().into()
    }

    /// The value in the message with this sequence.
    pub(super) fn from_bytes(bytes: &[u8], sequence: u64) -> Result<Self, Unreadable> {
        let json: Json = serde_json::from_slice(bytes)?;
        if json.v != VERSION {
            return Err(Unreadable::Version(json.v));
        }
        if json.since.is_some_and(|since| since > sequence) {
            return Err(Unreadable::Since);
        }
        let token = |text: &String| Zookie::new(text, LONGEST_TOKEN);
        let tokens = json.tokens.iter().map(token).collect::<Result<_, _>>()?;
        let unsettled = json.unsettled_ms.map(|ms| Unsettled {
            duration: Duration::from_millis(ms),
            since: json.since,
        });
        Ok(Self { tokens, unsettled })
    }
}

/// Rounded up.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tokens: &[&str], unsettled: Option<(u64, Option<u64>)>) -> Value {
        Value {
            tokens: tokens.iter().map(|text| Zookie::new(text, 100).unwrap()).collect(),
            unsettled: unsettled.map(|(ms, since)| Unsettled {
                duration: Duration::from_millis(ms),
                since,
            }),
        }
    }

    #[test]
    fn values_are_compact_json() {
        for (value, text) in [
            (
                value(&["GgYKBENFVU0=", "b"], None),
                r#"{"v":1,"tokens":["GgYKBENFVU0=","b"]}"#,
            ),
            (
                value(&[], Some((60_000, None))),
                r#"{"v":1,"tokens":[],"unsettled_ms":60000}"#,
            ),
            (
                value(&["a"], Some((u64::MAX, Some(7)))),
                r#"{"v":1,"tokens":["a"],"unsettled_ms":18446744073709551615,"since":7}"#,
            ),
        ] {
            assert_eq!(value.to_bytes(), text);
            assert_eq!(Value::from_bytes(text.as_bytes(), 7).unwrap(), value);
        }
    }

    #[test]
    fn rule_09_foreign_values_are_refused() {
        for text in [
            "",
            "junk",
            "\u{0}",
            "null",
            "[]",
            "{}",
            r#"{"v":1}"#,
            r#"{"tokens":[]}"#,
            r#"{"v":2,"tokens":[]}"#,
            r#"{"v":1,"tokens":["a b"]}"#,
            r#"{"v":1,"tokens":[""]}"#,
            r#"{"v":1,"tokens":[1]}"#,
            r#"{"v":1,"tokens":[],"more":1}"#,
            r#"{"v":1,"tokens":[],"unsettled_ms":-1}"#,
            r#"{"v":1,"tokens":[],"unsettled_ms":1,"since":8}"#,
        ] {
            assert!(Value::from_bytes(text.as_bytes(), 7).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_rounded_up() {
        assert_eq!(millis(Duration::from_micros(1001)), 2);
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
