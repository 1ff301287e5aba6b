//! What the cache may do with each recorded call.

use tower_zookie::protocol::permify::Engine;
use tower_zookie_testing::wire::table::Then::{self, *};
use tower_zookie_testing::wire::table::{Row, row, unreadable};

/// Where the request itself forbids an answer from the cache, that is the reason.
const ERROR: Then = NotStored("an error", "");
const LISTING: Then = NotStored("a listing", "a read that is never stored");
const NO_ITEMS: Then = NotStored("no answer in it", "a read that is never stored");
const NO_METADATA: Then = NotStored("no place for a token", "a read that is never stored");
const BAD_TOKEN: Then = NotStored("a bad token", "a token in the message that only the upstream can judge");
const DENIALS: Then = InPart("a denial may be an error, so it is not stored");

pub(crate) const GRPC: [Row; 62] = [
    row("tenant-create", Passes),
    row("schema-write", Write),
    row("data-write", Write),
    row("data-write-attributes", Write),
    row("data-write-again", Write),
    row("data-write-unknown", Write),
    row("data-write-empty", Write),
    row("check-allowed", Stored),
    row("check-denied", Stored),
    row("check-allowed-again", Stored),
    row("check-nested-team", Stored),
    row("check-head", StoredByAge),
    row("check-head-with-version", StoredByAge),
    row("check-token-no-version", Stored),
    row("check-older-token", Stored),
    row("check-newer-token", Stored),
    row("check-userset-subject", Stored),
    row("check-relation", Stored),
    row("check-rule-allowed", Stored),
    row("check-rule-denied", Stored),
    row("check-rule-no-context", ERROR),
    row("check-contextual-tuple", Stored),
    row("check-context-unused", Stored),
    row("check-depth-too-small", Stored),
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
    row("expand", Stored),
    row("lookup-entity", LISTING),
    row("lookup-subject", LISTING),
    row("subject-permission", LISTING),
    row("watch", Passes),
    row("enemy-grant", Write),
    row("enemy-check-granted", Stored),
    row("enemy-revoke", Write),
    row("enemy-new-content", Write),
    row("enemy-check-at-grant", Stored),
    row("enemy-check-at-revocation", Stored),
    row("enemy-check-new-content", Stored),
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
    row("check-old-schema", Stored),
    row("check-new-schema", Stored),
    row("check-latest-schema", Stored),
    row("schema-write-invalid", Write),
];

pub(crate) const HTTP: [Row; 15] = [
    row("http-write", Write),
    row("http-check-allowed", Stored),
    row("http-check-denied", Stored),
    row("http-check-head", StoredByAge),
    row("http-check-camel", unreadable("the message repeats a field")),
    row("http-check-context", Stored),
    row("http-check-malformed-token", BAD_TOKEN),
    row("http-check-unknown-permission", ERROR),
    row(
        "http-check-bad-json",
        unreadable("the body is not JSON with unique names, nested at most 128 deep"),
    ),
    row("http-check-no-metadata", NO_METADATA),
    row("http-bulk", DENIALS),
    row("http-expand", Stored),
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
