pub(super) use crate::protocol::grpc_testing::{
    Changes, answers, as_it_came, at_least_ask, base, bytes, decoded, exact_ask, framed, grpc_parts, map, open,
    questions, varint, zookie,
};

use crate::protocol::grpc_testing;
use crate::protocol::spicedb::grpc::tests::*;

pub(super) const CHECK: &str = "/authzed.api.v1.PermissionsService/CheckPermission";
pub(super) const BULK: &str = "/authzed.api.v1.PermissionsService/CheckBulkPermissions";
pub(super) const BULK_TWIN: &str = "/authzed.api.v1.ExperimentalService/BulkCheckPermission";
pub(super) const READ_RELATIONSHIPS: &str = "/authzed.api.v1.PermissionsService/ReadRelationships";
pub(super) const WRITE: &str = "/authzed.api.v1.PermissionsService/WriteRelationships";
pub(super) const WRITE_SCHEMA: &str = "/authzed.api.v1.SchemaService/WriteSchema";

/// Recorded bodies of requests and replies of a SpiceDB on PostgreSQL.
pub(super) mod recorded {
    /// May alice view the plan? At least as fresh as [`LEAST_TOKEN`].
    pub(crate) const LEAST: &str = "\
        AAAAAGMKOBI2CjRHaVFLR0VOSlNVbEpTVVZKUzBsRGF5dEtLMGRwWm5vd1IwRTlQUklJWm1FMVptWTFOV0k9EhAKCGRvY3Vt\
        ZW50EgRwbGFuGgR2aWV3Ig8KDQoEdXNlchIFYWxpY2U=";
    pub(crate) const LEAST_TOKEN: &str = "GiQKGENJSUlJSUVJS0lDaytKK0dpZnowR0E9PRIIZmE1ZmY1NWI=";
    /// May alice view the plan? Fully consistent.
    pub(crate) const CHECK: &str = "AAAAAC0KAiABEhAKCGRvY3VtZW50EgRwbGFuGgR2aWV3Ig8KDQoEdXNlchIFYWxpY2U=";
    /// Yes, at [`HEAD`].
    pub(crate) const HAS: &str = "AAAAAB4KGgoYR2hBS0JFTkphMGtTQ0daaE5XWm1OVFZpEAI=";
    pub(crate) const HEAD: &str = "GhAKBENJa0kSCGZhNWZmNTVi";
    /// On condition that an `amount` is given.
    pub(crate) const CONDITIONAL: &str = "AAAAACgKGgoYR2hBS0JFTkphMGtTQ0daaE5XWm1OVFZpEAMaCAoGYW1vdW50";
    /// `amount` is 1, and `nested` holds a list of a value of every kind.
    pub(crate) const WITH_CONTEXT: &str = "\
        AAAAAIAKAiABEhAKCGRvY3VtZW50EgRwbGFuGgR2aWV3Ig8KDQoEdXNlchIFYWxpY2UqUQoTCgZhbW91bnQSCREAAAAAAADw\
        Pwo6CgZuZXN0ZWQSMCouCiwKAWESJzIlCgkRAAAAAAAA8D8KAxoBMQoCCAAKAiABCgsqCQoHCgFiEgIyAA==";
    pub(crate) const GZIPPED: &str = "\
        AQAAAGEfiwgAAAAAAAAD42JSYBQS4OJIyU8uzU3NKxFiKchJzJNiKctMLVfi5+LlYiktTi0SYk3MyUxO1brHz3Wbn4u5IDFF\
        6DK/1AX+ilEwCkbBKBgFo2AUDHkAALYz/9EOCAAA";
    pub(crate) const GZIPPED_REPLY: &str = "\
        AQAAADYfiwgAAAAAAAD/4pLiknDPcPR2cvXzSjTIDnZ2j8rwC4/K9QsJyxRgAgQAAP//ZJznEx4AAAA=";
    /// May alice view the plan? May mallory? And alice twice again.
    pub(crate) const DUPLICATES: &str = "\
        AAAAALIKAiABEikKEAoIZG9jdW1lbnQSBHBsYW4SBHZpZXcaDwoNCgR1c2VyEgVhbGljZRIrChAKCGRvY3VtZW50EgRwbGFu\
        EgR2aWV3GhEKDwoEdXNlchIHbWFsbG9yeRIpChAKCGRvY3VtZW50EgRwbGFuEgR2aWV3Gg8KDQoEdXNlchIFYWxpY2USKQoQ\
        Cghkb2N1bWVudBIEcGxhbhIEdmlldxoPCg0KBHVzZXISBWFsaWNl";
    pub(crate) const DUPLICATES_REPLY: &str = "\
        AAAAAOIKGgoYR2hBS0JFTkphMGtTQ0daaE5XWm1OVFZpEi8KKQoQCghkb2N1bWVudBIEcGxhbhIEdmlldxoPCg0KBHVzZXIS\
        BWFsaWNlEgIIAhIxCisKEAoIZG9jdW1lbnQSBHBsYW4SBHZpZXcaEQoPCgR1c2VyEgdtYWxsb3J5EgIIARIvCikKEAoIZG9j\
        dW1lbnQSBHBsYW4SBHZpZXcaDwoNCgR1c2VyEgVhbGljZRICCAISLwopChAKCGRvY3VtZW50EgRwbGFuEgR2aWV3Gg8KDQoE\
        dXNlchIFYWxpY2USAggC";
    /// Three items with a caveat: without its context, with an `amount` that satisfies it, and with one that does not.
    pub(crate) const CAVEATS: &str = "\
        AAAAALYKAiABEioKEgoIZG9jdW1lbnQSBmJ1ZGdldBIEdmlldxoOCgwKBHVzZXISBGRhdmUSQQoSCghkb2N1bWVudBIGYnVk\
        Z2V0EgR2aWV3Gg4KDAoEdXNlchIEZGF2ZSIVChMKBmFtb3VudBIJEQAAAAAAAElAEkEKEgoIZG9jdW1lbnQSBmJ1ZGdldBIE\
        dmlldxoOCgwKBHVzZXISBGRhdmUiFQoTCgZhbW91bnQSCREAAAAAAMBiQA==";
    pub(crate) const CAVEATS_REPLY: &str = "\
        AAAAAOoKGgoYR2hBS0JFTkphMGtTQ0daaE5XWm1OVFZpEjoKKgoSCghkb2N1bWVudBIGYnVkZ2V0EgR2aWV3Gg4KDAoEdXNl\
        chIEZGF2ZRIMCAMSCAoGYW1vdW50EkcKQQoSCghkb2N1bWVudBIGYnVkZ2V0EgR2aWV3Gg4KDAoEdXNlchIEZGF2ZSIVChMK\
        BmFtb3VudBIJEQAAAAAAAElAEgIIAhJHCkEKEgoIZG9jdW1lbnQSBmJ1ZGdldBIEdmlldxoOCgwKBHVzZXISBGRhdmUiFQoT\
        CgZhbW91bnQSCREAAAAAAMBiQBICCAE=";
    pub(crate) const WRITTEN: &str = "\
        AAAAADgKNgo0R2lRS0dFTkpWVWxKU1ZGSlMxQkROM2cyVTBkcFpub3dSMEU5UFJJSVptRTFabVkxTldJPQ==";
    pub(crate) const WRITTEN_TOKEN: &str = "GiQKGENJVUlJSVFJS1BDN3g2U0dpZnowR0E9PRIIZmE1ZmY1NWI=";
    /// With the number of relationships deleted.
    pub(crate) const DELETED: &str = "\
        AAAAADwKNgo0R2lRS0dFTkpjMGxKU1c5SlMxQkRibWMyYlVscFpub3dSMEU5UFJJSVptRTFabVkxTldJPRABGAE=";
    pub(crate) const DELETED_TOKEN: &str = "GiQKGENJc0lJSW9JS1BDbmc2bUlpZnowR0E9PRIIZmE1ZmY1NWI=";
    pub(crate) const IMPORTED: &str = "AAAAAAIICA==";
    /// Schema reflection at [`HEAD`].
    pub(crate) const COMPUTABLE: &str = "\
        AAAAADAKEgoIZG9jdW1lbnQSBHZpZXcYARIaChhHaEFLQkVOSmEwa1NDR1poTldabU5UVmk=";
}

