use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Value, json};
use tower_zookie::cache::ReadAt;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::protocol::{self, Protocol};

use crate::api::case::Wire;
use crate::api::system::{Stated, System};
use crate::api::table::{Does, Field, Holds, Operation};

#[derive(Debug)]
pub(super) struct SpiceDb;

const STRUCT: Holds = Holds::Struct;
const TIME: Holds = Holds::Time;
const VERDICT: Holds = Holds::Enum(&[
    "PERMISSIONSHIP_UNSPECIFIED",
    "PERMISSIONSHIP_NO_PERMISSION",
    "PERMISSIONSHIP_HAS_PERMISSION",
    "PERMISSIONSHIP_CONDITIONAL_PERMISSION",
]);

messages! {
    TOKEN { 1 token }
    CONSISTENCY { 1 minimizeLatency, 2 atLeastAsFresh TOKEN, 3 atExactSnapshot TOKEN, 4 fullyConsistent }
    OBJECT { 1 objectType, 2 objectId }
    SUBJECT { 1 object OBJECT, 2 optionalRelation }
    CHECK { 1 consistency CONSISTENCY, 2 resource OBJECT, 3 permission, 4 subject SUBJECT, 5 context STRUCT, 6 withTracing }
    ITEM { 1 resource OBJECT, 2 permission, 3 subject SUBJECT, 4 context STRUCT }
    BULK { 1 consistency CONSISTENCY, 2 items ITEM, 3 withTracing }
    READ { 1 consistency CONSISTENCY }
    EXPAND { 1 consistency CONSISTENCY, 2 resource OBJECT, 3 permission }
    RESOURCES { 1 consistency CONSISTENCY, 2 resourceObjectType, 3 permission, 4 subject SUBJECT, 6 optionalLimit, 7 optionalCursor TOKEN }
    SUBJECTS { 1 consistency CONSISTENCY, 2 resource OBJECT, 3 permission, 4 subjectObjectType, 7 optionalConcreteLimit, 8 optionalCursor TOKEN }
    RELATIONSHIPS { 1 consistency CONSISTENCY, 2 relationshipFilter FILTER, 3 optionalLimit, 4 optionalCursor TOKEN }
    SUBJECT_FILTER { 1 subjectType, 2 optionalSubjectId, 3 optionalRelation TOKEN }
    FILTER { 1 resourceType, 2 optionalResourceId, 3 optionalRelation, 4 optionalSubjectFilter SUBJECT_FILTER, 5 optionalResourceIdPrefix }
    RELATIONSHIP { 1 resource OBJECT, 2 relation, 3 subject SUBJECT }
    UPDATE { 1 operation, 2 relationship RELATIONSHIP }
    PRECONDITION { 1 operation, 2 filter FILTER }
    WRITE { 1 updates UPDATE, 2 optionalPreconditions PRECONDITION, 3 optionalTransactionMetadata STRUCT }
    DELETE { 1 relationshipFilter FILTER, 2 optionalPreconditions PRECONDITION, 3 optionalLimit, 4 optionalAllowPartialDeletions }
    EXPORT { 1 consistency CONSISTENCY, 2 optionalLimit, 3 optionalCursor TOKEN }

    CAVEAT { 1 missingRequiredContext }
    NOTHING {}
    CHECKED { 1 checkedAt TOKEN, 2 permissionship VERDICT, 3 partialCaveatInfo CAVEAT, 4 debugTrace NOTHING, 5 optionalExpiresAt TIME }
    ANSWER { 1 permissionship VERDICT, 2 partialCaveatInfo CAVEAT, 3 debugTrace NOTHING }
    ERROR { 1 code, 2 message, 3 details }
    PAIR { 1 request ITEM, 2 item ANSWER, 3 error ERROR }
    PAIRS { 1 checkedAt TOKEN, 2 pairs PAIR }
    WRITTEN { 1 writtenAt TOKEN }
    DELETED { 1 deletedAt TOKEN, 2 deletionProgress }
    IMPORTED { 1 numLoaded }
    EXPANDED { 1 expandedAt TOKEN }
    AT_1 { 1 readAt TOKEN }
    AT_2 { 2 readAt TOKEN }
    AT_3 { 3 readAt TOKEN }
}

operations! {
    Check "PermissionsService/CheckPermission" "POST permissions/check" CHECK CHECKED checkedAt;
    Bulk "PermissionsService/CheckBulkPermissions" "POST permissions/checkbulk" BULK PAIRS checkedAt;
    Bulk "ExperimentalService/BulkCheckPermission" "POST experimental/permissions/bulkcheckpermission" BULK PAIRS checkedAt;
    Write "PermissionsService/WriteRelationships" "POST relationships/write" WRITE WRITTEN writtenAt;
    Write "PermissionsService/DeleteRelationships" "POST relationships/delete" DELETE DELETED deletedAt;
    Import "PermissionsService/ImportBulkRelationships" "POST relationships/importbulk" NOTHING IMPORTED;
    Import "ExperimentalService/BulkImportRelationships" "POST experimental/relationships/bulkimport" NOTHING IMPORTED;
    WriteSchema "SchemaService/WriteSchema" "POST schema/write" NOTHING WRITTEN writtenAt;
    Read "PermissionsService/ExpandPermissionTree" "POST permissions/expand" EXPAND EXPANDED expandedAt;
    List "PermissionsService/LookupResources" "POST permissions/resources" RESOURCES AT_1;
    List "PermissionsService/LookupSubjects" "POST permissions/subjects" SUBJECTS AT_1;
    List "PermissionsService/ReadRelationships" "POST relationships/read" RELATIONSHIPS AT_1;
    List "PermissionsService/ExportBulkRelationships" "POST relationships/exportbulk" EXPORT AT_1;
    List "ExperimentalService/BulkExportRelationships" "POST experimental/relationships/bulkexport" EXPORT AT_1;
    ReadHead "SchemaService/ReadSchema" "POST schema/read" READ AT_2 readAt;
    Read "SchemaService/ReflectSchema" "POST schema/reflectschema" READ AT_3 readAt;
    Read "SchemaService/ComputablePermissions" "POST schema/permissions/computable" READ AT_2 readAt;
    Read "SchemaService/DependentRelations" "POST schema/permissions/dependent" READ AT_2 readAt;
    Read "SchemaService/DiffSchema" "POST schema/diffschema" READ AT_2 readAt;
    Read "ExperimentalService/ExperimentalReflectSchema" "POST experimental/reflectschema" READ AT_3 readAt;
    Read "ExperimentalService/ExperimentalComputablePermissions" "POST experimental/permissions/computable" READ AT_2 readAt;
    Read "ExperimentalService/ExperimentalDependentRelations" "POST experimental/permissions/dependent" READ AT_2 readAt;
    Read "ExperimentalService/ExperimentalDiffSchema" "POST experimental/diffschema" READ AT_2 readAt;
}

