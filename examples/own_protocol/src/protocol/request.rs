use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::Value;
use tower_zookie::cache::{Part, ReadAt};
use tower_zookie::changes::Question;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::kit::json::{Digest, Json, Members, NotJson, Rewrite};
use tower_zookie::protocol::kit::parts;
use tower_zookie::protocol::{Call, Key, Kind, Received, Unreadable};
use tower_zookie::token::Zookie;

use crate::feed::question;
use crate::store::Grant;

/// The most checks of one bulk. A longer one is forwarded, and nothing of it is stored.
const MOST_CHECKS: usize = 1000;

/// Reads a check, or several. All of a message except `at` and `read` belongs to the question, and each element of
/// `checks` to its own.
pub(super) fn read(is_bulk: bool, parts: &Parts, message: &Bytes, key: &Key<'_>) -> Result<Call, Unreadable> {
    let mut prefix = key.base.clone().text(Part::System, "own-protocol");
    prefix.add(Part::Method, parts.uri.path().as_bytes());
    prefix.add(Part::Header, parts::json_parameters(&parts.headers)?.as_bytes());
    parts::query(&mut prefix, &parts.uri, key)?;

    let digest = Digest::new(&key.base);
    let (mut beside, mut checks, mut token, mut consistency) = (Members::default(), Vec::new(), None, None);
    let mut json = Json::new(message)?;
    json.object(|json, name| {
        match name {
            "at" => token = Some(Bytes::from(json.string()?.into_owned())),
            "read" => consistency = Some(consistency_named(&json.string()?)?),
            "checks" if is_bulk => json.array(|json| {
                if checks.len() == MOST_CHECKS {
                    return Err(Unreadable("the request has more than 1000 checks"));
                }
                checks.push(digest.object(json)?);
                Ok(())
            })?,
            _ => digest.member(json, name, &mut beside)?,
        }
        Ok::<_, Unreadable>(())
    })?;
    json.end()?;

    beside.feed(Part::Body, &mut prefix);
    let question = |check: &Members| {
        let mut fingerprint = prefix.clone();
        check.feed(Part::Resource, &mut fingerprint);
        fingerprint.finish()
    };
    let mut call = Call::new(match is_bulk {
        true => Kind::Bulk(checks.iter().map(question).collect()),
        false => Kind::Check(prefix.finish()),
    });
    call.token = token;
    call.consistency = consistency;
    Ok(call)
}

fn consistency_named(read: &str) -> Result<Consistency, Unreadable> {
    match read {
        "latest" => Ok(Consistency::FullyConsistent),
        "exactly" => Ok(Consistency::AtExactSnapshot),
        _ => Err(Unreadable("`read` is unknown")),
    }
}

/// Calls `each` with what each check asks, in the words of the feed.
pub(super) fn questions(received: Received<'_>, each: &mut dyn FnMut(Option<Question>)) {
    #[derive(Deserialize)]
    struct CheckAll {
        checks: Vec<Value>,
    }
    let checks = match &received.call.kind {
        Kind::Bulk(_) => serde_json::from_slice::<CheckAll>(received.message).map(|all| all.checks),
        _ => serde_json::from_slice(received.message).map(|check| vec![check]),
    };
    for check in checks.unwrap_or_default() {
        each(asked(&check));
    }
}

/// `None`: the service may decide by more than the three members.
fn asked(check: &Value) -> Option<Question> {
    let members = check.as_object()?.keys();
    let mut others = members.filter(|name| !matches!(&***name, "subject" | "action" | "resource" | "at" | "read"));
    let text = |name| check.get(name)?.as_str().map(str::to_owned);
    let grant = Grant {
        subject: text("subject")?,
        action: text("action")?,
        resource: text("resource")?,
    };
    others.next().is_none().then(|| question(&grant))
}

/// The message that asks only the questions `open`, at `at`.
pub(super) fn forwarded(
    received: Received<'_>,
    open: &[usize],
    at: &ReadAt,
    zookie: Option<&Zookie>,
) -> Result<Bytes, NotJson> {
    let mut rewrite = Rewrite::of(received.message)?;
    match zookie {
        Some(zookie) => rewrite.set("at", format!("\"{zookie}\"")),
        None => rewrite.remove("at"),
    }
    match at {
        ReadAt::Head => rewrite.set("read", "\"latest\""),
        ReadAt::Exact(_) => rewrite.set("read", "\"exactly\""),
        ReadAt::Any | ReadAt::AtLeast(_) | ReadAt::Unmodified(_) => rewrite.remove("read"),
    }
    if let Kind::Bulk(questions) = &received.call.kind
        && open.len() < questions.len()
    {
        rewrite.keep_elements("checks", open)?;
    }
    Ok(rewrite.finish())
}
