//! Which objects a message names, over both wires.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tower_zookie::protocol::{Call, Kind, Object, Received, Unreadable};
use tower_zookie_testing::api::{Api, Case, Does, Request, Wire, apis, permify, spicedb};

/// The objects that a request names, each as `type:id`, or as `type` if it names all of a type.
fn names(request: &Request) -> Result<Vec<String>, Unreadable> {
    let call = Call::new(Kind::read());
    let received = Received::new(request.route, &call, &request.body);
    let mut named = Vec::new();
    let mut each = |object: Object<'_>| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let tenant = text(object.tenant);
        let tenant = if tenant.is_empty() { tenant } else { tenant + "/" };
        let id = object.id.map(|id| format!(":{}", text(id)));
        named.push(format!("{tenant}{}{}", text(object.kind), id.unwrap_or_default()));
    };
    let protocol = request.case.api.system.protocol();
    protocol.objects(received, &request.parts, &mut each).map(|()| named)
}

fn object(text: &str) -> Value {
    let (kind, id) = text.split_once(':').unwrap();
    json!({"objectType": kind, "objectId": id})
}

fn spicedb_relationship(text: &str) -> Value {
    let (resource, subject) = text.split_once('@').unwrap();
    let (subject, relation) = subject.split_once('#').unwrap_or((subject, ""));
    let subject = json!({"object": object(subject), "optionalRelation": relation});
    json!({"resource": object(resource), "relation": "viewer", "subject": subject})
}

fn entity(text: &str) -> Value {
    let (kind, id) = text.split_once(':').unwrap();
    json!({"type": kind, "id": id})
}

fn permify_tuple(text: &str) -> Value {
    let (resource, subject) = text.split_once('@').unwrap();
    json!({"entity": entity(resource), "relation": "viewer", "subject": entity(subject)})
}

/// An operation over both wires.
fn on_both(api: fn() -> Vec<Api>, method: &str) -> [Case; 2] {
    let cases: Vec<_> = api().into_iter().map(|api| api.named(method)).collect();
    cases.try_into().unwrap()
}

