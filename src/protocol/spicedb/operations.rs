use crate::changes::Effect;
use crate::consistency::Consistency;
use crate::protocol::operation::{Does, Field, Is, Operation};
use crate::protocol::system::{Asks, Related};

/// The operations of `authzed.api.v1` as of 1.57. Calls that are not listed pass: they count, or describe the server.
pub(super) static OPERATIONS: &[Operation] = &[
    Operation::post(
        "/authzed.api.v1.PermissionsService/CheckPermission",
        "/permissions/check",
        Does::Check,
        &CHECK,
        &CHECKED,
    )
    .naming(&CHECK_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/CheckBulkPermissions",
        "/permissions/checkbulk",
        Does::Bulk,
        &BULK,
        &PAIRS,
    )
    .naming(&BULK_NAMES),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/BulkCheckPermission",
        "/experimental/permissions/bulkcheckpermission",
        Does::Bulk,
        &BULK,
        &PAIRS,
    )
    .naming(&BULK_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/WriteRelationships",
        "/relationships/write",
        Does::Write,
        &[],
        &[at(1, "writtenAt", "written_at")],
    )
    .naming(&WRITE_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/DeleteRelationships",
        "/relationships/delete",
        Does::Write,
        &[],
        &[at(1, "deletedAt", "deleted_at")],
    )
    .naming(&DELETE_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/ImportBulkRelationships",
        "/relationships/importbulk",
        Does::Import,
        &[],
        &[],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/BulkImportRelationships",
        "/experimental/relationships/bulkimport",
        Does::Import,
        &[],
        &[],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/WriteSchema",
        "/schema/write",
        Does::WriteSchema,
        &[],
        &[at(1, "writtenAt", "written_at")],
    ),
    Operation::post(
        "/authzed.api.v1.PermissionsService/ExpandPermissionTree",
        "/permissions/expand",
        Does::Read,
        &[CONSISTENCY],
        &[at(1, "expandedAt", "expanded_at")],
    )
    .naming(&EXPAND_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/LookupResources",
        "/permissions/resources",
        Does::List,
        &[CONSISTENCY, limit(6), cursor(7)],
        &[],
    )
    .naming(&RESOURCES_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/LookupSubjects",
        "/permissions/subjects",
        Does::List,
        &[
            CONSISTENCY,
            page(7, "optionalConcreteLimit", "optional_concrete_limit"),
            cursor(8),
        ],
        &[],
    )
    .naming(&SUBJECTS_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/ReadRelationships",
        READ_PATH,
        Does::List,
        &[CONSISTENCY, limit(3), cursor(4)],
        &[],
    )
    .naming(&READ_NAMES),
    Operation::post(
        "/authzed.api.v1.PermissionsService/ExportBulkRelationships",
        "/relationships/exportbulk",
        Does::List,
        &[CONSISTENCY, limit(2), cursor(3)],
        &[],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/BulkExportRelationships",
        "/experimental/relationships/bulkexport",
        Does::List,
        &[CONSISTENCY, limit(2), cursor(3)],
        &[],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/ReadSchema",
        READ_SCHEMA_PATH,
        Does::ReadAtHead,
        &[],
        &[
            Field::with_alias(1, "schemaText", "schema_text", Is::Text),
            at(2, "readAt", "read_at"),
        ],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/ReflectSchema",
        REFLECT_PATH,
        Does::Read,
        &[CONSISTENCY],
        &[at(3, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/ComputablePermissions",
        "/schema/permissions/computable",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/DependentRelations",
        "/schema/permissions/dependent",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.SchemaService/DiffSchema",
        "/schema/diffschema",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/ExperimentalReflectSchema",
        "/experimental/reflectschema",
        Does::Read,
        &[CONSISTENCY],
        &[at(3, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/ExperimentalComputablePermissions",
        "/experimental/permissions/computable",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/ExperimentalDependentRelations",
        "/experimental/permissions/dependent",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.ExperimentalService/ExperimentalDiffSchema",
        "/experimental/diffschema",
        Does::Read,
        &[CONSISTENCY],
        &[at(2, "readAt", "read_at")],
    ),
    Operation::post(
        "/authzed.api.v1.WatchService/Watch",
        "/watch",
        Does::Watch,
        &[],
        &CHANGES,
    ),
];

const READ_SCHEMA_PATH: &str = "/schema/read";
const READ_PATH: &str = "/relationships/read";
const REFLECT_PATH: &str = "/schema/reflectschema";

/// The operation that reads the schema, at head.
pub(super) fn read_schema() -> Option<&'static Operation> {
    at_path(READ_SCHEMA_PATH)
}

/// The operation that reads relationships.
pub(super) fn read_relationships() -> Option<&'static Operation> {
    at_path(READ_PATH)
}

/// The operation that describes the schema, at any revision.
pub(super) fn reflect_schema() -> Option<&'static Operation> {
    at_path(REFLECT_PATH)
}

