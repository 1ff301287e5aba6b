use spicedb_examples::v1::check_bulk_permissions_pair::Response as Item;
use spicedb_examples::v1::{CheckBulkPermissionsRequest, ReadSchemaRequest, WriteSchemaRequest};
use spicedb_examples::{at_exact_snapshot, at_least_as_fresh, bulk_item, decision, fully_consistent, minimize_latency};
use tonic::codec::CompressionEncoding::Gzip;

use super::{Answer, Client, SCHEMA, ada_reads, status};

#[tokio::test]
async fn rule_01_each_consistency_is_honoured() {
    let mut client = Client::new().await;
    let before = client.touch(&["team:core#member@user:ada"]).await;
    let granted = client.touch(&["doc:plan#reader@team:core#member"]).await;
    let revoked = client.delete(&["team:core#member@user:ada"]).await;
    for (token, decision) in [(&before, "no"), (&granted, "yes"), (&revoked, "no")] {
        for hit in [false, true] {
            let answer = client.ada_reads(at_exact_snapshot(token)).await;
            assert_eq!((answer.said(), &answer.at), ((decision, hit), token));
        }
    }
    for consistency in [at_least_as_fresh(&granted), minimize_latency(), fully_consistent()] {
        assert_eq!(client.ada_reads(consistency).await.decision, "no");
    }
    assert!(client.ada_reads(at_least_as_fresh(&before)).await.hit);

    let again = client.touch(&["team:core#member@user:ada"]).await;
    assert_eq!(client.ada_reads(at_least_as_fresh(&granted)).await.said(), ("no", true));
    for hit in [false, true] {
        assert_eq!(client.ada_reads(at_least_as_fresh(&again)).await.said(), ("yes", hit));
    }
    for _ in 0..2 {
        assert_eq!(client.ada_reads(fully_consistent()).await.said(), ("yes", false));
    }
}

#[tokio::test]
async fn a_hit_equals_the_services_reply() {
    let mut client = Client::new().await;
    let written = client.touch(&["doc:plan#reader@user:*"]).await;
    let mut replies = Vec::new();
    for _ in 0..2 {
        let reply = client
            .permissions
            .check_permission(ada_reads(at_least_as_fresh(&written)))
            .await;
        replies.push(reply.unwrap());
    }
    let [asked, hit] = &*replies else { unreachable!() };
    assert_eq!(status(hit), "tower-zookie; hit");
    assert_eq!(asked.get_ref(), hit.get_ref());
    let metadata = |name| hit.metadata().get(name).unwrap().to_str().unwrap();
    assert_eq!(metadata("zookie"), written.token);
    // Of the trailers, which clients see as metadata, the status is the same, and the counters say what was done.
    assert_eq!(metadata("io.spicedb.respmeta.dispatchedoperationscount"), "0");
    assert_eq!(metadata("io.spicedb.respmeta.cachedoperationscount"), "1");
}

#[tokio::test]
async fn rule_16_a_bulk_is_one_snapshot() {
    let mut client = Client::new().await;
    let written = client.touch(&["doc:plan#reader@user:ada"]).await;
    let bulk = |users: &[&str]| CheckBulkPermissionsRequest {
        consistency: Some(at_least_as_fresh(&written)),
        items: users
            .iter()
            .map(|user| bulk_item("doc:plan", "read", user).unwrap())
            .collect(),
        with_tracing: false,
    };
    for (users, expected, from_cache) in [
        (&["user:ada", "user:bob"][..], &["yes", "no"][..], "fwd=miss; stored"),
        (
            &["user:eve", "user:ada", "user:eve", "user:bob"],
            &["no", "yes", "no", "no"],
            "2 of 4 from the cache",
        ),
        (&["user:bob", "user:eve"], &["no", "no"], "; hit"),
        (
            &["user:bob", "no_such_type:eve"],
            &["no", "error 9"],
            "1 of 2 from the cache",
        ),
    ] {
        let reply = client.permissions.check_bulk_permissions(bulk(users)).await.unwrap();
        assert!(status(&reply).contains(from_cache), "{}", status(&reply));
        let reply = reply.into_inner();
        assert_eq!(reply.checked_at.as_ref(), Some(&written));
        let said = reply.pairs.iter().map(|pair| match pair.response.as_ref().unwrap() {
            Item::Item(item) => decision(item.permissionship).to_owned(),
            Item::Error(status) => format!("error {}", status.code),
        });
        assert_eq!(said.collect::<Vec<_>>(), expected);
        // A relationship that is not asked about now has changed meanwhile.
        client.touch(&["doc:plan#reader@user:eve"]).await;
    }
}

#[tokio::test]
async fn gzip_is_accepted_and_used_on_request() {
    let mut client = Client::new().await;
    let written = client.touch(&["doc:plan#reader@user:ada"]).await;
    let plain = client.permissions.clone();
    let accepting = plain.clone().accept_compressed(Gzip);
    let packed = accepting.clone().send_compressed(Gzip);
    // Stored replies are not compressed, because they are for all callers. A compressed question can't be read, so it
    // is forwarded.
    for (mut permissions, hit) in [
        (&packed, false),
        (&accepting, false),
        (&plain, true),
        (&accepting, true),
        (&packed, false),
    ]
    .map(|(client, hit)| (client.clone(), hit))
    {
        let reply = permissions
            .check_permission(ada_reads(at_least_as_fresh(&written)))
            .await
            .unwrap();
        assert_eq!(Answer::of(reply).said(), ("yes", hit));
    }
    let mut packed = packed;
    let reply = packed.check_permission(ada_reads(fully_consistent())).await.unwrap();
    assert_eq!(reply.metadata().get("grpc-encoding").unwrap(), "gzip");
}

#[tokio::test]
async fn rule_13_a_new_schema_ends_all_stored_answers() {
    let mut client = Client::new().await;
    let written = client.touch(&["doc:plan#reader@user:ada"]).await;
    for hit in [false, true] {
        assert_eq!(client.ada_reads(at_least_as_fresh(&written)).await.said(), ("yes", hit));
    }
    let schema = client
        .schema
        .read_schema(ReadSchemaRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (schema.schema_text.as_str(), schema.read_at),
        (SCHEMA, Some(written.clone()))
    );
    let schema = SCHEMA.replace("read = reader", "read = nil_reader").replace(
        "relation reader:",
        "relation nil_reader: user
         relation reader:",
    );
    let replaced = client
        .schema
        .write_schema(WriteSchemaRequest { schema })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        client.ada_reads(at_least_as_fresh(&written)).await.said(),
        ("no", false)
    );
    assert_eq!(
        client
            .ada_reads(at_exact_snapshot(&replaced.written_at.unwrap()))
            .await
            .decision,
        "no"
    );
    assert_eq!(client.ada_reads(at_exact_snapshot(&written)).await.decision, "yes");
}
