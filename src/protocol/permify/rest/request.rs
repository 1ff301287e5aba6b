use bytes::Bytes;
use http::request::Parts;

use crate::cache::{FingerprintBuilder, Part};
use crate::protocol::call::{Key, Kind, Unreadable};
use crate::protocol::digest::{Digest, Hashed, Members, Piece};
use crate::protocol::gateway;
use crate::protocol::gateway::{is_null, once};
use crate::protocol::json::{Json, OTHER_CASE, differs_in_case};

/// The most items of a bulk that the server accepts.
const MAX_ITEMS: usize = 100;

/// The freshness that a message states.
#[derive(Debug)]
pub(super) struct Stated {
    pub(super) token: Option<Bytes>,
    pub(super) unpinned: bool,
    /// The message has metadata, and so a place for a token.
    has_metadata: bool,
}

impl Stated {
    const NOTHING: Self = Self {
        token: None,
        unpinned: true,
        has_metadata: false,
    };
}

/// Reads everything in the method, URI and headers that can change an answer.
pub(super) fn prefix(parts: &Parts, key: &Key<'_>) -> Result<FingerprintBuilder, Unreadable> {
    gateway::prefix("permify rest", parts, key)
}

/// Reads a `PermissionCheckRequest` or a `PermissionExpandRequest`.
pub(super) fn check(message: &[u8], prefix: &FingerprintBuilder, key: &Key<'_>) -> Result<(Kind, Stated), Unreadable> {
    let mut common = Common::new(&key.base);
    let mut json = Json::new(message)?;
    json.object(|json, name| common.member(json, name))?;
    json.end()?;
    let kind = Kind::Check(common.prefix(prefix).finish());
    Ok(common.stored(kind))
}

/// Reads a `PermissionBulkCheckRequest`.
pub(super) fn bulk(message: &[u8], prefix: &FingerprintBuilder, key: &Key<'_>) -> Result<(Kind, Stated), Unreadable> {
    let mut common = Common::new(&key.base);
    let mut items = Vec::new();
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        if name != "items" {
            return common.member(json, name);
        }
        if is_null(json)? {
            return Ok(());
        }
        json.array(|json| {
            if items.len() == MAX_ITEMS {
                return Err(Unreadable("the bulk has more than 100 items"));
            }
            if json.peek() != Some(b'{') {
                return Err(Unreadable("an item is not an object"));
            }
            items.push(common.digest.value(json)?);
            Ok(())
        })
    })?;
    json.end()?;
    if items.is_empty() {
        return Ok((Kind::NEVER_STORED, common.stated));
    }
    let prefix = common.prefix(prefix);
    let question = |item: Hashed| prefix.clone().bytes(Part::Body, &item).finish();
    let kind = Kind::Bulk(items.into_iter().map(question).collect());
    Ok(common.stored(kind))
}

/// Reads the freshness that a request states whose reply is never stored.
pub(super) fn never_stored(
    parts: &Parts,
    message: &[u8],
    stream: bool,
    key: &Key<'_>,
) -> Result<(Kind, Stated), Unreadable> {
    gateway::json_parameters(&parts.headers)?;
    let mut kind = Kind::Read { stream };
    let mut common = Common::new(&key.base);
    let mut paged = false;
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        match name {
            "metadata" => common.metadata(json)?,
            _ if differs_in_case(name, "metadata") => return Err(OTHER_CASE),
            "continuous_token" | "continuousToken" => {
                once(&mut paged)?;
                if !matches!(json.value()?, "null" | "\"\"") {
                    kind = Kind::Page;
                }
            }
            _ => drop(json.value()?),
        }
        Ok::<_, Unreadable>(())
    })?;
    json.end()?;
    Ok((kind, common.stated))
}

/// The members that belong to every question of a message, and the freshness that the message states.
struct Common {
    base: FingerprintBuilder,
    digest: Digest,
    members: Members,
    stated: Stated,
}

impl Common {
    fn new(base: &FingerprintBuilder) -> Self {
        Self {
            base: base.clone(),
            digest: Digest::new(base),
            members: Members::default(),
            stated: Stated::NOTHING,
        }
    }

    /// The start of the fingerprints.
    fn prefix(&self, prefix: &FingerprintBuilder) -> FingerprintBuilder {
        let mut fingerprint = prefix.clone();
        self.members.feed(Part::Body, &mut fingerprint);
        fingerprint
    }

    /// The call. Its answers are stored only if the message has a place for a token.
    fn stored(self, kind: Kind) -> (Kind, Stated) {
        let kind = if self.stated.has_metadata {
            kind
        } else {
            Kind::NEVER_STORED
        };
        (kind, self.stated)
    }

    fn member(&mut self, json: &mut Json<'_>, name: &str) -> Result<(), Unreadable> {
        match name {
            "metadata" => self.metadata(json),
            _ if differs_in_case(name, "metadata") => Err(OTHER_CASE),
            _ => Ok(self.digest.member(json, name, &mut self.members)?),
        }
    }

    /// Reads the metadata. Except the token, they belong to the question.
    fn metadata(&mut self, json: &mut Json<'_>) -> Result<(), Unreadable> {
        if is_null(json)? {
            return Ok(());
        }
        self.stated.has_metadata = true;
        let mut members = Members::default();
        let (mut token, mut version) = (false, false);
        json.object(|json, name| {
            match name {
                "snap_token" | "snapToken" => {
                    once(&mut token)?;
                    if !is_null(json)? {
                        let text = json.string()?;
                        self.stated.token = (!text.is_empty()).then(|| Bytes::copy_from_slice(text.as_bytes()));
                    }
                }
                "schema_version" | "schemaVersion" => {
                    once(&mut version)?;
                    let value = json.value()?;
                    if name == "schema_version" && !matches!(value, "null" | "\"\"") {
                        self.stated.unpinned = false;
                    }
                    self.digest
                        .member(&mut Json::new(value.as_bytes())?, name, &mut members)?;
                }
                _ if differs_in_case(name, "snap_token") || differs_in_case(name, "snapToken") => {
                    return Err(OTHER_CASE);
                }
                _ => self.digest.member(json, name, &mut members)?,
            }
            Ok::<_, Unreadable>(())
        })?;
        let mut fingerprint = self.base.clone();
        Piece::Name.add(&mut fingerprint, b"metadata");
        members.feed(Part::Body, &mut fingerprint);
        self.members.add(&fingerprint);
        Ok(())
    }
}