fn at_path(path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.http.1 == path)
}

const CHECK: [Field; 6] = [
    CONSISTENCY,
    RESOURCE.numbered(2),
    PERMISSION.numbered(3),
    SUBJECT.numbered(4),
    CONTEXT.numbered(5),
    Field::with_alias(6, "withTracing", "with_tracing", Is::More),
];

const BULK: [Field; 3] = [
    CONSISTENCY,
    Field::new(2, "items", Is::Items(&ITEM)),
    Field::with_alias(3, "withTracing", "with_tracing", Is::More),
];

const ITEM: [Field; 4] = [
    RESOURCE.numbered(1),
    PERMISSION.numbered(2),
    SUBJECT.numbered(3),
    CONTEXT.numbered(4),
];

const RESOURCE: Field = Field::new(0, "resource", Is::Message(&OBJECT));
const PERMISSION: Field = Field::new(0, "permission", Is::Text);
const SUBJECT: Field = Field::new(
    0,
    "subject",
    Is::Message(&[
        Field::new(1, "object", Is::Message(&OBJECT)),
        Field::with_alias(2, "optionalRelation", "optional_relation", Is::Text),
    ]),
);
const CONTEXT: Field = Field::new(0, "context", Is::Struct);

const OBJECT: [Field; 2] = [
    Field::with_alias(1, "objectType", "object_type", Is::Text),
    Field::with_alias(2, "objectId", "object_id", Is::Text),
];

pub(super) const CONSISTENCY: Field = Field::new(1, "consistency", Is::Freshness(&WAYS));

const WAYS: [Field; 4] = [
    Field::with_alias(
        1,
        "minimizeLatency",
        "minimize_latency",
        Is::Consistency(Consistency::MinimizeLatency, &[]),
    ),
    Field::with_alias(
        2,
        "atLeastAsFresh",
        "at_least_as_fresh",
        Is::Consistency(Consistency::AtLeastAsFresh, &ZED_TOKEN),
    ),
    Field::with_alias(
        3,
        "atExactSnapshot",
        "at_exact_snapshot",
        Is::Consistency(Consistency::AtExactSnapshot, &ZED_TOKEN),
    ),
    Field::with_alias(
        4,
        "fullyConsistent",
        "fully_consistent",
        Is::Consistency(Consistency::FullyConsistent, &[]),
    ),
];

/// The consistency of a read at exactly a revision.
pub(super) const EXACTLY: Field = WAYS[2];

pub(super) const TOKEN: Field = Field::new(1, "token", Is::Token);

const ZED_TOKEN: [Field; 1] = [TOKEN];

const fn limit(number: u32) -> Field {
    page(number, "optionalLimit", "optional_limit")
}

const fn cursor(number: u32) -> Field {
    page(number, "optionalCursor", "optional_cursor")
}

const fn page(number: u32, name: &'static str, alias: &'static str) -> Field {
    Field::with_alias(number, name, alias, Is::Page)
}

/// The token of a reply.
const fn at(number: u32, name: &'static str, alias: &'static str) -> Field {
    Field::with_alias(number, name, alias, Is::Opened(&ZED_TOKEN))
}

const CHECKED: [Field; 5] = [
    at(1, "checkedAt", "checked_at"),
    Field::new(2, "permissionship", Is::Verdict(&PERMISSIONSHIP)),
    Field::with_alias(3, "partialCaveatInfo", "partial_caveat_info", Is::Detail),
    Field::with_alias(4, "debugTrace", "debug_trace", Is::More),
    Field::with_alias(5, "optionalExpiresAt", "optional_expires_at", Is::Expiry),
];

const PAIRS: [Field; 2] = [
    at(1, "checkedAt", "checked_at"),
    Field::new(2, "pairs", Is::Results(&PAIR)),
];

const PAIR: [Field; 2] = [REQUEST, Field::new(2, "item", Is::Opened(&ANSWER))];

const ANSWER: [Field; 3] = [
    Field::new(1, "permissionship", Is::Verdict(&PERMISSIONSHIP)),
    Field::with_alias(2, "partialCaveatInfo", "partial_caveat_info", Is::Detail),
    Field::with_alias(3, "debugTrace", "debug_trace", Is::More),
];

const PERMISSIONSHIP: [&str; 3] = [
    "PERMISSIONSHIP_NO_PERMISSION",
    "PERMISSIONSHIP_HAS_PERMISSION",
    "PERMISSIONSHIP_CONDITIONAL_PERMISSION",
];

/// The item that a pair answers.
pub(super) const REQUEST: Field = Field::new(1, "request", Is::Echo(&ITEM));

