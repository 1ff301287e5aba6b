use http::Method;

use crate::changes::Effect;
use crate::protocol::operation::{Does, Field, Is, Operation};
use crate::protocol::system::{Asks, Related};

/// The operations of `base.v1`. Calls that are not listed pass: they concern only schemas, bundles and tenants.
pub(super) static OPERATIONS: &[Operation] = &[
    Operation::post(
        "/base.v1.Permission/Check",
        "/permissions/check",
        Does::Check,
        &[METADATA, context(6)],
        &CHECKED,
    )
    .naming(&CHECK_NAMES),
    Operation::post(
        "/base.v1.Permission/BulkCheck",
        "/permissions/bulk-check",
        Does::Bulk,
        &[METADATA, Field::new(3, "items", Is::Items(&[])), context(4)],
        &[Field::new(1, "results", Is::Results(&CHECKED))],
    )
    .naming(&BULK_NAMES),
    Operation::post(
        "/base.v1.Permission/Expand",
        "/permissions/expand",
        Does::Check,
        &[METADATA, context(5)],
        &[Field::new(1, "tree", Is::Tree)],
    )
    .naming(&ENTITY_NAMES),
    Operation::post(
        "/base.v1.Permission/LookupEntity",
        "/permissions/lookup-entity",
        Does::Read,
        &[METADATA, cursor(9)],
        &[],
    )
    .naming(&LOOKUP_ENTITY_NAMES),
    Operation::post(
        "/base.v1.Permission/LookupEntityStream",
        "/permissions/lookup-entity-stream",
        Does::ReadStream,
        &[METADATA, cursor(9)],
        &[],
    )
    .naming(&LOOKUP_ENTITY_NAMES),
    Operation::post(
        "/base.v1.Permission/LookupSubject",
        "/permissions/lookup-subject",
        Does::Read,
        &[METADATA, cursor(9)],
        &[],
    )
    .naming(&LOOKUP_SUBJECT_NAMES),
    Operation::post(
        "/base.v1.Permission/SubjectPermission",
        "/permissions/subject-permission",
        Does::Read,
        &[METADATA],
        &[],
    )
    .naming(&SUBJECT_PERMISSION_NAMES),
    Operation::post(
        "/base.v1.Data/ReadRelationships",
        "/data/relationships/read",
        Does::Read,
        &[DATA_METADATA, cursor(5)],
        &[],
    )
    .naming(&READ_NAMES),
    Operation::post(
        "/base.v1.Data/ReadAttributes",
        "/data/attributes/read",
        Does::Read,
        &[DATA_METADATA, cursor(5)],
        &[],
    )
    .naming(&READ_ATTRIBUTES_NAMES),
    Operation::post("/base.v1.Data/Write", "/data/write", Does::Write, &[], &[SNAP_TOKEN]).naming(&WRITE_NAMES),
    Operation::post(
        "/base.v1.Data/WriteRelationships",
        "/relationships/write",
        Does::Write,
        &[],
        &[SNAP_TOKEN],
    )
    .naming(&WRITE_NAMES),
    Operation::post("/base.v1.Data/Delete", DELETE_PATH, Does::Write, &[], &[SNAP_TOKEN]).naming(&DELETE_NAMES),
    Operation::post(
        "/base.v1.Data/DeleteRelationships",
        "/relationships/delete",
        Does::Write,
        &[],
        &[SNAP_TOKEN],
    )
    .naming(&DELETE_RELATIONSHIPS_NAMES),
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
        objects: &[],
    },
    // This deletes all data that the tenant's answers depend on.
    Operation {
        grpc: "/base.v1.Tenancy/Delete",
        http: (Method::DELETE, ""),
        does: Does::WriteSchema,
        request: &[],
        reply: &[],
        objects: &[],
    },
    Operation::post(
        "/base.v1.Watch/Watch",
        "/watch",
        Does::Watch,
        &[],
        &[Field::new(1, "changes", Is::Opened(&CHANGES))],
    ),
];

const DELETE_PATH: &str = "/data/delete";

/// The operation that a probe calls.
pub(super) fn delete() -> Option<usize> {
    OPERATIONS.iter().position(|operation| operation.http.1 == DELETE_PATH)
}

const CHANGES: [Field; 2] = [
    SNAP_TOKEN,
    Field::with_alias(2, "data_changes", "dataChanges", Is::Changes(&CHANGE)),
];

const CHANGE: [Field; 3] = [
    Field::new(
        1,
        "operation",
        Is::Effect(
            &["OPERATION_CREATE", "OPERATION_DELETE"],
            &[Effect::Added, Effect::Removed],
        ),
    ),
    Field::new(
        2,
        "tuple",
        Is::Message(&[
            Field::new(1, "entity", Is::Resource(&NAMES)),
            Field::new(2, "relation", Is::Relation),
            Field::new(
                3,
                "subject",
                Is::Subject(&[
                    Field::new(1, "type", Is::Kind),
                    Field::new(2, "id", Is::Id),
                    Field::new(3, "relation", Is::Relation),
                ]),
            ),
        ]),
    ),
    Field::new(3, "attribute", Is::OtherChange),
];

/// The token to begin a feed after.
pub(super) const WATCH_AFTER: Field = SNAP_TOKEN.numbered(2);

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

/// The tenant of a request's objects. Over HTTP it is in the path.
const OF_TENANT: Field = Field::with_alias(1, "tenant_id", "tenantId", Is::Tenant);

