use spicedb_examples::v1::delete_relationships_response::DeletionProgress;
use spicedb_examples::v1::relationship_update::Operation;
use spicedb_examples::v1::{
    Consistency, DeleteRelationshipsRequest, Precondition, ReadRelationshipsRequest, Relationship, RelationshipFilter,
    RelationshipUpdate, SubjectFilter, WriteRelationshipsRequest, precondition, subject_filter,
};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, fully_consistent, minimize_latency, relationship};
use tokio_stream::StreamExt;
use tonic::Code;

use super::Client;

fn members() -> RelationshipFilter {
    RelationshipFilter {
        resource_type: "team".to_owned(),
        optional_relation: "member".to_owned(),
        ..RelationshipFilter::default()
    }
}

async fn found(client: &mut Client, filter: RelationshipFilter, at: Consistency, limit: u32) -> Vec<Relationship> {
    let request = ReadRelationshipsRequest {
        consistency: Some(at),
        relationship_filter: Some(filter),
        optional_limit: limit,
        optional_cursor: None,
    };
    let mut stream = client
        .permissions
        .read_relationships(request)
        .await
        .unwrap()
        .into_inner();
    let mut found = Vec::new();
    while let Some(reply) = stream.next().await {
        found.push(reply.unwrap().relationship.unwrap());
    }
    found
}

fn all(texts: &[&str]) -> Vec<Relationship> {
    texts.iter().map(|text| relationship(text).unwrap()).collect()
}

const THREE: [&str; 3] = [
    "team:core#member@team:lang#member",
    "team:core#member@user:ada",
    "team:lang#member@user:bob",
];

#[tokio::test]
async fn relationships_are_read_at_the_requested_revision() {
    let mut client = Client::new().await;
    let written = client.touch(&THREE).await;
    let deleted = client.delete(&[THREE[1], "team:core#member@user:nobody"]).await;
    let at = at_exact_snapshot(&written);
    assert_eq!(found(&mut client, members(), at.clone(), 0).await, all(&THREE));
    assert_eq!(found(&mut client, members(), at.clone(), 2).await, all(&THREE[..2]));
    for at in [at_least_as_fresh(&deleted), fully_consistent(), minimize_latency()] {
        assert_eq!(found(&mut client, members(), at, 0).await, all(&[THREE[0], THREE[2]]));
    }
    let of = |id: &str, relation: Option<&str>| RelationshipFilter {
        optional_resource_id: "core".to_owned(),
        optional_subject_filter: Some(SubjectFilter {
            subject_type: "team".to_owned(),
            optional_subject_id: id.to_owned(),
            optional_relation: relation.map(|relation| subject_filter::RelationFilter {
                relation: relation.to_owned(),
            }),
        }),
        ..members()
    };
    assert_eq!(
        found(&mut client, of("lang", Some("member")), at.clone(), 0).await,
        all(&THREE[..1])
    );
    assert_eq!(found(&mut client, of("", None), at.clone(), 0).await, all(&THREE[..1]));
    assert_eq!(found(&mut client, of("", Some("")), at.clone(), 0).await, []);
    assert_eq!(found(&mut client, of("infra", None), at, 0).await, []);
}

#[tokio::test]
async fn relationships_are_deleted_by_a_filter() {
    let mut client = Client::new().await;
    let written = client.touch(&THREE).await;
    let delete = |limit, partly| DeleteRelationshipsRequest {
        relationship_filter: Some(members()),
        optional_limit: limit,
        optional_allow_partial_deletions: partly,
        ..DeleteRelationshipsRequest::default()
    };
    let rejected = client
        .permissions
        .delete_relationships(delete(2, false))
        .await
        .unwrap_err();
    assert_eq!(rejected.code(), Code::FailedPrecondition);
    let reply = client
        .permissions
        .delete_relationships(delete(2, true))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (reply.deletion_progress(), reply.relationships_deleted_count),
        (DeletionProgress::Partial, 2)
    );
    let at = at_exact_snapshot(reply.deleted_at.as_ref().unwrap());
    assert_eq!(found(&mut client, members(), at, 0).await, all(&THREE[2..]));
    let reply = client
        .permissions
        .delete_relationships(delete(0, false))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (reply.deletion_progress(), reply.relationships_deleted_count),
        (DeletionProgress::Complete, 1)
    );
    assert_eq!(found(&mut client, members(), fully_consistent(), 0).await, []);
    assert_eq!(
        found(&mut client, members(), at_exact_snapshot(&written), 0).await,
        all(&THREE)
    );
}

#[tokio::test]
async fn preconditions_hold_or_nothing_is_written() {
    let mut client = Client::new().await;
    client.touch(&THREE[..1]).await;
    let write = |operation: precondition::Operation| WriteRelationshipsRequest {
        updates: vec![RelationshipUpdate {
            operation: Operation::Create.into(),
            relationship: Some(relationship(THREE[1]).unwrap()),
        }],
        optional_preconditions: vec![Precondition {
            operation: operation.into(),
            filter: Some(members()),
        }],
        ..WriteRelationshipsRequest::default()
    };
    let must_not = precondition::Operation::MustNotMatch;
    let rejected = client
        .permissions
        .write_relationships(write(must_not))
        .await
        .unwrap_err();
    assert_eq!(rejected.code(), Code::FailedPrecondition);
    assert_eq!(
        found(&mut client, members(), fully_consistent(), 0).await,
        all(&THREE[..1])
    );
    let must = precondition::Operation::MustMatch;
    client.permissions.write_relationships(write(must)).await.unwrap();
    let rejected = client.permissions.write_relationships(write(must)).await.unwrap_err();
    assert_eq!(rejected.code(), Code::AlreadyExists);
    assert_eq!(
        found(&mut client, members(), fully_consistent(), 0).await,
        all(&THREE[..2])
    );
}
