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

const ERROR: Then = NotKept("an error", "the reply holds no answer that could be kept");
const TRACE: Then = NotKept("a trace", "a read that is never kept");
const LISTING: Then = NotKept("a listing", "a read that is never kept");
const STREAM: Then = NotKept("a stream", "a read that is never kept");
const BAD_TOKEN: Then = NotKept("a bad token", "a token in the message that only the upstream can judge");
const NO_TOKEN: Then = NotKept("a bad token", "the consistency does not have exactly one token");
const FOREIGN: Then = NotKept("another datastore's token", "no answer was kept");
const NOTHING_IN_IT: Then = NotKept("no answer in it", "a read that is never kept");
/// Memory may read later data than it says.
const NOT_REPEATABLE: Then = NotKept(
    "memory's snapshots are not repeatable",
    "no answer of one exact snapshot was kept",
);
const NOT_REPEATABLE_BULK: Then = InPart("memory's snapshots are not repeatable, so a bulk is asked whole");
const ITEM_ERROR: Then = InPart("an item's error is kept by nobody");

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
    row("check-has", KeptForOthers),
    row("check-no", KeptForOthers),
    row("check-has-nested-team", KeptForOthers),
    row("check-has-wildcard", KeptForOthers),
    row("check-no-excluded", KeptForOthers),
    row("check-userset-subject", KeptForOthers),
    row("check-relation-not-permission", KeptForOthers),
    row("check-through-parents", KeptForOthers),
    row("check-conditional", KeptForOthers),
    row("check-caveat-has", KeptForOthers),
    row("check-caveat-no", KeptForOthers),
    row("check-caveat-list", KeptForOthers),
    row("check-caveat-list-no", KeptForOthers),
    row("check-caveat-number-as-text", KeptForOthers),
    row("check-context-unused", KeptForOthers),
    row("check-context-empty", KeptForOthers),
    row("check-caveat-wrong-type", ERROR),
    row("check-expiring-before", KeptForOthers),
    row("check-default", Kept),
    row("check-default-again", Kept),
    row("check-min", Kept),
    row("check-least", Kept),
    row("check-least-own-checked-at", Kept),
    Row("check-exact", NOT_REPEATABLE, Kept),
    Row("check-exact-again", NOT_REPEATABLE, Kept),
    Row("check-exact-before-write", NOT_REPEATABLE, Kept),
    row("check-tracing", TRACE),
    row("check-debug-metadata", TRACE),
    row("check-with-request-id", Kept),
    row("check-unknown-type", ERROR),
    row("check-unknown-permission", ERROR),
    row("check-invalid-id", ERROR),
    row("check-empty", ERROR),
    row("check-least-malformed", BAD_TOKEN),
    row("check-least-empty", NO_TOKEN),
    row("check-exact-malformed", BAD_TOKEN),
    row("check-least-legacy-zero", FOREIGN),
    Row("check-least-future", KeptAtHead, Rejected),
    Row("check-least-forged", KeptAtHead, Rejected),
    Row("check-no-forged", KeptAtHead, Rejected),
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
    row("check-unknown-field", Kept),
    row("check-gzip", unreadable("the message is compressed")),
    Row("bulk", NOT_REPEATABLE_BULK, KeptForOthers),
    Row("bulk-one-cached-elsewhere", NOT_REPEATABLE_BULK, KeptForOthers),
    Row("bulk-duplicates", NOT_REPEATABLE_BULK, KeptForOthers),
    row("bulk-item-error", ITEM_ERROR),
    Row("bulk-caveats", NOT_REPEATABLE_BULK, KeptForOthers),
    row("bulk-empty", NOTHING_IN_IT),
    Row("bulk-default", NOT_REPEATABLE_BULK, Kept),
    Row("bulk-least", NOT_REPEATABLE_BULK, Kept),
    Row("bulk-hundred", NOT_REPEATABLE_BULK, Kept),
    Row("bulk-experimental", NOT_REPEATABLE_BULK, KeptForOthers),
    row("expand", LISTING),
    row("lookup-resources", STREAM),
    row("lookup-subjects", STREAM),
    row("read-relationships-page", STREAM),
    row("read-relationships-next-page", STREAM),
    row("reflect-schema", LISTING),
    row("computable-permissions", LISTING),
    row("dependent-relations", LISTING),
    row("import-bulk", Write),
    row("check-after-import", KeptForOthers),
    row("export-bulk", STREAM),
    row("delete-filter", Write),
    row("delete-partial", Write),
    row("delete-nothing", Write),
    row("enemy-grant", Write),
    row("enemy-check-granted", Kept),
    row("enemy-check-cached", Kept),
    row("enemy-revoke", Write),
    row("enemy-new-content", Write),
    row("enemy-check-stale-allowed", Kept),
    row("enemy-check-at-revocation", Kept),
    row("enemy-check-new-content", Kept),
    row("check-expiring-after", KeptForOthers),
    row("watch", Passes),
    row("watch-write-1", Write),
    row("watch-write-2", Write),
    row("watch-schema-write", Write),
    row("watch-write-3", Write),
    row("watch-default-kinds", Passes),
    row("watch-filtered", Passes),
    row("watch-bad-cursor", Passes),
    row("diff-schema", LISTING),
    row("check-after-schema-write", Kept),
    row("schema-write-invalid", Write),
    row("schema-write-removes-used", Write),
    row("health", Passes),
];

pub(crate) const HTTP: [Row; 27] = [
    row("http-write", Write),
    row("http-check-has", KeptForOthers),
    row("http-check-no", KeptForOthers),
    row("http-check-default", Kept),
    row("http-check-least", Kept),
    Row("http-check-exact", NOT_REPEATABLE, Kept),
    row("http-check-min", Kept),
    row("http-check-snake-case", Kept),
    row("http-check-snake-fields", Kept),
    row("http-check-conditional", KeptForOthers),
    row("http-check-caveat", KeptForOthers),
    row("http-check-tracing", TRACE),
    row("http-check-malformed-token", BAD_TOKEN),
    row("http-check-unknown-permission", ERROR),
    row(
        "http-check-bad-json",
        unreadable("the body is not JSON with unique names, nested at most 128 deep"),
    ),
    row("http-check-unknown-field", Kept),
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