/// What a message names. `None`: it does not say.
fn assert_names(api: fn() -> Vec<Api>, method: &str, message: &Value, expected: Option<&[&str]>) {
    for case in on_both(api, method) {
        let mut message = message.clone();
        if case.path().starts_with("/base.v1.") {
            message["tenant_id"] = json!("t1");
        }
        let named = names(&case.request(&message)).ok();
        let expected = expected.map(|expected| expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(named, expected, "{case} {message}");
    }
}

#[test]
fn reads_of_spicedb_name_what_their_answer_depends_on() {
    let named = |method: &str, message: Value, expected: &[&str]| {
        assert_names(spicedb, method, &message, Some(expected));
    };
    let question =
        json!({"resource": object("document:1"), "permission": "view", "subject": {"object": object("user:u")}});
    let other = json!({"resource": object("folder:2"), "permission": "view", "subject": {"object": object("group:g"), "optionalRelation": "member"}});
    named("/CheckPermission", question.clone(), &["document:1", "user:u"]);
    named("/CheckPermission", other.clone(), &["folder:2", "group:g"]);
    let items = json!({"items": [question, other, question]});
    let all = ["document:1", "user:u", "folder:2", "group:g", "document:1", "user:u"];
    named("/CheckBulkPermissions", items.clone(), &all);
    named("/BulkCheckPermission", items, &all);
    named(
        "/ExpandPermissionTree",
        json!({"resource": object("document:1"), "permission": "view"}),
        &["document:1"],
    );
    let subject = json!({"object": object("user:u")});
    named(
        "/LookupResources",
        json!({"resourceObjectType": "document", "permission": "view", "subject": subject}),
        &["user:u", "document"],
    );
    named(
        "/LookupSubjects",
        json!({"resource": object("document:1"), "permission": "view", "subjectObjectType": "user"}),
        &["document:1", "user"],
    );
    for schema in [
        "/ReadSchema",
        "/ReflectSchema",
        "/ComputablePermissions",
        "/DependentRelations",
        "/DiffSchema",
    ] {
        named(schema, json!({}), &[]);
    }
    let filter = |filter: Value| json!({ "relationshipFilter": filter });
    named(
        "/ReadRelationships",
        filter(json!({"resourceType": "document"})),
        &["document"],
    );
    named(
        "/ReadRelationships",
        filter(json!({"resourceType": "document", "optionalResourceId": "1"})),
        &["document:1"],
    );
    named(
        "/ReadRelationships",
        filter(json!({"optionalSubjectFilter": {"subjectType": "user", "optionalSubjectId": "u"}})),
        &["user:u"],
    );
    named(
        "/ReadRelationships",
        filter(
            json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": {"subjectType": "user"}}),
        ),
        &["user", "document:1"],
    );
    for unnamed in [
        json!({}),
        filter(json!({})),
        filter(json!({"optionalRelation": "viewer"})),
    ] {
        let expected = if unnamed == json!({}) { Some(&[][..]) } else { None };
        assert_names(spicedb, "/ReadRelationships", &unnamed, expected);
    }
    for export in ["PermissionsService/ExportBulkRelationships", "/BulkExportRelationships"] {
        assert_names(spicedb, export, &json!({}), None);
    }
}

#[test]
fn writes_of_spicedb_name_what_they_touch() {
    let update = |text: &str| json!({"operation": 2, "relationship": spicedb_relationship(text)});
    let written = |updates: Value| json!({ "updates": updates });
    let named = |message: Value, expected: Option<&[&str]>| {
        assert_names(spicedb, "/WriteRelationships", &message, expected);
    };
    named(
        written(json!([update("document:1@user:u"), update("group:g@group:h#member")])),
        Some(&["document:1", "user:u", "group:g", "group:h"]),
    );
    let mut with_all = written(json!([update("document:1@user:u")]));
    with_all["optionalPreconditions"] = json!([{"operation": 2, "filter": {"resourceType": "any"}}]);
    with_all["optionalTransactionMetadata"] = json!({"a": {"b": [1, null]}});
    named(with_all, Some(&["document:1", "user:u"]));
    named(written(json!([update("document:1@user:*")])), None);
    named(json!({}), Some(&[]));
    for place in [
        "",
        "/updates/0",
        "/updates/0/relationship",
        "/updates/0/relationship/subject",
        "/updates/0/relationship/resource",
    ] {
        let mut message = written(json!([update("document:1@user:u")]));
        message.pointer_mut(place).unwrap()["unknown"] = json!(1);
        named(message, None);
    }
    for import in [
        "PermissionsService/ImportBulkRelationships",
        "/BulkImportRelationships",
        "SchemaService/WriteSchema",
    ] {
        assert_names(spicedb, import, &json!({}), None);
    }
}

#[test]
fn deletions_of_spicedb_are_pinned_only_by_both_ids() {
    let delete = |filter: Value, expected: Option<&[&str]>| {
        let message = json!({"relationshipFilter": filter, "optionalLimit": 5, "optionalAllowPartialDeletions": true});
        assert_names(spicedb, "/DeleteRelationships", &message, expected);
    };
    let subject = json!({"subjectType": "user", "optionalSubjectId": "u"});
    delete(
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalRelation": "viewer", "optionalSubjectFilter": subject}),
        Some(&["user:u", "document:1"]),
    );
    for unpinned in [
        json!({"resourceType": "document"}),
        json!({"resourceType": "document", "optionalResourceId": "1"}),
        json!({"resourceType": "document", "optionalSubjectFilter": subject}),
        json!({"optionalResourceId": "1", "optionalSubjectFilter": subject}),
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": {}}),
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": {"subjectType": "user"}}),
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": {"optionalSubjectId": "u"}}),
        json!({"resourceType": "document", "optionalResourceIdPrefix": "1", "optionalSubjectFilter": subject}),
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": {"subjectType": "user", "optionalSubjectId": "*"}}),
        json!({"optionalRelation": "viewer"}),
        json!({"resourceType": "document", "optionalResourceId": "1", "optionalSubjectFilter": subject, "unknown": 1}),
    ] {
        delete(unpinned, None);
    }
}

#[test]
fn reads_of_permify_name_what_their_answer_depends_on() {
    let named = |method: &str, message: Value, expected: &[&str]| {
        assert_names(permify, method, &message, Some(expected));
    };
    let (entity, subject) = (entity("document:1"), entity("user:u"));
    let question = json!({"entity": entity, "permission": "view", "subject": subject});
    named("Permission/Check", question.clone(), &["t1/document:1", "t1/user:u"]);
    named(
        "Permission/BulkCheck",
        json!({"items": [question]}),
        &["t1/document:1", "t1/user:u"],
    );
    named(
        "Permission/Expand",
        json!({"entity": entity, "permission": "view"}),
        &["t1/document:1"],
    );
    let lookup = json!({"entity_type": "document", "permission": "view", "subject": subject});
    for method in ["Permission/LookupEntity", "Permission/LookupEntityStream"] {
        named(method, lookup.clone(), &["t1/user:u", "t1/document"]);
    }
    named(
        "Permission/LookupSubject",
        json!({"entity": entity, "permission": "view", "subject_reference": {"type": "user", "relation": ""}}),
        &["t1/document:1", "t1/user"],
    );
    named(
        "Permission/SubjectPermission",
        json!({"entity": entity, "subject": subject}),
        &["t1/document:1", "t1/user:u"],
    );
    let filter = |filter: Value| json!({ "filter": filter });
    named(
        "Data/ReadRelationships",
        filter(json!({"entity": {"type": "document", "ids": ["1", "2"]}, "subject": {"type": "user", "ids": ["u"]}})),
        &["t1/document:1", "t1/document:2", "t1/user:u"],
    );
    named(
        "Data/ReadRelationships",
        filter(json!({"entity": {"type": "document"}})),
        &["t1/document"],
    );
    assert_names(
        permify,
        "Data/ReadRelationships",
        &filter(json!({"relation": "x"})),
        None,
    );
    named(
        "Data/ReadAttributes",
        filter(json!({"entity": {"type": "document", "ids": ["1"]}})),
        &["t1/document:1"],
    );
}

#[test]
fn writes_of_permify_name_what_they_touch() {
    let named = |method: &str, message: Value, expected: Option<&[&str]>| {
        assert_names(permify, method, &message, expected);
    };
    let tuples = json!([permify_tuple("document:1@user:u"), permify_tuple("group:g@group:h")]);
    let attributes =
        json!([{"entity": entity("document:2"), "attribute": "public", "value": {"@type": "x", "data": true}}]);
    let message = json!({"metadata": {"schema_version": "v1"}, "tuples": tuples, "attributes": attributes});
    let all = [
        "t1/document:1",
        "t1/user:u",
        "t1/group:g",
        "t1/group:h",
        "t1/document:2",
    ];
    named("Data/Write", message.clone(), Some(&all));
    named("Data/WriteRelationships", message, Some(&all));
    let pinned = json!({"entity": {"type": "document", "ids": ["1", "2"]}, "relation": "viewer", "subject": {"type": "user", "ids": ["u", "v"]}});
    let pinned_names = ["t1/document:1", "t1/document:2", "t1/user:u", "t1/user:v"];
    named(
        "Data/DeleteRelationships",
        json!({ "filter": pinned }),
        Some(&pinned_names),
    );
    named(
        "Data/Delete",
        json!({"tuple_filter": pinned, "attribute_filter": {}}),
        Some(&pinned_names),
    );
    named(
        "Data/Delete",
        json!({"tuple_filter": {}, "attribute_filter": {"entity": {"type": "document", "ids": ["1"]}, "attributes": ["public"]}}),
        Some(&["t1/document:1"]),
    );
    named(
        "Data/Delete",
        json!({"tuple_filter": {}, "attribute_filter": {}}),
        Some(&[]),
    );
    for unpinned in [
        json!({"entity": {"type": "document", "ids": []}, "subject": {"type": "user", "ids": ["u"]}}),
        json!({"entity": {"type": "document", "ids": ["1"]}}),
        json!({"entity": {"type": "document", "ids": ["1"]}, "subject": {}}),
        json!({"entity": {"type": "document", "ids": ["1"]}, "subject": {"type": "user"}}),
        json!({"entity": {"ids": ["1"]}, "subject": {"type": "user", "ids": ["u"]}}),
        json!({"relation": "viewer"}),
    ] {
        named("Data/DeleteRelationships", json!({ "filter": unpinned }), None);
        named("Data/Delete", json!({ "tuple_filter": unpinned }), None);
    }
    named(
        "Data/Delete",
        json!({"attribute_filter": {"attributes": ["public"]}}),
        None,
    );
    for method in [
        "Data/RunBundle",
        "Schema/Write",
        "Schema/PartialWrite",
        "Tenancy/Delete",
    ] {
        assert_names_without_tenant(method);
    }
}

fn assert_names_without_tenant(method: &str) {
    for case in on_both(permify, method) {
        assert!(names(&case.request(&json!({}))).is_err(), "{case}");
    }
}

#[test]
fn repeated_fields_and_both_spellings_can_not_be_read() {
    for api in spicedb() {
        let (write, check) = (api.named("/WriteRelationships"), api.named("/CheckPermission"));
        let relationship = spicedb_relationship("document:1@user:u");
        let twice =
            json!({"updates": [{"operation": 2, "relationship": relationship, "relationship#1": relationship}]});
        assert!(names(&write.request(&twice)).is_err(), "{write}");
        for part in ["resource", "subject"] {
            let mut twice = json!({"operation": 2, "relationship": relationship});
            twice["relationship"][format!("{part}#1")] = relationship[part].clone();
            assert!(
                names(&write.request(&json!({"updates": [twice]}))).is_err(),
                "{write} {part}"
            );
            let mut question = relationship.clone();
            question.as_object_mut().unwrap().remove("relation");
            question[format!("{part}#1")] = relationship[part].clone();
            assert!(names(&check.request(&question)).is_err(), "{check} {part}");
        }
        // Updates may stand in several pieces; elements of JSON's arrays can't.
        let pieces = json!({"updates": [{"operation": 2, "relationship": relationship}], "updates#1": [{"operation": 3, "relationship": spicedb_relationship("group:g@user:v")}]});
        let named = names(&write.request(&pieces));
        match api.wire {
            Wire::Grpc => assert_eq!(named.unwrap(), ["document:1", "user:u", "group:g", "user:v"]),
            Wire::Json => assert!(named.is_err() || named.unwrap().len() == 4),
        }
    }
    let [_, write] = on_both(spicedb, "/WriteRelationships");
    let text = |object: &str| {
        format!(
            r#"{{"updates":[{{"operation":2,"relationship":{{"resource":{object},"relation":"v","subject":{{"object":{{"object_type":"user","objectId":"u"}}}}}}}}]}}"#
        )
    };
    let named = |object: &str| names(&write.request_of(text(object)));
    assert_eq!(
        named(r#"{"object_type":"document","object_id":"1"}"#).unwrap(),
        ["document:1", "user:u"]
    );
    assert!(named(r#"{"objectType":"document","object_type":"folder","objectId":"1"}"#).is_err());
    assert!(named(r#"{"objectType":"document","objectId":"1","object_id":"1"}"#).is_err());
    assert!(named(r#"{"objectType":"document","objectId":1}"#).is_err());
    assert!(named(r#"{"objectType":"document","objectId":"1"}"#).is_ok());
}

/// Ids that are hard to spell.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]",
        1 => Just(String::new()),
        1 => Just("*".to_owned()),
        1 => any::<String>(),
        1 => "[a-z]{1024}",
    ]
}

fn kind() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(vec!["document".to_owned(), "user".to_owned()]), 1 => Just(String::new()), 1 => any::<String>()]
}

/// Some of the members, some of them unset.
fn some_of(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let each: Vec<_> = members
        .into_iter()
        .map(|(name, value)| {
            let given = prop_oneof![6 => value.prop_map(Some), 1 => Just(None)];
            given.prop_map(move |value| (name, value))
        })
        .collect();
    let object = |members: Vec<(&'static str, Option<Value>)>| {
        let members = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(members.collect())
    };
    each.prop_map(object).boxed()
}

fn text(strategy: impl Strategy<Value = String> + 'static) -> BoxedStrategy<Value> {
    strategy.prop_map(Value::from).boxed()
}

fn several(element: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    prop::collection::vec(element, 0..4).prop_map(Value::from).boxed()
}

fn spicedb_messages() -> BoxedStrategy<(&'static str, Value)> {
    let object = || some_of(vec![("objectType", text(kind())), ("objectId", text(id()))]);
    let subject = || some_of(vec![("object", object()), ("optionalRelation", text("[a-c]?"))]);
    let relationship = || {
        some_of(vec![
            ("resource", object()),
            ("relation", text("r")),
            ("subject", subject()),
        ])
    };
    let question = || {
        some_of(vec![
            ("resource", object()),
            ("permission", text("p")),
            ("subject", subject()),
        ])
    };
    let subjects = || some_of(vec![("subjectType", text(kind())), ("optionalSubjectId", text(id()))]);
    let filter = || {
        some_of(vec![
            ("resourceType", text(kind())),
            ("optionalResourceId", text(id())),
            ("optionalRelation", text("[a-c]?")),
            ("optionalSubjectFilter", subjects()),
            ("optionalResourceIdPrefix", text("[a-c]?")),
        ])
    };
    let update = some_of(vec![
        ("operation", Just(json!(2)).boxed()),
        ("relationship", relationship()),
    ]);
    prop_oneof![
        some_of(vec![("updates", several(update))]).prop_map(|message| ("/WriteRelationships", message)),
        some_of(vec![("relationshipFilter", filter())]).prop_map(|message| ("/DeleteRelationships", message)),
        some_of(vec![("relationshipFilter", filter())]).prop_map(|message| ("/ReadRelationships", message)),
        question().prop_map(|message| ("/CheckPermission", message)),
        some_of(vec![("items", several(question()))]).prop_map(|message| ("/CheckBulkPermissions", message)),
        some_of(vec![("resourceObjectType", text(kind())), ("subject", subject())])
            .prop_map(|message| ("/LookupResources", message)),
        some_of(vec![("resource", object()), ("subjectObjectType", text(kind()))])
            .prop_map(|message| ("/LookupSubjects", message)),
    ]
    .boxed()
}

fn permify_messages() -> BoxedStrategy<(&'static str, Value)> {
    let entity = || some_of(vec![("type", text(kind())), ("id", text(id()))]);
    let subject = || {
        some_of(vec![
            ("type", text(kind())),
            ("id", text(id())),
            ("relation", text("[a-c]?")),
        ])
    };
    let tuple = || {
        some_of(vec![
            ("entity", entity()),
            ("relation", text("r")),
            ("subject", subject()),
        ])
    };
    let attribute = some_of(vec![("entity", entity()), ("attribute", text("a"))]);
    let entities = || some_of(vec![("type", text(kind())), ("ids", several(text(id())))]);
    let subjects = || {
        some_of(vec![
            ("type", text(kind())),
            ("ids", several(text(id()))),
            ("relation", text("[a-c]?")),
        ])
    };
    let filter = || {
        some_of(vec![
            ("entity", entities()),
            ("relation", text("[a-c]?")),
            ("subject", subjects()),
        ])
    };
    // An empty list in JSON is taken for one that says something, which is stricter.
    let names = || prop::collection::vec("[a-c]", 1..3).prop_map(Value::from).boxed();
    let attributes = || some_of(vec![("entity", entities()), ("attributes", names())]);
    let question = || {
        some_of(vec![
            ("entity", entity()),
            ("permission", text("p")),
            ("subject", subject()),
        ])
    };
    prop_oneof![
        some_of(vec![("tuples", several(tuple())), ("attributes", several(attribute))])
            .prop_map(|message| ("Data/Write", message)),
        some_of(vec![("tuple_filter", filter()), ("attribute_filter", attributes())])
            .prop_map(|message| ("Data/Delete", message)),
        some_of(vec![("filter", filter())]).prop_map(|message| ("Data/DeleteRelationships", message)),
        some_of(vec![("filter", filter())]).prop_map(|message| ("Data/ReadRelationships", message)),
        question().prop_map(|message| ("Permission/Check", message)),
        some_of(vec![("items", several(question()))]).prop_map(|message| ("Permission/BulkCheck", message)),
        some_of(vec![("entity_type", text(kind())), ("subject", subject())])
            .prop_map(|message| ("Permission/LookupEntity", message)),
    ]
    .boxed()
}

fn both(api: fn() -> Vec<Api>, method: &str, message: &Value) -> [Option<Vec<String>>; 2] {
    on_both(api, method).map(|case| {
        let mut message = message.clone();
        if case.path().starts_with("/base.v1.") {
            message["tenant_id"] = json!("t1");
        }
        let mut named = names(&case.request(&message)).ok()?;
        // The wires may have fields in another order.
        named.sort();
        Some(named)
    })
}

proptest! {
    #[test]
    fn both_wires_name_the_same_objects(spicedb_message in spicedb_messages(), permify_message in permify_messages()) {
        let [grpc, json] = both(spicedb, spicedb_message.0, &spicedb_message.1);
        prop_assert_eq!(grpc, json, "{:?}", spicedb_message);
        let [grpc, json] = both(permify, permify_message.0, &permify_message.1);
        prop_assert_eq!(grpc, json, "{:?}", permify_message);
    }

    #[test]
    fn rule_15_arbitrary_messages_name_objects_or_can_not_be_read(
        api in select(apis()), body: Vec<u8>, cut in 0..100_usize,
    ) {
        for case in api.all() {
            let _ = names(&case.request_of(body.clone()));
            let whole = case.body(&case.message());
            let _ = names(&case.request_of(whole.slice(..whole.len().min(cut))));
        }
    }
}

#[test]
fn each_write_names_its_objects_or_says_that_it_does_not() {
    for case in apis().into_iter().flat_map(Api::all) {
        let protocol = case.api.system.protocol();
        let is_pinned = case.does() == Does::Write && !case.operation.grpc.ends_with("RunBundle");
        assert_eq!(protocol.names_touched(case.route()), is_pinned, "{case}");
    }
}
