//! Command lines worth trying, made from what is loaded.

use std::net::SocketAddr;

use tower_zookie::store::{ObjectRef, Relationship};

/// Lines for grpcurl around one relationship that exists. The definitions it needs come with `spicedb-rs-proto`.
pub(crate) fn worth_trying(example: &Relationship, address: SocketAddr) -> String {
    let (resource, relation) = (object(example.resource()), example.relation());
    let subject_type = example.subject().object_ref().object_type();
    let question = |subject: &str, consistency: &str| {
        format!(r#"{{"resource":{resource},"permission":"{relation}","subject":{{"object":{subject}}}{consistency}}}"#)
    };
    let theirs = question(&object(example.subject().object_ref()), "");
    let newcomer = format!(r#"{{"objectType":"{subject_type}","objectId":"newcomer"}}"#);
    let newcomers = question(&newcomer, r#","consistency":{"atLeastAsFresh":{"token":"'$TOKEN'"}}"#);
    let write = format!(
        r#"{{"updates":[{{"operation":"OPERATION_TOUCH","relationship":{{"resource":{resource},"relation":"{relation}","subject":{{"object":{newcomer}}}}}}}]}}"#
    );
    format!(
        "protos=$(ls -d ${{CARGO_HOME:-~/.cargo}}/registry/src/*/spicedb-rs-proto-*/proto | tail -1)
call() {{ grpcurl -plaintext -import-path $protos -proto authzed/api/v1/permission_service.proto \"${{@:3}}\" -d \"$2\" \\
  {address} authzed.api.v1.PermissionsService/$1; }}

# a miss, then a hit: see `cache-status` in the header
call CheckPermission '{theirs}' -v
call CheckPermission '{theirs}' -v

# a write, and a check that is at least as fresh
TOKEN=$(call WriteRelationships '{write}' | sed -n 's/.*\"token\": \"\\(.*\\)\".*/\\1/p')
call CheckPermission '{newcomers}'
"
    )
}

fn object(object: &ObjectRef) -> String {
    format!(
        r#"{{"objectType":"{}","objectId":"{}"}}"#,
        object.object_type(),
        object.id()
    )
}
