//! What the cache may do with each recorded call.

use tower_zookie::protocol::spicedb::Engine;

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

const ERROR: Then = NotStored("an error", "the reply has no answer that can be stored");
const TRACE: Then = NotStored("a trace", "a read that is never stored");
const LISTING: Then = NotStored("a listing", "a read that is never stored");
const STREAM: Then = NotStored("a stream", "a read that is never stored");
const BAD_TOKEN: Then = NotStored("a bad token", "a token in the message that only the upstream can judge");
const NO_TOKEN: Then = NotStored("a bad token", "the consistency does not have exactly one token");
const FOREIGN: Then = NotStored("another datastore's token", "no answer is stored");
const NOTHING_IN_IT: Then = NotStored("no answer in it", "a read that is never stored");
/// Memory may read later data than it says.
const NOT_REPEATABLE: Then = NotStored(
    "memory's snapshots are not repeatable",
    "no answer of this exact snapshot is stored",
);
const NOT_REPEATABLE_BULK: Then = InPart("memory's snapshots are not repeatable, so a bulk is asked whole");
const ITEM_ERROR: Then = InPart("an item's error is not stored");

pub(crate) const GRPC: [Row; 108] = [
    row("schema-write", Write),
    row("schema-read", LISTING),
    row("write-touch", Write),
    row("write-caveated", Write),
    row("write-expiring", Write),
    row("write-create", Write),
    row("write-create-exists", Write),
    row("write-precondition-fails", Write),
    row("write-with-metadata", Write),
    row("write-unknown-relation", Write),
    row("write-duplicate-update", Write),
    row("check-has", StoredForOthers),
    row("check-no", StoredForOthers),
    row("check-has-nested-team", StoredForOthers),
    row("check-has-wildcard", StoredForOthers),
    row("check-no-excluded", StoredForOthers),
    row("check-userset-subject", StoredForOthers),
    row("check-relation-not-permission", StoredForOthers),
    row("check-through-parents", StoredForOthers),
    row("check-conditional", StoredForOthers),
    row("check-caveat-has", StoredForOthers),
    row("check-caveat-no", StoredForOthers),
    row("check-caveat-list", StoredForOthers),
    row("check-caveat-list-no", StoredForOthers),
    row("check-caveat-number-as-text", StoredForOthers),
    row("check-context-unused", StoredForOthers),
    row("check-context-empty", StoredForOthers),
    row("check-caveat-wrong-type", ERROR),
    row("check-expiring-before", StoredForOthers),
    row("check-default", Stored),
    row("check-default-again", Stored),
    row("check-min", Stored),
    row("check-least", Stored),
    row("check-least-own-checked-at", Stored),
    Row("check-exact", NOT_REPEATABLE, Stored),
    Row("check-exact-again", NOT_REPEATABLE, Stored),
    Row("check-exact-before-write", NOT_REPEATABLE, Stored),
    row("check-tracing", TRACE),
    row("check-debug-metadata", TRACE),
    row("check-with-request-id", Stored),
    row("check-unknown-type", ERROR),
    row("check-unknown-permission", ERROR),
    row("check-invalid-id", ERROR),
    row("check-empty", ERROR),
    row("check-least-malformed", BAD_TOKEN),
    row("check-least-empty", NO_TOKEN),
    row("check-exact-malformed", BAD_TOKEN),
    row("check-least-legacy-zero", FOREIGN),
    Row("check-least-future", StoredAtHead, Rejected),
    Row("check-least-forged", StoredAtHead, Rejected),
    Row("check-no-forged", StoredAtHead, Rejected),
    row("check-exact-future", ERROR),
    row("check-exact-ancient", ERROR),
    row("check-least-foreign", FOREIGN),
    row("check-exact-foreign", ERROR),
    row("check-wrong-key", ERROR),
    row("check-no-key", ERROR),
    row("unknown-method", Passes),
    row("unknown-service", Passes),
    row(
        "check-truncated-message",
        unreadable("the message is not valid Protocol Buffers"),
    ),
    row("check-unknown-field", Stored),
    row("check-gzip", unreadable("the message is compressed")),
    Row("bulk", NOT_REPEATABLE_BULK, StoredForOthers),
    Row("bulk-one-cached-elsewhere", NOT_REPEATABLE_BULK, StoredForOthers),
    Row("bulk-duplicates", NOT_REPEATABLE_BULK, StoredForOthers),
    row("bulk-item-error", ITEM_ERROR),
    Row("bulk-caveats", NOT_REPEATABLE_BULK, StoredForOthers),
    row("bulk-empty", NOTHING_IN_IT),
    Row("bulk-default", NOT_REPEATABLE_BULK, Stored),
    Row("bulk-least", NOT_REPEATABLE_BULK, Stored),
    Row("bulk-hundred", NOT_REPEATABLE_BULK, Stored),
    Row("bulk-experimental", NOT_REPEATABLE_BULK, StoredForOthers),
    row("expand", LISTING),
    row("lookup-resources", STREAM),
    row("lookup-subjects", STREAM),
    row("read-relationships-page", STREAM),
    row("read-relationships-next-page", STREAM),
    row("reflect-schema", LISTING),
    row("computable-permissions", LISTING),
    row("dependent-relations", LISTING),
    row("import-bulk", Write),
    row("check-after-import", StoredForOthers),
    row("export-bulk", STREAM),
    row("delete-filter", Write),
    row("delete-partial", Write),
    row("delete-nothing", Write),
    row("enemy-grant", Write),
    row("enemy-check-granted", Stored),
    row("enemy-check-cached", Stored),
    row("enemy-revoke", Write),
    row("enemy-new-content", Write),
    row("enemy-check-stale-allowed", Stored),
    row("enemy-check-at-revocation", Stored),
    row("enemy-check-new-content", Stored),
    row("check-expiring-after", StoredForOthers),
    row("watch", Passes),
    row("watch-write-1", Write),
    row("watch-write-2", Write),
    row("watch-schema-write", Write),
    row("watch-write-3", Write),
    row("watch-default-kinds", Passes),
    row("watch-filtered", Passes),
    row("watch-bad-cursor", Passes),
    row("diff-schema", LISTING),
    row("check-after-schema-write", Stored),
    row("schema-write-invalid", Write),
    row("schema-write-removes-used", Write),
    row("health", Passes),
];