pub(super) fn api() -> SpiceDb {
    SpiceDb::new(Engine::Postgres)
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

pub(super) fn ask(path: &str, body: &[u8], base: &FingerprintBuilder) -> Result<ReadCall, Unreadable> {
    ask_with(path, &[], body, base)
}

pub(super) fn object(kind: &str, id: &str) -> Vec<u8> {
    [bytes(1, kind.as_bytes()), bytes(2, id.as_bytes())].concat()
}

/// The fields of a check except its consistency: a document, `view`, a user.
pub(super) fn tuple(first: u32, document: &str, user: &str) -> Vec<u8> {
    [
        bytes(first, &object("document", document)),
        bytes(first + 1, b"view"),
        bytes(first + 2, &bytes(1, &object("user", user))),
    ]
    .concat()
}

/// May alice view the plan?
pub(super) fn plain() -> Vec<u8> {
    tuple(2, "plan", "alice")
}

/// A bulk's items: may alice view these documents?
pub(super) fn items(documents: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let items = documents
        .into_iter()
        .map(|document| bytes(2, &tuple(1, &document.to_string(), "alice")));
    items.collect::<Vec<_>>().concat()
}

pub(super) fn zed_token(text: &str) -> Vec<u8> {
    bytes(1, text.as_bytes())
}

/// A field `consistency`.
pub(super) fn at_least(token: &str) -> Vec<u8> {
    bytes(1, &bytes(2, &zed_token(token)))
}

pub(super) fn exactly(token: &str) -> Vec<u8> {
    bytes(1, &bytes(3, &zed_token(token)))
}

pub(super) fn fully() -> Vec<u8> {
    bytes(1, &varint(4, 1))
}

pub(super) fn minimal() -> Vec<u8> {
    bytes(1, &varint(1, 1))
}

/// How a recorded call ended: in trailers, like all successful calls.
pub(super) const OK: &[(&str, &str)] = &[
    ("grpc-status", "0"),
    ("grpc-message", ""),
    ("x-request-id", "dc0gja1ksduf5tskenv0"),
    ("io.spicedb.respmeta.dispatchedoperationscount", "7"),
    ("io.spicedb.respmeta.cachedoperationscount", "2"),
];

/// The outcome of a reply to all questions of a call.
pub(super) fn learn(call: &ReadCall, request: &[u8], body: &[u8], trailers: &[(&str, &str)]) -> ReplyOutcome {
    learn_of(call, request, &grpc_testing::all(call), body, trailers)
}

pub(super) fn learn_of(
    call: &ReadCall,
    request: &[u8],
    asked: &[usize],
    body: &[u8],
    trailers: &[(&str, &str)],
) -> ReplyOutcome {
    grpc_testing::learn(&api(), call, request, asked, body, trailers)
}

pub(super) fn learn_error(call: &ReadCall, code: &str, message: &str) -> ReplyOutcome {
    grpc_testing::learn_error(&api(), call, &framed(&plain()), code, message)
}
