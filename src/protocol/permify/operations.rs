use http::Method;

use crate::protocol::operation::{Does, Field, Is, Operation};

/// The operations of `base.v1`. Calls that are not listed pass: they concern only schemas, bundles and tenants.
pub(super) static OPERATIONS: &[Operation] = &[
    Operation::post(
        "/base.v1.Permission/Check",
        "/permissions/check",
        Does::Check,
        &[METADATA, context(6)],
        &CHECKED,
    ),
    Operation::post(
        "/base.v1.Permission/BulkCheck",
        "/permissions/bulk-check",
        Does::Bulk,
        &[METADATA, Field::new(3, "items", Is::Items(&[])), context(4)],
        &[Field::new(1, "results", Is::Results(&CHECKED))],
    ),
    Operation::post(
        "/base.v1.Permission/Expand",
        "/permissions/expand",
        Does::Check,
        &[METADATA, context(5)],
        &[Field::new(1, "tree", Is::Tree)],
    ),
    Operation::post(
        "/base.v1.Permission/LookupEntity",
        "/permissions/lookup-entity",
        Does::Read,
        &[METADATA, cursor(9)],
        &[],
    ),
    Operation::post(
        "/base.v1.Permission/LookupEntityStream",
        "/permissions/lookup-entity-stream",
        Does::ReadStream,
        &[METADATA, cursor(9)],
        &[],
    ),
    Operation::post(
        "/base.v1.Permission/LookupSubject",
        "/permissions/lookup-subject",
        Does::Read,
        &[METADATA, cursor(9)],
        &[],
    ),
    Operation::post(
        "/base.v1.Permission/SubjectPermission",
        "/permissions/subject-permission",
        Does::Read,
        &[METADATA],
        &[],
    ),
    Operation::post(
        "/base.v1.Data/ReadRelationships",
        "/data/relationships/read",
        Does::Read,
        &[DATA_METADATA, cursor(5)],
        &[],
    ),
    Operation::post(
        "/base.v1.Data/ReadAttributes",
        "/data/attributes/read",
        Does::Read,
        &[DATA_METADATA, cursor(5)],
        &[],
    ),
    Operation::post("/base.v1.Data/Write", "/data/write", Does::Write, &[], &[SNAP_TOKEN]),
    Operation::post(
        "/base.v1.Data/WriteRelationships",
        "/relationships/write",
        Does::Write,
        &[],
        &[SNAP_TOKEN],
    ),
    Operation::post("/base.v1.Data/Delete", DELETE_PATH, Does::Write, &[], &[SNAP_TOKEN]),
    Operation::post(
        "/base.v1.Data/DeleteRelationships",
        "/relationships/delete",
        Does::Write,
        &[],
        &[SNAP_TOKEN],
    ),
    Operation::post(
        "/base.v1.Data/RunBundle",
        "/data/run-bundle",
        Does::Write,
        &[],
        &[SNAP_TOKEN],
    ),
    Operation::post("/base.v1.Schema/Write", "/schemas/write", Does::WriteSchema, &[], &[]),
    Operation {
        grpc: "/base.v1.Schema/PartialWrite",
        http: (Method::PATCH, "/schemas/partial-write"),
        does: Does::WriteSchema,
        request: &[],
        reply: &[],
    },
    // This deletes all data that the tenant's answers depend on.
    Operation {
        grpc: "/base.v1.Tenancy/Delete",
        http: (Method::DELETE, ""),
        does: Does::WriteSchema,
        request: &[],
        reply: &[],
    },
    Operation::post(
        "/base.v1.Watch/Watch",
        "/watch",
        Does::Watch,
        &[],
        &[Field::new(1, "changes", Is::Opened(&[SNAP_TOKEN]))],
    ),
];

const DELETE_PATH: &str = "/data/delete";

/// The operation that a probe calls.
pub(super) fn delete() -> Option<usize> {
    OPERATIONS.iter().position(|operation| operation.http.1 == DELETE_PATH)
}

const SNAP_TOKEN: Field = Field::with_alias(1, "snap_token", "snapToken", Is::Token);

/// The metadata of a permission request.
const METADATA: Field = Field::new(
    2,
    "metadata",
    Is::Opened(&[
        Field::with_alias(1, "schema_version", "schemaVersion", Is::SchemaVersion),
        SNAP_TOKEN.numbered(2),
    ]),
);

/// The metadata of a data request, which depends on no schema.
const DATA_METADATA: Field = Field::new(2, "metadata", Is::Opened(&[SNAP_TOKEN]));

const CONTEXT: [Field; 1] = [Field::new(3, "data", Is::Struct)];

/// A context. Its tuples and attributes are keyed as they are spelled, its data by value.
const fn context(number: u32) -> Field {
    Field::new(number, "context", Is::Opened(&CONTEXT))
}

const fn cursor(number: u32) -> Field {
    Field::with_alias(number, "continuous_token", "continuousToken", Is::Page)
}

const CHECKED: [Field; 2] = [CAN, CHECK_METADATA];

/// The index of the verdict that allows.
pub(super) const ALLOWED: usize = 0;

/// The number and the name of the verdict that denies.
pub(super) const DENIED: (u64, &str) = (2, CAN_NAMES[1]);

const CAN_NAMES: [&str; 2] = ["CHECK_RESULT_ALLOWED", "CHECK_RESULT_DENIED"];

pub(super) const CAN: Field = Field::new(1, "can", Is::Verdict(&CAN_NAMES));

pub(super) const CHECK_METADATA: Field = Field::new(2, "metadata", Is::Opened(&[CHECK_COUNT]));

pub(super) const CHECK_COUNT: Field = Field::with_alias(1, "check_count", "checkCount", Is::Number);

/// The field of every request with its tenant. Over HTTP the tenant is in the path.
pub(super) const TENANT: Field = Field::with_alias(1, "tenant_id", "tenantId", Is::Text);

pub(super) const TUPLE_FILTER: Field = Field::with_alias(2, "tuple_filter", "tupleFilter", Is::Detail);
pub(super) const ATTRIBUTE_FILTER: Field = Field::with_alias(3, "attribute_filter", "attributeFilter", Is::Detail);
pub(super) const FILTER_ENTITY: Field = Field::new(1, "entity", Is::Detail);
pub(super) const ENTITY_TYPE: Field = Field::new(1, "type", Is::Detail);
pub(super) const ENTITY_IDS: Field = Field::new(2, "ids", Is::Detail);
