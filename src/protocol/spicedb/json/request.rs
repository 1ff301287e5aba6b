use http::HeaderMap;
use http::request::Parts;

use crate::cache::{Fingerprint, FingerprintBuilder, Part};
use crate::protocol::call::{Key, Kind, Unreadable};
use crate::protocol::digest::Members;
use crate::protocol::gateway;
use crate::protocol::gateway::{is_null, once};
use crate::protocol::json::{Json, OTHER_CASE, differs_in_case};
use crate::protocol::spicedb::json::consistency;
use crate::protocol::spicedb::json::consistency::Stated;
use crate::protocol::spicedb::json::question::{Digests, Question};

/// The most items of one bulk that are read; more go to the upstream as they came. The server's own limit.
const MOST_ITEMS: usize = 10_000;

/// What each of a request's fingerprints begins with.
pub(super) struct Prefix {
    fingerprint: FingerprintBuilder,
    digests: Digests,
}

/// Whether a check's head asks for a reply with more in it than the answer, such as debug information.
pub(super) fn asks_for_more(headers: &HeaderMap) -> bool {
    gateway::metadata(headers).any(|(_, name)| name.starts_with("io.spicedb."))
}

/// Reads of a head what can change an answer.
pub(super) fn prefix(parts: &Parts, key: &Key<'_>) -> Result<Prefix, Unreadable> {
    Ok(Prefix {
        fingerprint: gateway::prefix("spicedb json", parts, key)?,
        digests: Digests::new(&key.base),
    })
}

/// Reads a `CheckPermissionRequest`.
pub(super) fn check(message: &[u8], prefix: &Prefix) -> Result<(Kind, Option<Stated>), Unreadable> {
    let mut question = Question::new();
    let mut common = Common::default();
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        if common.member(json, name)? {
            return Ok(());
        }
        question.member(json, name, &prefix.digests)
    })?;
    json.end()?;
    let kind = if common.traced {
        Kind::NEVER_STORED
    } else {
        Kind::Check(question.finish(&prefix.fingerprint))
    };
    Ok((kind, common.stated))
}

/// Reads a `CheckBulkPermissionsRequest`, or its experimental twin.
pub(super) fn bulk(message: &[u8], prefix: &Prefix) -> Result<(Kind, Option<Stated>), Unreadable> {
    let mut questions: Vec<Fingerprint> = Vec::new();
    let mut common = Common::default();
    let mut others = Members::default();
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        if common.member(json, name)? {
            return Ok(());
        }
        if name != "items" {
            return prefix.digests.unknown(json, name, &mut others);
        }
        if is_null(json)? {
            return Ok(());
        }
        json.array(|json| {
            if questions.len() == MOST_ITEMS {
                return Err(Unreadable("more than 10000 items"));
            }
            let mut question = Question::new();
            json.object(|json, name| question.member(json, name, &prefix.digests))?;
            questions.push(question.finish(&prefix.fingerprint));
            Ok(())
        })
    })?;
    json.end()?;
    if common.traced || questions.is_empty() {
        return Ok((Kind::NEVER_STORED, common.stated));
    }
    if !others.is_empty() {
        let mut fingerprint = prefix.fingerprint.clone();
        others.feed(Part::Body, &mut fingerprint);
        for question in &mut questions {
            let whole = fingerprint.clone().bytes(Part::Body, &question.bits().to_le_bytes());
            *question = whole.finish();
        }
    }
    Ok((Kind::Bulk(questions), common.stated))
}

/// Reads what a request that is never kept says of freshness.
pub(super) fn unkept(parts: &Parts, message: &[u8], stream: bool) -> Result<(Kind, Option<Stated>), Unreadable> {
    gateway::json_parameters(&parts.headers)?;
    let mut kind = Kind::Read { stream };
    let mut common = Common::default();
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        if common.member(json, name)? {
            return Ok(());
        }
        let value = json.value()?;
        match name {
            "optionalCursor" | "optional_cursor" if value != "null" => kind = Kind::Page,
            "optionalLimit" | "optional_limit" | "optionalConcreteLimit" | "optional_concrete_limit"
                if !matches!(value, "null" | "0" | "\"0\"") =>
            {
                kind = Kind::Page;
            }
            _ => {}
        }
        Ok::<_, Unreadable>(())
    })?;
    json.end()?;
    Ok((kind, common.stated))
}

/// The fields that say how to answer.
#[derive(Default)]
struct Common {
    stated: Option<Stated>,
    traced: bool,
    seen_tracing: bool,
}

impl Common {
    /// Whether the member is one of these; then its value has been read.
    fn member(&mut self, json: &mut Json<'_>, name: &str) -> Result<bool, Unreadable> {
        match name {
            "consistency" => self.stated = consistency::read(json)?,
            "withTracing" | "with_tracing" => {
                once(&mut self.seen_tracing)?;
                self.traced = match json.scalar()? {
                    "true" => true,
                    "false" | "null" => false,
                    _ => return Err(Unreadable("a withTracing that is no bool")),
                };
            }
            _ if differs_in_case(name, "consistency") => return Err(OTHER_CASE),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
