//! What the cache may do with each recorded call.

use tower_zookie::protocol::permify::Engine;

use crate::common::wire::table::Then::{self, *};
use crate::common::wire::table::{Row, row, unreadable};

impl Row {
    pub(crate) fn on(&self, engine: Engine) -> Then {
        match engine {
            Engine::Memory => self.1,
            _ => self.2,
        }
    }
}

const ERROR: Then = NotKept("an error", "the reply holds no answer that could be kept");
const LISTING: Then = NotKept("a listing", "a read that is never kept");
const NO_ITEMS: Then = NotKept("no answer in it", "a read that is never kept");
const NO_METADATA: Then = NotKept("no place for a token", "a read that is never kept");
const BAD_TOKEN: Then = NotKept("a bad token", "a token in the message that only the upstream can judge");
const DENIALS: Then = InPart("a denial may be an error, so it is kept by nobody");

pub(crate) const GRPC: [Row; 62] = [
    row("tenant-create", Passes),
    row("schema-write", Write),
    row("data-write", Write),
    row("data-write-attributes", Write),
    row("data-write-again", Write),
    row("data-write-unknown", Write),
    row("data-write-empty", Write),
    row("check-allowed", Kept),
    row("check-denied", Kept),
    row("check-allowed-again", Kept),
    row("check-nested-team", Kept),
    row("check-head", KeptByAge),
    row("check-head-with-version", KeptByAge),
    row("check-token-no-version", Kept),
    row("check-older-token", Kept),
    row("check-newer-token", Kept),
    row("check-userset-subject", Kept),
    row("check-relation", Kept),
    row("check-rule-allowed", Kept),
    row("check-rule-denied", Kept),
    row("check-rule-no-context", ERROR),
    row("check-contextual-tuple", Kept),
    row("check-context-unused", Kept),
    row("check-depth-too-small", Kept),
    row("check-depth-invalid", ERROR),
    row("check-malformed-token", BAD_TOKEN),
    row("check-unknown-version", ERROR),
    row("check-unknown-entity", ERROR),
    row("check-unknown-permission", ERROR),
    row("check-unknown-tenant", ERROR),
    row("check-other-tenant", ERROR),
    row("bulk", DENIALS),
    row("bulk-head", DENIALS),
    row("bulk-item-error", DENIALS),
    row("bulk-empty", NO_ITEMS),
    row("expand", Kept),
    row("lookup-entity", LISTING),
    row("lookup-subject", LISTING),
    row("subject-permission", LISTING),
    row("watch", Passes),
    row("enemy-grant", Write),
    row("enemy-check-granted", Kept),
    row("enemy-revoke", Write),
    row("enemy-new-content", Write),
    row("enemy-check-at-grant", Kept),
    row("enemy-check-at-revocation", Kept),
    row("enemy-check-new-content", Kept),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("parallel-write", Write),
    row("relationships-write", Write),
    row("relationships-delete", Write),
    row("schema-write-2", Write),
    row("check-old-schema", Kept),
    row("check-new-schema", Kept),
    row("check-latest-schema", Kept),
    row("schema-write-invalid", Write),
];

pub(crate) const HTTP: [Row; 15] = [
    row("http-write", Write),
    row("http-check-allowed", Kept),
    row("http-check-denied", Kept),
    row("http-check-head", KeptByAge),
    row("http-check-camel", unreadable("the message repeats a field")),
    row("http-check-context", Kept),
    row("http-check-malformed-token", BAD_TOKEN),
    row("http-check-unknown-permission", ERROR),
    row(
        "http-check-bad-json",
        unreadable("the body is not JSON with unique names, nested at most 128 deep"),
    ),
    row("http-check-no-metadata", NO_METADATA),
    row("http-bulk", DENIALS),
    row("http-expand", Kept),
    row("http-lookup-entity", LISTING),
    row("http-delete", Write),
    row("http-relationships-write", Write),
];

pub(crate) const RECORDINGS: [(&str, Engine, &[Row]); 4] = [
    ("permify/grpc-memory", Engine::Memory, &GRPC),
    ("permify/grpc-postgres", Engine::Postgres, &GRPC),
    ("permify/http-memory", Engine::Memory, &HTTP),
    ("permify/http-postgres", Engine::Postgres, &HTTP),
];