/// The error in place of an answer. An answer with it is never stored.
pub(super) const ERROR: Field = Field::new(3, "error", Is::Detail);

/// The fields of a `google.rpc.Status`.
pub(super) const STATUS: [Field; 3] = [
    Field::new(1, "code", Is::Detail),
    Field::new(2, "message", Is::Detail),
    Field::new(3, "details", Is::Detail),
];

/// Where an object stands.
const NAMES: [Field; 2] = [
    Field::with_alias(1, "objectType", "object_type", Is::Kind),
    Field::with_alias(2, "objectId", "object_id", Is::Id),
];

const NAMES_RESOURCE: Field = Field::new(1, "resource", Is::Message(&NAMES));
const NAMES_SUBJECT: Field = Field::new(3, "subject", Is::Message(&SUBJECT_NAMES));

const SUBJECT_NAMES: [Field; 2] = [
    Field::new(1, "object", Is::Message(&NAMES)),
    Field::with_alias(2, "optionalRelation", "optional_relation", Is::Detail),
];

const CHECK_NAMES: [Field; 2] = [NAMES_RESOURCE.numbered(2), NAMES_SUBJECT.numbered(4)];

const BULK_NAMES: [Field; 1] = [Field::new(2, "items", Is::Items(&[NAMES_RESOURCE, NAMES_SUBJECT]))];

const EXPAND_NAMES: [Field; 1] = [NAMES_RESOURCE.numbered(2)];

const RESOURCES_NAMES: [Field; 2] = [
    Field::with_alias(2, "resourceObjectType", "resource_object_type", Is::Kind),
    NAMES_SUBJECT.numbered(4),
];

const SUBJECTS_NAMES: [Field; 2] = [
    NAMES_RESOURCE.numbered(2),
    Field::with_alias(4, "subjectObjectType", "subject_object_type", Is::Kind),
];

const WRITE_NAMES: [Field; 3] = [
    Field::new(
        1,
        "updates",
        Is::Items(&[
            Field::new(1, "operation", Is::Detail),
            Field::new(2, "relationship", Is::Message(&RELATIONSHIP_NAMES)),
        ]),
    ),
    // They read, and change nothing.
    PRECONDITIONS,
    Field::with_alias(
        3,
        "optionalTransactionMetadata",
        "optional_transaction_metadata",
        Is::Detail,
    ),
];

const RELATIONSHIP_NAMES: [Field; 5] = [
    NAMES_RESOURCE,
    Field::new(2, "relation", Is::Detail),
    NAMES_SUBJECT,
    Field::with_alias(4, "optionalCaveat", "optional_caveat", Is::Detail),
    Field::with_alias(5, "optionalExpiresAt", "optional_expires_at", Is::Detail),
];

const PRECONDITIONS: Field = Field::with_alias(2, "optionalPreconditions", "optional_preconditions", Is::Items(&[]));

const DELETE_NAMES: [Field; 5] = [
    Field::with_alias(
        1,
        "relationshipFilter",
        "relationship_filter",
        Is::Filter(&FILTER_NAMES),
    ),
    PRECONDITIONS,
    Field::with_alias(3, "optionalLimit", "optional_limit", Is::Detail),
    Field::with_alias(
        4,
        "optionalAllowPartialDeletions",
        "optional_allow_partial_deletions",
        Is::Detail,
    ),
    Field::with_alias(
        5,
        "optionalTransactionMetadata",
        "optional_transaction_metadata",
        Is::Detail,
    ),
];

const READ_NAMES: [Field; 1] = [Field::with_alias(
    2,
    "relationshipFilter",
    "relationship_filter",
    Is::Filter(&FILTER_NAMES),
)];

const FILTER_NAMES: [Field; 5] = [
    Field::with_alias(1, "resourceType", "resource_type", Is::Kind),
    Field::with_alias(2, "optionalResourceId", "optional_resource_id", Is::Id),
    Field::with_alias(3, "optionalRelation", "optional_relation", Is::Detail),
    Field::with_alias(
        4,
        "optionalSubjectFilter",
        "optional_subject_filter",
        Is::Filter(&SUBJECT_FILTER_NAMES),
    ),
    Field::with_alias(5, "optionalResourceIdPrefix", "optional_resource_id_prefix", Is::Detail),
];

const SUBJECT_FILTER_NAMES: [Field; 3] = [
    Field::with_alias(1, "subjectType", "subject_type", Is::Kind),
    Field::with_alias(2, "optionalSubjectId", "optional_subject_id", Is::Id),
    Field::with_alias(3, "optionalRelation", "optional_relation", Is::Detail),
];

/// The token to begin a feed after.
pub(super) const START_CURSOR: Field = Field::with_alias(
    2,
    "optionalStartCursor",
    "optional_start_cursor",
    Is::Opened(&ZED_TOKEN),
);