impl System for SpiceDb {
    fn name(&self) -> &'static str {
        "SpiceDB"
    }

    fn protocol(&self) -> &'static dyn Protocol {
        static PROTOCOL: LazyLock<protocol::SpiceDb> = LazyLock::new(|| protocol::SpiceDb::new(Engine::Postgres));
        &*PROTOCOL
    }

    fn operations(&self) -> &'static [Operation] {
        OPERATIONS
    }

    fn prefixes(&self) -> [&'static str; 2] {
        ["/authzed.api.v1.", "/v1/"]
    }

    fn question(&self, document: &str, user: &str) -> Value {
        let subject = json!({"object": {"objectType": "user", "objectId": user}});
        let resource = json!({"objectType": "document", "objectId": document});
        json!({"resource": resource, "permission": "view", "subject": subject})
    }

    fn beside(&self, _: Wire) -> Value {
        json!({})
    }

    fn everything(&self, does: Does, _: Wire) -> Value {
        let mut question = self.question("plan", "alice");
        question["subject"]["optionalRelation"] = json!("member");
        question["context"] = json!({"a": 1, "b": {"c": [true, "x", null, 1.5, {}]}});
        match does {
            Does::Bulk => json!({"items": [question]}),
            _ => question,
        }
    }

    fn context(&self, does: Does) -> &'static str {
        match does {
            Does::Bulk => "/items/0/context",
            _ => "/context",
        }
    }

    fn freshness(&self) -> &'static str {
        "/consistency"
    }

    fn states(&self) -> &'static [Stated] {
        use Stated::*;
        &[
            Nothing,
            Minimal,
            Fully,
            AtLeast("t"),
            AtLeast("u+/="),
            Exactly("t"),
            Exactly("u+/="),
        ]
    }

    fn stated(&self, stated: Stated) -> Option<Value> {
        Some(match stated {
            Stated::Nothing => return None,
            Stated::Minimal => json!({"minimizeLatency": true}),
            Stated::AtLeast(token) => json!({"atLeastAsFresh": {"token": token}}),
            Stated::Exactly(token) => json!({"atExactSnapshot": {"token": token}}),
            Stated::Fully => json!({"fullyConsistent": true}),
        })
    }

    fn understood(&self, stated: Stated) -> (Option<Consistency>, Option<Bytes>) {
        match stated {
            Stated::Nothing => (None, None),
            Stated::Minimal => (Some(Consistency::MinimizeLatency), None),
            Stated::AtLeast(token) => (Some(Consistency::AtLeastAsFresh), Some(token.into())),
            Stated::Exactly(token) => (Some(Consistency::AtExactSnapshot), Some(token.into())),
            Stated::Fully => (Some(Consistency::FullyConsistent), None),
        }
    }

    fn forwarded(&self, _: Wire, stated: Stated, at: &ReadAt, token: Option<&'static str>) -> Stated {
        match (at, token) {
            (ReadAt::Any, _) if stated == Stated::Nothing => Stated::Nothing,
            (ReadAt::Any, _) => Stated::Minimal,
            (ReadAt::AtLeast(_) | ReadAt::Unmodified(_), Some(token)) => Stated::AtLeast(token),
            (ReadAt::Exact(_), Some(token)) => Stated::Exactly(token),
            // The revision has no token, but head covers it.
            _ => Stated::Fully,
        }
    }

    fn most_questions(&self) -> usize {
        10_000
    }

    fn token(&self, token: &str) -> Value {
        json!({ "token": token })
    }

    fn answer(&self, _: Does, allowed: bool) -> Value {
        let mut answer = answer(allowed);
        answer["optionalExpiresAt"] = Value::Null;
        answer["checkedAt"] = self.token("t");
        answer
    }

    fn answers(&self, answers: &[(Value, bool)]) -> Value {
        let pair = |(question, allowed): &(Value, bool)| json!({"request": question, "item": answer(*allowed)});
        json!({"checkedAt": self.token("t"), "pairs": answers.iter().map(pair).collect::<Value>()})
    }

    fn stores_denials(&self) -> bool {
        true
    }
}

fn answer(allowed: bool) -> Value {
    let verdict = if allowed { "HAS" } else { "NO" };
    let verdict = format!("PERMISSIONSHIP_{verdict}_PERMISSION");
    json!({"permissionship": verdict, "partialCaveatInfo": null, "debugTrace": null})
}
