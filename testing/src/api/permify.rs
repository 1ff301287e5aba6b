use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Value, json};
use tower_zookie::cache::ReadAt;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::permify::Engine;
use tower_zookie::protocol::{self, Protocol};

use crate::api::case::Wire;
use crate::api::system::{Stated, System};
use crate::api::table::{Does, Field, Holds, Operation};

#[derive(Debug)]
pub(super) struct Permify;

const STRUCT: Holds = Holds::Struct;
const ANY: Holds = Holds::Any;
const CAN: Holds = Holds::Enum(&[
    "CHECK_RESULT_UNSPECIFIED",
    "CHECK_RESULT_ALLOWED",
    "CHECK_RESULT_DENIED",
]);

// JSON has the token first, where forwarding adds it.
messages! {
    METADATA { 2 snap_token, 1 schema_version, 3 depth }
    READ_METADATA { 1 snap_token }
    ENTITY { 1 type, 2 id }
    SUBJECT { 1 type, 2 id, 3 relation }
    TUPLE { 1 entity ENTITY, 2 relation, 3 subject SUBJECT }
    ATTRIBUTE { 1 entity ENTITY, 2 attribute, 3 value ANY }
    CONTEXT { 1 tuples TUPLE, 2 attributes ATTRIBUTE, 3 data STRUCT }
    COMPUTED { 1 name }
    ARGUMENT { 2 computed_attribute COMPUTED }
    CHECK { 1 tenant_id, 2 metadata METADATA, 3 entity ENTITY, 4 permission, 5 subject SUBJECT, 6 context CONTEXT, 7 arguments ARGUMENT }
    EXPAND { 1 tenant_id, 2 metadata METADATA, 3 entity ENTITY, 4 permission, 5 context CONTEXT, 6 arguments ARGUMENT }
    ITEM { 1 entity ENTITY, 2 permission, 3 subject SUBJECT }
    BULK { 1 tenant_id, 2 metadata METADATA, 3 items ITEM, 4 context CONTEXT, 5 arguments ARGUMENT }
    REFERENCE { 1 type, 2 relation }
    LOOKUP { 1 tenant_id, 2 metadata METADATA, 3 entity_type, 4 permission, 5 subject SUBJECT, 8 page_size, 9 continuous_token }
    LOOKUP_SUBJECT { 1 tenant_id, 2 metadata METADATA, 3 entity ENTITY, 4 permission, 5 subject_reference REFERENCE, 8 page_size, 9 continuous_token }
    SUBJECT_PERMISSION { 1 tenant_id, 2 metadata METADATA, 3 entity ENTITY, 4 subject SUBJECT }
    ENTITIES { 1 type, 2 ids }
    SUBJECTS { 1 type, 2 ids, 3 relation }
    FILTER { 1 entity ENTITIES, 2 relation, 3 subject SUBJECTS }
    ATTRIBUTES { 1 entity ENTITIES, 2 attributes }
    LIST { 1 tenant_id, 2 metadata READ_METADATA, 3 filter FILTER, 4 page_size, 5 continuous_token }
    WRITE { 1 tenant_id, 2 metadata METADATA, 3 tuples TUPLE, 4 attributes ATTRIBUTE }
    DELETE_RELATIONSHIPS { 1 tenant_id, 2 filter FILTER }
    DELETE { 1 tenant_id, 2 tuple_filter FILTER, 3 attribute_filter ATTRIBUTES }
    NOTHING {}

    COUNT { 1 check_count }
    CHECKED { 1 can CAN, 2 metadata COUNT }
    RESULTS { 1 results CHECKED }
    TREE { 1 entity ENTITY, 2 permission }
    EXPANDED { 1 tree TREE }
    FOUND { 1 entity_ids, 2 continuous_token }
    WRITTEN { 1 snap_token }
    SCHEMA { 1 schema_version }
}

operations! {
    Check "Permission/Check" "POST /permissions/check" CHECK CHECKED;
    Bulk "Permission/BulkCheck" "POST /permissions/bulk-check" BULK RESULTS;
    Expand "Permission/Expand" "POST /permissions/expand" EXPAND EXPANDED;
    Read "Permission/LookupEntity" "POST /permissions/lookup-entity" LOOKUP FOUND;
    ReadStream "Permission/LookupEntityStream" "POST /permissions/lookup-entity-stream" LOOKUP FOUND;
    Read "Permission/LookupSubject" "POST /permissions/lookup-subject" LOOKUP_SUBJECT FOUND;
    Read "Permission/SubjectPermission" "POST /permissions/subject-permission" SUBJECT_PERMISSION FOUND;
    Read "Data/ReadRelationships" "POST /data/relationships/read" LIST FOUND;
    Read "Data/ReadAttributes" "POST /data/attributes/read" LIST FOUND;
    Write "Data/Write" "POST /data/write" WRITE WRITTEN snap_token;
    Write "Data/WriteRelationships" "POST /relationships/write" WRITE WRITTEN snap_token;
    Write "Data/Delete" "POST /data/delete" DELETE WRITTEN snap_token;
    Write "Data/DeleteRelationships" "POST /relationships/delete" DELETE_RELATIONSHIPS WRITTEN snap_token;
    Write "Data/RunBundle" "POST /data/run-bundle" NOTHING WRITTEN snap_token;
    WriteSchema "Schema/Write" "POST /schemas/write" NOTHING SCHEMA;
    WriteSchema "Schema/PartialWrite" "PATCH /schemas/partial-write" NOTHING SCHEMA;
    WriteSchema "Tenancy/Delete" "DELETE " NOTHING SCHEMA;
}

