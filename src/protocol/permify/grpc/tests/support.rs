pub(super) use crate::protocol::grpc_testing::{
    Changes, answers, as_it_came, at_least_ask, base, bytes, decoded, exact_ask, framed, grpc_parts, map, open,
    questions, varint, zookie,
};

use crate::protocol::grpc_testing;
use crate::protocol::permify::grpc::tests::*;

pub(super) const CHECK: &str = "/base.v1.Permission/Check";
pub(super) const BULK: &str = "/base.v1.Permission/BulkCheck";
pub(super) const EXPAND: &str = "/base.v1.Permission/Expand";
pub(super) const WRITE: &str = "/base.v1.Data/Write";
pub(super) const WRITE_SCHEMA: &str = "/base.v1.Schema/Write";

/// Reads that are never stored, each with the field numbers of its token and of its cursor.
pub(super) const READS: [(&str, u32, Option<u32>); 6] = [
    ("/base.v1.Permission/LookupEntity", 2, Some(9)),
    ("/base.v1.Permission/LookupEntityStream", 2, Some(9)),
    ("/base.v1.Permission/LookupSubject", 2, Some(9)),
    ("/base.v1.Permission/SubjectPermission", 2, None),
    ("/base.v1.Data/ReadRelationships", 1, Some(5)),
    ("/base.v1.Data/ReadAttributes", 1, Some(5)),
];

/// Recorded bodies of requests and replies of a Permify on PostgreSQL.
pub(super) mod recorded {
    /// May alice do what a senior does, if the `floor` is 3?
    pub(crate) const CHECK: &str = "\
        AAAAAH8KBGFjbWUSNgoUZGMwZ200MWtzZHVmY2VwNXZ2ZzASHE1USTJPVG94TWpZNU9qRXlOekE2TVRJMk9RPT0YFBoQCghkb2N1\
        bWVudBIEcGxhbiIGc2VuaW9yKg0KBHVzZXISBWFsaWNlMhYaFAoSCgVmbG9vchIJEQAAAAAAAAhA";
    pub(crate) const ALLOWED: &str = "AAAAAAYIARICCAM=";
    pub(crate) const DENIED: &str = "AAAAAAYIAhICCAY=";
    /// May the guest view the plan, as if it were a viewer?
    pub(crate) const WITH_TUPLE: &str = "\
        AAAAAJIKBGFjbWUSNgoUZGMwZ200MWtzZHVmY2VwNXZ2ZzASHE1USTJPVG94TWpZNU9qRXlOekE2TVRJMk9RPT0YFBoQCghkb2N1\
        bWVudBIEcGxhbiIEdmlldyoNCgR1c2VyEgVndWVzdDIrCikKEAoIZG9jdW1lbnQSBHBsYW4SBnZpZXdlchoNCgR1c2VyEgVndWVz\
        dA==";
    /// The token of all of these requests.
    pub(crate) const TOKEN: &str = "MTI2OToxMjY5OjEyNzA6MTI2OQ==";
    /// May alice view the plan? May mallory? May bob edit it? And alice again.
    pub(crate) const BULK: &str = "\
        AAAAAOIKBGFjbWUSNgoUZGMwZ200MWtzZHVmY2VwNXZ2ZzASHE1USTJPVG94TWpZNU9qRXlOekE2TVRJMk9RPT0YFBonChAKCGRv\
        Y3VtZW50EgRwbGFuEgR2aWV3Gg0KBHVzZXISBWFsaWNlGikKEAoIZG9jdW1lbnQSBHBsYW4SBHZpZXcaDwoEdXNlchIHbWFsbG9y\
        eRolChAKCGRvY3VtZW50EgRwbGFuEgRlZGl0GgsKBHVzZXISA2JvYhonChAKCGRvY3VtZW50EgRwbGFuEgR2aWV3Gg0KBHVzZXIS\
        BWFsaWNl";
    pub(crate) const BULK_REPLY: &str = "AAAAACAKBggBEgIIAQoGCAISAggBCgYIAhICCAIKBggBEgIIAQ==";
    pub(crate) const EXPAND: &str = "\
        AAAAAFQKBGFjbWUSNAoUZGMwZ200MWtzZHVmY2VwNXZ2ZzASHE1USTJPVG94TWpZNU9qRXlOekE2TVRJMk9RPT0aEAoIZG9jdW1l\
        bnQSBHBsYW4iBHZpZXc=";
    pub(crate) const WRITTEN: &str = "AAAAAB4KHE1USTRORG94TWpnME9qRXlPRFU2TVRJNE5BPT0=";
    pub(crate) const WRITTEN_TOKEN: &str = "MTI4NDoxMjg0OjEyODU6MTI4NA==";
    /// One message of the change feed, with its frame.
    pub(crate) const CHANGES: &str = "\
        AAAAAD0KOwoMK2dRQUFBQUFBQUE9EisIAhInCg4KBHRlYW0SBnNlY3JldBIGZGlyZWN0Gg0KBHVzZXISBWFsaWNl";
}

