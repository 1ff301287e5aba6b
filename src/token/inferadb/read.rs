use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

use crate::token::error::{TokenError, TokenErrorKind};
use crate::token::inferadb::compact;
use crate::token::inferadb::revision_token::RevisionToken;

pub(super) const DEFAULT_MAX_LEN: usize = 4096;
pub(super) const DEFAULT_MAX_NODES: usize = 100;

const PADDED_OR_NOT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDED_OR_NOT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDED_OR_NOT);

impl RevisionToken {
    /// Reads a token in either form: the JSON form, which is standard or URL-safe base64, padded or not, of valid fields in any
    /// order; or the [compact](Self::encode_compact) one.
    ///
    /// The limits are 4 KiB and 100 nodes; an [`InferaDb`](crate::token::InferaDb) can have other limits. Unknown and repeated fields are rejected, because
    /// they could change what the token demands.
    ///
    /// # Errors
    ///
    /// [`TooLong`](TokenErrorKind::TooLong), [`TooManyEntries`](TokenErrorKind::TooManyEntries), or
    /// [`Malformed`](TokenErrorKind::Malformed). If the text is readable but breaks a rule, the error's source is the
    /// [`InvalidToken`](crate::token::InvalidToken).
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        token(text, DEFAULT_MAX_LEN, DEFAULT_MAX_NODES)
    }
}

/// The valid token that `text` spells, within these limits.
pub(super) fn token(text: &str, max_len: usize, max_nodes: usize) -> Result<RevisionToken, TokenError> {
    let len = text.len();
    if len > max_len {
        return Err(TokenErrorKind::TooLong { len, max: max_len }.into());
    }
    let token = match compact::after_prefix(text) {
        Some(compact) => compact::decode(compact, max_len, max_nodes)?,
        None => from_json(text, max_nodes)?,
    };
    token
        .validate()
        .map_err(|e| TokenError::malformed("it breaks a rule of InferaDB's tokens").with_source(e))?;
    Ok(token)
}

fn from_json(text: &str, max_nodes: usize) -> Result<RevisionToken, TokenError> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let json = engine
        .decode(text)
        .map_err(|_| TokenError::malformed("it is neither standard nor URL-safe base64"))?;
    parse(&json, max_nodes)
}

fn parse(json: &[u8], max_nodes: usize) -> Result<RevisionToken, TokenError> {
    let limits = Limits {
        max_nodes,
        exceeded: Cell::new(false),
    };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    TokenSeed(&limits)
        .deserialize(&mut deserializer)
        .and_then(|token| deserializer.end().map(|()| token))
        .map_err(|e| {
            if limits.exceeded.get() {
                TokenErrorKind::TooManyEntries { max: max_nodes }.into()
            } else {
                TokenError::malformed("it is not the JSON object of an InferaDB token").with_source(BadJson::from(&e))
            }
        })
}

/// An error of serde_json, without the parts of the token that serde_json quotes.
#[derive(Debug, thiserror::Error)]
#[error("{what} at column {column} of the decoded text")]
struct BadJson {
    what: &'static str,
    column: usize,
}

impl From<&serde_json::Error> for BadJson {
    fn from(error: &serde_json::Error) -> Self {
        Self {
            what: match error.classify() {
                Category::Io => "unreadable text",
                Category::Syntax => "a JSON syntax error",
                Category::Data => "an unknown, repeated, missing or mistyped field",
                Category::Eof => "an early end",
            },
            column: error.column(),
        }
    }
}

struct Limits {
    max_nodes: usize,
    exceeded: Cell<bool>,
}

struct TokenSeed<'a>(&'a Limits);

impl<'de> DeserializeSeed<'de> for TokenSeed<'_> {
    type Value = RevisionToken;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TokenSeed<'_> {
    type Value = RevisionToken;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a revision token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut node_id, mut revision, mut vector_clock) = (None, None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::NodeId if node_id.is_none() => node_id = Some(map.next_value()?),
                Field::Revision if revision.is_none() => revision = Some(map.next_value()?),
                Field::VectorClock if vector_clock.is_none() => {
                    vector_clock = Some(map.next_value_seed(ClockSeed(self.0))?);
                }
                _ => return Err(de::Error::custom("repeated field")),
            }
        }
        Ok(RevisionToken {
            node_id: node_id.ok_or_else(|| de::Error::missing_field("node_id"))?,
            revision: revision.ok_or_else(|| de::Error::missing_field("revision"))?,
            vector_clock: vector_clock.ok_or_else(|| de::Error::missing_field("vector_clock"))?,
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    NodeId,
    Revision,
    VectorClock,
}

struct ClockSeed<'a>(&'a Limits);

impl<'de> DeserializeSeed<'de> for ClockSeed<'_> {
    type Value = BTreeMap<String, u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ClockSeed<'_> {
    type Value = BTreeMap<String, u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a vector clock")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut clock = BTreeMap::new();
        while let Some(node) = map.next_key::<String>()? {
            if clock.len() == self.0.max_nodes {
                self.0.exceeded.set(true);
                return Err(de::Error::custom("too many nodes"));
            }
            if clock.insert(node, map.next_value()?).is_some() {
                return Err(de::Error::custom("repeated node"));
            }
        }
        Ok(clock)
    }
}
