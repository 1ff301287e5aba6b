//! What the tests read of recorded messages, with nothing of the crate.

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use crate::common::wire::protobuf::{field, fields, frame, messages, text};
use crate::common::wire::{Call, is_grpc};

/// Whether a call is a check or a bulk of checks.
pub(crate) fn is_check(call: &Call) -> bool {
    let method = call.request.uri().path().rsplit('/').next().unwrap();
    [
        "CheckPermission",
        "CheckBulkPermissions",
        "BulkCheckPermission",
        "check",
        "checkbulk",
    ]
    .contains(&method)
}

/// How fresh an answer a request wishes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    Least(String),
    Exact(String),
    Full,
    /// None, or as quickly as can be.
    Any,
}

/// The wish of a request that has one in its message.
pub(crate) fn wish(request: &Request<Bytes>) -> Wish {
    if is_grpc(request.uri().path()) {
        let message = messages(request.body())[0];
        let token = |number| text(message, &[1, number]).map(|_| text(message, &[1, number, 1]).unwrap_or_default());
        return match field(message, 1) {
            Some([0x20, 1]) => Wish::Full,
            Some([0x08, 1]) | None => Wish::Any,
            Some(_) => token(2).map(Wish::Least).or_else(|| token(3).map(Wish::Exact)).unwrap(),
        };
    }
    let message: Value = serde_json::from_slice(request.body()).unwrap();
    let wish = &message["consistency"];
    let token = |camel: &str, snake: &str| {
        let token = wish[camel]["token"].as_str().or(wish[snake]["token"].as_str());
        token.map(str::to_owned)
    };
    match wish["fullyConsistent"].as_bool() {
        Some(true) => Wish::Full,
        _ => token("atLeastAsFresh", "at_least_as_fresh")
            .map(Wish::Least)
            .or_else(|| token("atExactSnapshot", "at_exact_snapshot").map(Wish::Exact))
            .unwrap_or(Wish::Any),
    }
}

/// What a request asks, wish aside: one question, or of a bulk each of its items, spelled alike where they are the same.
pub(crate) fn questions(request: &Request<Bytes>) -> Vec<Vec<u8>> {
    let path = request.uri().path();
    let unwished = unwished(request);
    if is_grpc(path) {
        // One client wrote them all, so what is the same is spelled the same.
        let message = messages(unwished.body())[0];
        if path.ends_with("/CheckPermission") {
            return vec![message.to_vec()];
        }
        return fields(message).iter().map(|(_, item, _)| item.to_vec()).collect();
    }
    let message = camel(&serde_json::from_slice(unwished.body()).unwrap());
    let items = message["items"].as_array().cloned();
    let items = items.unwrap_or_else(|| vec![message]);
    items.iter().map(|item| item.to_string().into_bytes()).collect()
}

/// A JSON value with all its members' names in one spelling.
fn camel(value: &Value) -> Value {
    let rename = |name: &str| {
        let mut words = name.split('_').map(str::to_owned);
        let first = words.next().unwrap();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    };
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (rename(name), camel(value)));
            Value::Object(members.collect())
        }
        Value::Array(elements) => elements.iter().map(camel).collect(),
        other => other.clone(),
    }
}

/// The same question without a wish.
pub(crate) fn unwished(request: &Request<Bytes>) -> Request<Bytes> {
    let body = if is_grpc(request.uri().path()) {
        let rest = fields(messages(request.body())[0])
            .into_iter()
            .filter(|(number, ..)| *number != 1);
        frame(&rest.flat_map(|(_, bytes, _)| bytes).copied().collect::<Vec<_>>())
    } else {
        let mut message: Value = serde_json::from_slice(request.body()).unwrap();
        message.as_object_mut().unwrap().remove("consistency");
        message.to_string().into()
    };
    request.clone().map(|_| body)
}

/// The tokens that a reply bears: one, or of a stream one for each message.
pub(crate) fn tokens(call: &Call) -> Vec<String> {
    let path = call.request.uri().path();
    let body = call.response.body();
    if !is_grpc(path) {
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = |member| message[member]["token"].as_str().map(str::to_owned);
        let members = ["checkedAt", "writtenAt", "deletedAt", "expandedAt", "readAt"];
        return members.into_iter().find_map(token).into_iter().collect();
    }
    let number = match path.rsplit('/').next().unwrap() {
        "ExportBulkRelationships" | "ImportBulkRelationships" => return Vec::new(),
        "ReadSchema" | "ComputablePermissions" | "DependentRelations" | "DiffSchema" | "Watch" => 2,
        "ReflectSchema" => 3,
        _ => 1,
    };
    let messages = messages(&body);
    messages
        .iter()
        .filter_map(|message| text(message, &[number, 1]))
        .collect()
}

/// The verdict of a check: 1 for no, 2 for yes, 3 for conditional.
pub(crate) fn verdict(body: &[u8]) -> u8 {
    let fields = fields(messages(body)[0]);
    let verdict = fields.iter().find(|(number, ..)| *number == 2);
    verdict.unwrap().1[1]
}

/// The body of a reply that bears a token and nothing else.
pub(crate) fn only_token(token: &str) -> Bytes {
    let len = u8::try_from(token.len()).unwrap();
    let mut message = vec![0x0a, len + 2, 0x0a, len];
    message.extend_from_slice(token.as_bytes());
    frame(&message)
}
