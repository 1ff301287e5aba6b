//! Calls that the layer only forwards: listings, pages, streams.

use spicedb_examples::v1::{
    Consistency, Cursor, ExpandPermissionTreeRequest, LookupResourcesRequest, LookupSubjectsRequest,
    ReadRelationshipsRequest, RelationshipFilter, WatchKind, WatchRequest, ZedToken,
};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, minimize_latency, object, relationship, subject};
use tokio_stream::StreamExt;
use tonic::{Request, Streaming};

use crate::client::Client;
use crate::schema::PREFIX;
use crate::server::Server;

async fn all<T>(mut stream: Streaming<T>) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = stream.next().await {
        items.push(item.unwrap());
    }
    items
}

/// The writers of a repository, each a listing of its own call, and the revision that each was read at.
async fn lookups(
    client: &mut Client,
    server: &Server,
    at: Consistency,
    floor: &ZedToken,
) -> (Vec<Vec<String>>, Vec<String>) {
    let mut request = Request::new(LookupResourcesRequest {
        consistency: Some(at.clone()),
        resource_object_type: format!("{PREFIX}repo"),
        permission: "push".to_owned(),
        subject: Some(subject(&server.object("user:listed1")).unwrap()),
        ..LookupResourcesRequest::default()
    });
    request.metadata_mut().insert("zookie", floor.token.parse().unwrap());
    let resources = all(client.permissions.lookup_resources(request).await.unwrap().into_inner()).await;
    let mut request = Request::new(LookupSubjectsRequest {
        consistency: Some(at.clone()),
        resource: Some(object(&server.object("repo:listed1")).unwrap()),
        permission: "push".to_owned(),
        subject_object_type: format!("{PREFIX}user"),
        ..LookupSubjectsRequest::default()
    });
    request.metadata_mut().insert("zookie", floor.token.parse().unwrap());
    let subjects = all(client.permissions.lookup_subjects(request).await.unwrap().into_inner()).await;
    let mut request = Request::new(ExpandPermissionTreeRequest {
        consistency: Some(at),
        resource: Some(object(&server.object("repo:listed1")).unwrap()),
        permission: "writer".to_owned(),
    });
    request.metadata_mut().insert("zookie", floor.token.parse().unwrap());
    let tree = client
        .permissions
        .expand_permission_tree(request)
        .await
        .unwrap()
        .into_inner();

    let mut revisions: Vec<_> = resources
        .iter()
        .map(|found| found.looked_up_at.clone().unwrap().token)
        .collect();
    revisions.extend(subjects.iter().map(|found| found.looked_up_at.clone().unwrap().token));
    revisions.push(tree.expanded_at.unwrap().token);
    let mut listings = [
        resources
            .into_iter()
            .map(|found| found.resource_object_id)
            .collect::<Vec<_>>(),
        subjects
            .into_iter()
            .map(|found| found.subject.unwrap().subject_object_id)
            .collect(),
        vec![format!("{:?}", tree.tree_root)],
    ];
    listings.iter_mut().for_each(|listing| listing.sort());
    (listings.into(), revisions)
}

pub(crate) async fn listings(server: &'static Server) {
    let (mut replica, mut direct) = (server.replica(), server.direct());
    let writers = [
        "repo:listed1#writer@user:listed1",
        "repo:listed2#writer@user:listed1",
        "repo:listed1#writer@user:listed2",
    ];
    let writers = writers.map(|text| server.relationship(text));
    let written = direct.touch(&writers.each_ref().map(|text| &**text)).await;

    // A token in the metadata counts for these, too.
    let (own, _) = lookups(&mut direct, server, at_least_as_fresh(&written), &written).await;
    for at in [at_least_as_fresh(&written), minimize_latency()] {
        let (passed, revisions) = lookups(&mut replica, server, at, &written).await;
        assert_eq!(passed, own);
        assert!(revisions.iter().all(|at| server.covers(at, &written.token)));
    }
    assert_eq!(own.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    // Their replies are not shared with other callers, but their token can be used.
    let question = server.question("repo:listed1", "push", "user:listed1");
    replica
        .check(&question, at_least_as_fresh(&written))
        .await
        .unwrap()
        .says("yes")
        .is_forwarded();
}

async fn page(
    client: &mut Client,
    server: &Server,
    at: Consistency,
    cursor: Option<Cursor>,
) -> (Vec<String>, Option<Cursor>) {
    let request = ReadRelationshipsRequest {
        consistency: Some(at),
        relationship_filter: Some(RelationshipFilter {
            resource_type: format!("{PREFIX}team"),
            optional_resource_id: object(&server.object("team:paged")).unwrap().object_id,
            ..RelationshipFilter::default()
        }),
        optional_limit: 2,
        optional_cursor: cursor,
    };
    let found = all(client
        .permissions
        .read_relationships(request)
        .await
        .unwrap()
        .into_inner())
    .await;
    let cursor = found.last().and_then(|last| last.after_result_cursor.clone());
    let subject = |found: spicedb_examples::v1::Relationship| found.subject.unwrap().object.unwrap().object_id;
    (
        found
            .into_iter()
            .map(|found| subject(found.relationship.unwrap()))
            .collect(),
        cursor,
    )
}

/// All pages are of the revision of the first one, whatever is written meanwhile.
pub(crate) async fn pages(server: &'static Server) {
    let mut replica = server.replica();
    let members = ["1", "2", "3", "4", "5"].map(|n| server.relationship(&format!("team:paged#direct@user:paged{n}")));
    let written = replica.touch(&members.each_ref().map(|text| &**text)).await;
    let at = if server.repeats() {
        at_exact_snapshot(&written)
    } else {
        at_least_as_fresh(&written)
    };
    let (mut found, mut cursor) = page(&mut replica, server, at.clone(), None).await;
    if server.repeats() {
        replica.delete(&[&*members[4]]).await;
    }
    while let Some(next) = cursor {
        let (more, after) = page(&mut replica, server, at.clone(), Some(next)).await;
        found.extend(more);
        cursor = after;
    }
    found.sort();
    let all = ["1", "2", "3", "4", "5"].map(|n| object(&server.object(&format!("user:paged{n}"))).unwrap().object_id);
    assert_eq!(found, all);
}

pub(crate) async fn watches(server: &'static Server) {
    let mut replica = server.replica();
    let first = replica
        .touch(&[&server.relationship("org:watched#member@user:watched1")])
        .await;
    let request = WatchRequest {
        optional_object_types: vec![format!("{PREFIX}org")],
        optional_start_cursor: Some(first),
        optional_update_kinds: vec![WatchKind::IncludeRelationshipUpdates.into()],
        ..WatchRequest::default()
    };
    let mut changes = replica.watch.watch(request).await.unwrap().into_inner();
    let second = server.relationship("org:watched#member@user:watched2");
    let written = replica.touch(&[&second]).await;
    loop {
        let change = changes.next().await.unwrap().unwrap();
        let expected = relationship(&second).unwrap();
        if change
            .updates
            .iter()
            .any(|update| update.relationship.as_ref() == Some(&expected))
        {
            assert!(server.covers(&change.changes_through.unwrap().token, &written.token));
            break;
        }
    }
}