pub(super) fn api() -> Permify {
    Permify::new(Engine::Postgres)
}

pub(super) fn route(path: &str) -> Route {
    grpc_testing::route(&api(), path)
}

pub(super) fn ask_with(
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    base: &FingerprintBuilder,
) -> Result<ReadCall, Unreadable> {
    grpc_testing::ask(&api(), path, headers, body, base)
}

/// The call that the protocol reads from a message.
pub(super) fn ask(path: &str, message: &[u8], base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    ask_with(path, &[], &framed(message), base)
}

pub(super) fn tenant() -> Vec<u8> {
    bytes(1, b"acme")
}

/// Metadata of checks and the like: the schema's version, the token, the depth.
pub(super) fn metadata(version: &str, token: &str, depth: u64) -> Vec<u8> {
    let metadata = [
        bytes(1, version.as_bytes()),
        bytes(2, token.as_bytes()),
        varint(3, depth),
    ];
    bytes(2, &metadata.concat())
}

/// Metadata with only the token.
pub(super) fn token(number: u32, token: &str) -> Vec<u8> {
    bytes(2, &bytes(number, token.as_bytes()))
}

/// At `t`, by the schema `v1`.
pub(super) fn at_t() -> Vec<u8> {
    metadata("v1", "t", 20)
}

pub(super) fn object(kind: &str, id: &str) -> Vec<u8> {
    [bytes(1, kind.as_bytes()), bytes(2, id.as_bytes())].concat()
}

/// The fields of a check with its question: a document, `view`, a user.
pub(super) fn tuple(first: u32, document: &str, user: &str) -> Vec<u8> {
    [
        bytes(first, &object("document", document)),
        bytes(first + 1, b"view"),
        bytes(first + 2, &object("user", user)),
    ]
    .concat()
}

/// May alice view the plan?
pub(super) fn plain() -> Vec<u8> {
    [tenant(), at_t(), asked(CHECK)].concat()
}

pub(super) fn with(more: &[u8]) -> Vec<u8> {
    [&plain()[..], more].concat()
}

/// The fields of a request to `path` with its question.
pub(super) fn asked(path: &str) -> Vec<u8> {
    match path {
        BULK => items(0..2),
        EXPAND => [bytes(3, &object("document", "plan")), bytes(4, b"view")].concat(),
        _ => tuple(3, "plan", "alice"),
    }
}

/// A bulk's items: may alice view these documents?
pub(super) fn items(documents: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let items = documents
        .into_iter()
        .map(|document| bytes(3, &tuple(1, &document.to_string(), "alice")));
    items.collect::<Vec<_>>().concat()
}

pub(super) fn bulk(documents: impl IntoIterator<Item = usize>) -> Vec<u8> {
    [tenant(), at_t(), items(documents)].concat()
}

/// The fields of a message except those with this number.
pub(super) fn beside(message: &[u8], number: u32) -> Vec<u8> {
    let fields = crate::protobuf::fields(message).map(Result::unwrap);
    let others = fields.filter(|field| field.number != number);
    others.flat_map(|field| field.bytes).copied().collect()
}

/// A `PermissionCheckResponse`.
pub(super) fn result(can: u64, check_count: u64) -> Vec<u8> {
    [varint(1, can), bytes(2, &varint(1, check_count))].concat()
}

/// How a recorded call ended: in trailers, like all successful calls.
pub(super) const OK: &[(&str, &str)] = &[("grpc-status", "0"), ("grpc-message", "")];

/// The outcome of a reply to all questions of a call.
pub(super) fn learn(call: &ReadCall, reply: &[u8]) -> ReplyOutcome {
    learn_of(call, &grpc_testing::all(call), reply, OK)
}

pub(super) fn learn_of(call: &ReadCall, asked: &[usize], reply: &[u8], trailers: &[(&str, &str)]) -> ReplyOutcome {
    grpc_testing::learn(&api(), call, b"", asked, reply, trailers)
}

pub(super) fn learn_error(call: &ReadCall, code: &str, message: &str) -> ReplyOutcome {
    grpc_testing::learn_error(&api(), call, b"", code, message)
}

/// Answers without a token, like all of Permify's.
pub(super) fn items_of(learned: ReplyOutcome) -> Vec<ReplyItem> {
    let (items, token) = answers(learned);
    assert_eq!(token, None);
    items
}