/// What a feed reports. Without it, these are relationships alone.
pub(super) const UPDATE_KINDS: Field = Field::with_alias(4, "optionalUpdateKinds", "optional_update_kinds", Is::Detail);

/// The numbers and names of everything that a feed can report.
pub(super) const ALL_KINDS: [(u64, &str); 3] = [
    (1, "WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES"),
    (2, "WATCH_KIND_INCLUDE_SCHEMA_UPDATES"),
    (3, "WATCH_KIND_INCLUDE_CHECKPOINTS"),
];

const CHANGES: [Field; 6] = [
    Field::new(1, "updates", Is::Changes(&UPDATE)),
    at(2, "changesThrough", "changes_through"),
    Field::with_alias(
        3,
        "optionalTransactionMetadata",
        "optional_transaction_metadata",
        Is::Detail,
    ),
    Field::with_alias(4, "schemaUpdated", "schema_updated", Is::SchemaChanged),
    Field::with_alias(5, "isCheckpoint", "is_checkpoint", Is::Checkpoint),
    Field::with_alias(6, "fullRevisionMetadata", "full_revision_metadata", Is::Detail),
];

const UPDATE: [Field; 2] = [
    Field::new(
        1,
        "operation",
        Is::Effect(
            &["OPERATION_CREATE", "OPERATION_TOUCH", "OPERATION_DELETE"],
            &[Effect::Added, Effect::Touched, Effect::Removed],
        ),
    ),
    Field::new(2, "relationship", Is::Message(&RELATIONSHIP)),
];

const RELATIONSHIP: [Field; 5] = [
    Field::new(1, "resource", Is::Resource(&NAMES)),
    Field::new(2, "relation", Is::Relation),
    Field::new(
        3,
        "subject",
        Is::Subject(&[
            Field::new(1, "object", Is::Message(&NAMES)),
            Field::with_alias(2, "optionalRelation", "optional_relation", Is::Relation),
        ]),
    ),
    Field::with_alias(4, "optionalCaveat", "optional_caveat", Is::Detail),
    Field::with_alias(5, "optionalExpiresAt", "optional_expires_at", Is::Detail),
];

/// A message of the stream of relationships that are read.
pub(super) const READ_RELATIONSHIP: [Field; 3] = [
    at(1, "readAt", "read_at"),
    Field::new(2, "relationship", Is::Message(&RELATIONSHIP)),
    Field::with_alias(3, "afterResultCursor", "after_result_cursor", Is::Detail),
];

/// The filter of relationships to read.
pub(super) const READ_FILTER: Field = READ_NAMES[0];
pub(super) const READ_TYPE: Field = FILTER_NAMES[0];
pub(super) const READ_RELATION: Field = FILTER_NAMES[2];
pub(super) const READ_SUBJECT: Field = FILTER_NAMES[3];
pub(super) const READ_SUBJECT_TYPE: Field = SUBJECT_FILTER_NAMES[0];
pub(super) const READ_SUBJECT_RELATION: Field = SUBJECT_FILTER_NAMES[2];
pub(super) const READ_RELATION_NAME: Field = Field::new(1, "relation", Is::Detail);

/// The filters of a schema's description.
pub(super) const REFLECT_FILTERS: Field = Field::with_alias(2, "optionalFilters", "optional_filters", Is::Detail);
pub(super) const REFLECT_NAME: Field = Field::with_alias(
    1,
    "optionalDefinitionNameFilter",
    "optional_definition_name_filter",
    Is::Detail,
);

/// A relation's tree is one leaf with its subjects.
pub(super) const RELATED: Related = Related {
    path: "/permissions/expand",
    tenant: None,
    empty: None,
    object: NAMES_RESOURCE.numbered(2),
    names: &NAMES,
    relation: Field::new(3, "permission", Is::Text),
    reply: &[
        Field::with_alias(1, "expandedAt", "expanded_at", Is::Detail),
        Field::with_alias(
            2,
            "treeRoot",
            "tree_root",
            Is::Message(&[
                Field::new(
                    2,
                    "leaf",
                    Is::Message(&[Field::new(1, "subjects", Is::Items(&SUBJECT_NAMES))]),
                ),
                Field::with_alias(3, "expandedObject", "expanded_object", Is::Detail),
                Field::with_alias(4, "expandedRelation", "expanded_relation", Is::Detail),
            ]),
        ),
    ],
};

pub(super) const ASKS: Asks = Asks {
    check: &[RESOURCE.numbered(2), PERMISSION.numbered(3), SUBJECT.numbered(4)],
    item: &[RESOURCE.numbered(1), PERMISSION.numbered(2), SUBJECT.numbered(3)],
    subject: [0x03_01_01, 0x03_01_02, 0x03_02],
};