const NAMES: [Field; 2] = [Field::new(1, "type", Is::Kind), Field::new(2, "id", Is::Id)];

const SUBJECT_NAMES: [Field; 3] = [
    Field::new(1, "type", Is::Kind),
    Field::new(2, "id", Is::Id),
    Field::new(3, "relation", Is::Detail),
];

const ENTITY: Field = Field::new(3, "entity", Is::Message(&NAMES));
const SUBJECT: Field = Field::new(5, "subject", Is::Message(&SUBJECT_NAMES));

const CHECK_NAMES: [Field; 3] = [OF_TENANT, ENTITY, SUBJECT];

const BULK_NAMES: [Field; 2] = [
    OF_TENANT,
    Field::new(3, "items", Is::Items(&[ENTITY.numbered(1), SUBJECT.numbered(3)])),
];

const ENTITY_NAMES: [Field; 2] = [OF_TENANT, ENTITY];

const LOOKUP_ENTITY_NAMES: [Field; 3] = [
    OF_TENANT,
    Field::with_alias(3, "entity_type", "entityType", Is::Kind),
    SUBJECT,
];

const LOOKUP_SUBJECT_NAMES: [Field; 3] = [
    OF_TENANT,
    ENTITY,
    Field::with_alias(
        5,
        "subject_reference",
        "subjectReference",
        Is::Message(&[Field::new(1, "type", Is::Kind)]),
    ),
];

const SUBJECT_PERMISSION_NAMES: [Field; 3] = [OF_TENANT, ENTITY, SUBJECT.numbered(4)];

const WRITE_NAMES: [Field; 4] = [
    OF_TENANT,
    Field::new(2, "metadata", Is::Detail),
    Field::new(
        3,
        "tuples",
        Is::Items(&[
            ENTITY.numbered(1),
            Field::new(2, "relation", Is::Detail),
            SUBJECT.numbered(3),
        ]),
    ),
    Field::new(
        4,
        "attributes",
        Is::Items(&[
            ENTITY.numbered(1),
            Field::new(2, "attribute", Is::Detail),
            Field::new(3, "value", Is::Detail),
        ]),
    ),
];

const FILTER_NAMES: [Field; 3] = [
    Field::new(1, "entity", Is::Filter(&ENTITIES)),
    Field::new(2, "relation", Is::Detail),
    Field::new(
        3,
        "subject",
        Is::Filter(&[
            Field::new(1, "type", Is::Kind),
            Field::new(2, "ids", Is::Ids),
            Field::new(3, "relation", Is::Detail),
        ]),
    ),
];

const ENTITIES: [Field; 2] = [Field::new(1, "type", Is::Kind), Field::new(2, "ids", Is::Ids)];

const ATTRIBUTE_FILTER_NAMES: [Field; 2] = [
    Field::new(1, "entity", Is::Filter(&ENTITIES)),
    Field::new(2, "attributes", Is::Items(&[])),
];

const DELETE_NAMES: [Field; 3] = [
    OF_TENANT,
    Field::with_alias(2, "tuple_filter", "tupleFilter", Is::Filter(&FILTER_NAMES)),
    Field::with_alias(
        3,
        "attribute_filter",
        "attributeFilter",
        Is::Filter(&ATTRIBUTE_FILTER_NAMES),
    ),
];

const DELETE_RELATIONSHIPS_NAMES: [Field; 2] = [OF_TENANT, Field::new(2, "filter", Is::Filter(&FILTER_NAMES))];

const READ_NAMES: [Field; 2] = [OF_TENANT, Field::new(3, "filter", Is::Filter(&FILTER_NAMES))];

const READ_ATTRIBUTES_NAMES: [Field; 2] = [OF_TENANT, Field::new(3, "filter", Is::Filter(&ATTRIBUTE_FILTER_NAMES))];

/// The tree of a relation whose subjects are objects is one leaf with them.
pub(super) const RELATED: Related = Related {
    path: "/permissions/expand",
    tenant: Some(TENANT),
    empty: Some(METADATA),
    object: ENTITY,
    names: &NAMES,
    relation: Field::new(4, "permission", Is::Text),
    reply: &[Field::new(
        1,
        "tree",
        Is::Message(&[
            Field::new(1, "entity", Is::Detail),
            Field::new(2, "permission", Is::Detail),
            Field::new(3, "arguments", Is::Items(&[])),
            Field::new(
                5,
                "leaf",
                Is::Message(&[Field::new(
                    1,
                    "subjects",
                    Is::Message(&[Field::new(1, "subjects", Is::Items(&SUBJECT_NAMES))]),
                )]),
            ),
        ]),
    )],
};

const ASKED_OBJECT: [Field; 3] = [
    Field::new(1, "type", Is::Text),
    Field::new(2, "id", Is::Text),
    Field::new(3, "relation", Is::Text),
];
const ASKED_ENTITY: Field = Field::new(3, "entity", Is::Message(&ASKED_OBJECT));
const ASKED_PERMISSION: Field = Field::new(4, "permission", Is::Text);
const ASKED_SUBJECT: Field = Field::new(5, "subject", Is::Message(&ASKED_OBJECT));

pub(super) const ASKS: Asks = Asks {
    check: &[ASKED_ENTITY, ASKED_PERMISSION, ASKED_SUBJECT],
    item: &[
        ASKED_ENTITY.numbered(1),
        ASKED_PERMISSION.numbered(2),
        ASKED_SUBJECT.numbered(3),
    ],
    subject: [0x03_01, 0x03_02, 0x03_03],
};
