//! Command lines worth trying, made from what is loaded.

use std::net::SocketAddr;

use gateway::service::ids::original;
use tower_zookie::store::Relationship;

/// Three command lines around one relationship that exists.
pub(crate) fn worth_trying(example: &Relationship, address: SocketAddr) -> [String; 3] {
    let (resource, relation, subject) = (example.resource(), example.relation(), example.subject());
    let newcomer = format!("{}:newcomer", subject.object_ref().object_type());
    let check = |subject: &str| {
        let question = format!("resource={resource}&permission={relation}&subject={subject}");
        format!(
            "'http://{address}/check?{}'",
            question.replace('+', "%2B").replace('|', "%7C")
        )
    };
    let (theirs, newcomers) = (check(&subject.to_string()), check(&newcomer));
    let write = format!(
        r#"{{"updates":[{{"operation":"touch","resource":"{resource}","relation":"{relation}","subject":"{newcomer}"}}]}}"#
    );
    let evaluation = format!(
        r#"{{"subject":{},"action":{{"name":"{relation}"}},"resource":{}}}"#,
        entity(subject.object_ref().object_type(), subject.object_ref().id()),
        entity(resource.object_type(), resource.id()),
    );
    [
        format!("# a miss, then a hit\ncurl -si -w '\\n\\n' {theirs} {theirs}"),
        format!(
            "# a write, and a check that is at least as fresh\n\
             curl -si -w '\\n' {newcomers} -H \"zookie: $(curl -s http://{address}/relationships -d '{write}' \
             | sed 's/.*\"zookie\":\"//; s/\".*//')\""
        ),
        format!(
            "# the first question in AuthZEN's words\ncurl -si -w '\\n' http://{address}/access/v1/evaluation --json '{evaluation}'"
        ),
    ]
}

/// Two command lines: a write at one node, and a read at another one with its token.
pub(crate) fn across(example: &Relationship, here: SocketAddr, there: SocketAddr) -> [String; 1] {
    let (resource, relation) = (example.resource(), example.relation());
    let newcomer = format!("{}:newcomer", example.subject().object_ref().object_type());
    let question = format!("resource={resource}&permission={relation}&subject={newcomer}");
    let question = question.replace('+', "%2B").replace('|', "%7C");
    let write = format!(
        r#"{{"updates":[{{"operation":"touch","resource":"{resource}","relation":"{relation}","subject":"{newcomer}"}}]}}"#
    );
    [format!(
        "# a write in the west, and a read in the east that waits for it\n\
         zookie=$(curl -s http://{here}/relationships -d '{write}' | sed 's/.*\"zookie\":\"//; s/\".*//')\n\
         curl -si -w '\\n' 'http://{there}/check?{question}' -H \"zookie: $zookie\""
    )]
}

fn entity(object_type: &str, id: &str) -> serde_json::Value {
    serde_json::json!({"type": object_type, "id": original(id).as_deref().unwrap_or(id)})
}