impl System for Permify {
    fn name(&self) -> &'static str {
        "Permify"
    }

    fn protocol(&self) -> &'static dyn Protocol {
        static PROTOCOL: LazyLock<protocol::Permify> = LazyLock::new(|| protocol::Permify::new(Engine::Postgres));
        &*PROTOCOL
    }

    fn operations(&self) -> &'static [Operation] {
        OPERATIONS
    }

    fn prefixes(&self) -> [&'static str; 2] {
        ["/base.v1.", "/v1/tenants/t1"]
    }

    fn question(&self, document: &str, user: &str) -> Value {
        let entity = json!({"type": "document", "id": document});
        json!({"entity": entity, "permission": "view", "subject": {"type": "user", "id": user}})
    }

    fn beside(&self, wire: Wire) -> Value {
        let metadata = json!({"schema_version": "v1", "depth": 20});
        match wire {
            Wire::Grpc => json!({"tenant_id": "t1", "metadata": metadata}),
            // The tenant is in the path.
            Wire::Json => json!({ "metadata": metadata }),
        }
    }

    fn everything(&self, does: Does, wire: Wire) -> Value {
        let mut question = self.question("plan", "alice");
        question["subject"]["relation"] = json!("member");
        let (entity, subject) = (&question["entity"], &question["subject"]);
        let level = json!({"@type": "type.googleapis.com/base.v1.IntegerValue", "data": 3});
        let context = json!({
            "tuples": [{"entity": entity, "relation": "viewer", "subject": subject}],
            "attributes": [{"entity": entity, "attribute": "level", "value": level}],
            "data": {"a": 1, "b": {"c": [true, "x", null, 1.5, {}]}},
        });
        let mut message = self.beside(wire);
        message["context"] = context;
        message["arguments"] = json!([{"computed_attribute": {"name": "ip"}}]);
        let members = message.as_object_mut().unwrap();
        match does {
            Does::Bulk => members.extend([("items".to_owned(), json!([question]))]),
            _ => members.append(question.as_object_mut().unwrap()),
        }
        if does == Does::Expand {
            members.remove("subject");
        }
        message
    }

    fn context(&self, _: Does) -> &'static str {
        "/context/data"
    }

    fn freshness(&self) -> &'static str {
        "/metadata/snap_token"
    }

    fn states(&self) -> &'static [Stated] {
        use Stated::*;
        &[Nothing, Exactly(""), Exactly("t"), Exactly("u+/=")]
    }

    fn stated(&self, stated: Stated) -> Option<Value> {
        match stated {
            Stated::Exactly(token) => Some(json!(token)),
            _ => None,
        }
    }

    fn understood(&self, stated: Stated) -> (Option<Consistency>, Option<Bytes>) {
        match stated {
            Stated::Exactly(token) if !token.is_empty() => (None, Some(token.into())),
            _ => (None, None),
        }
    }

    fn forwarded(&self, wire: Wire, stated: Stated, at: &ReadAt, token: Option<&'static str>) -> Stated {
        let is_at_head = matches!(stated, Stated::Nothing | Stated::Exactly(""));
        match (at, token) {
            // Head is not older than any revision.
            (ReadAt::Unmodified(_), _) | (_, None) if is_at_head => stated,
            (_, Some(token)) => Stated::Exactly(token),
            (_, None) if wire == Wire::Json => Stated::Exactly(""),
            (_, None) => Stated::Nothing,
        }
    }

    fn most_questions(&self) -> usize {
        100
    }

    fn token(&self, token: &str) -> Value {
        json!(token)
    }

    fn answer(&self, does: Does, allowed: bool) -> Value {
        let entity = json!({"type": "document", "id": "plan"});
        match does {
            Does::Expand => json!({"tree": {"entity": entity, "permission": "view"}}),
            _ => answer(allowed),
        }
    }

    fn answers(&self, answers: &[(Value, bool)]) -> Value {
        let results = answers.iter().map(|(_, allowed)| answer(*allowed));
        json!({ "results": results.collect::<Value>() })
    }

    fn stores_denials(&self) -> bool {
        false
    }
}

fn answer(allowed: bool) -> Value {
    let verdict = if allowed { "ALLOWED" } else { "DENIED" };
    json!({"can": format!("CHECK_RESULT_{verdict}"), "metadata": {"check_count": 4}})
}