pub(crate) const HTTP: [Row; 27] = [
    row("http-write", Write),
    row("http-check-has", StoredForOthers),
    row("http-check-no", StoredForOthers),
    row("http-check-default", Stored),
    row("http-check-least", Stored),
    Row("http-check-exact", NOT_REPEATABLE, Stored),
    row("http-check-min", Stored),
    row("http-check-snake-case", Stored),
    row("http-check-snake-fields", Stored),
    row("http-check-conditional", StoredForOthers),
    row("http-check-caveat", StoredForOthers),
    row("http-check-tracing", TRACE),
    row("http-check-malformed-token", BAD_TOKEN),
    row("http-check-unknown-permission", ERROR),
    row(
        "http-check-bad-json",
        unreadable("the body is not JSON with unique names, nested at most 128 deep"),
    ),
    row("http-check-unknown-field", Stored),
    row(
        "http-check-two-consistencies",
        unreadable("the message has two consistencies"),
    ),
    row("http-check-duplicate-key", unreadable("the message repeats a field")),
    row("http-check-wrong-key", ERROR),
    row("http-bulk", ITEM_ERROR),
    row("http-expand", LISTING),
    row("http-lookup-resources", STREAM),
    row("http-lookup-subjects", STREAM),
    row("http-read", STREAM),
    row("http-schema-read", LISTING),
    row("http-delete", Write),
    row("http-unknown-path", Passes),
];

pub(crate) const RECORDINGS: [(&str, Engine, &[Row]); 4] = [
    ("spicedb/grpc-memory", Engine::Memory, &GRPC),
    ("spicedb/grpc-postgres", Engine::Postgres, &GRPC),
    ("spicedb/http-memory", Engine::Memory, &HTTP),
    ("spicedb/http-postgres", Engine::Postgres, &HTTP),
];
