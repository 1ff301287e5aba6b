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

/// The most items of a bulk that are read, the same as the server's limit. A longer bulk is forwarded unmodified.
const MAX_ITEMS: usize = 10_000;

/// The start of each fingerprint of a request.
pub(super) struct Prefix {
    fingerprint: FingerprintBuilder,
    digests: Digests,
}

/// Whether a check's headers ask for a reply with more than the answer, such as debug information.
pub(super) fn asks_for_more(headers: &HeaderMap) -> bool {
    gateway::metadata(headers).any(|(_, name)| name.starts_with("io.spicedb."))
}

/// Reads everything in the method, URI and headers that can change an answer.
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
            if questions.len() == MAX_ITEMS {
                return Err(Unreadable("the bulk has more than 10000 items"));
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

/// Reads the freshness that a request states whose reply is never stored.
pub(super) fn never_stored(parts: &Parts, message: &[u8], stream: bool) -> Result<(Kind, Option<Stated>), Unreadable> {
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

/// The fields that state how to answer.
#[derive(Default)]
struct Common {
    stated: Option<Stated>,
    traced: bool,
    seen_tracing: bool,
}

impl Common {
    /// Reads the member if it is one of these, and says whether it was.
    fn member(&mut self, json: &mut Json<'_>, name: &str) -> Result<bool, Unreadable> {
        match name {
            "consistency" => self.stated = consistency::read(json)?,
            "withTracing" | "with_tracing" => {
                once(&mut self.seen_tracing)?;
                self.traced = match json.scalar()? {
                    "true" => true,
                    "false" | "null" => false,
                    _ => return Err(Unreadable("withTracing is not a bool")),
                };
            }
            _ if differs_in_case(name, "consistency") => return Err(OTHER_CASE),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
