//! InferaDB's document of revision tokens as tests: section by section, in its order, and each code sample as a test.
//!
//! What differs in every sample:
//!
//! - The store is a [`Node`] of a group. Its group has no name here, so that its id is its name, `node1`. The first revision of
//!   a node is the schema that it was started with, so its first write is revision 2.
//! - A key is a [`Filter`], and tuples are [`Update`]s: a write says whether they are created or deleted.
//! - [`SnapshotReader::current_token`] needs no node id and no `await`: the reader knows its node, and never waits for this.
//!
//! What else differs is said where it does.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, advance};
use tower::{Layer, ServiceExt};
use tower_zookie::cache::{Capabilities, ReadMode as Reads};
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::{CheckRoute, ObjectAt, Routes, TextAt, Verdict, WriteRoute};
use tower_zookie::store::node::{Network, Node};
use tower_zookie::store::{
    Filter, ObjectRef, ReadError, ReadMode, Relationship, Schema, SnapshotReader, SubjectRef, Update,
};
use tower_zookie::token::{
    Carriers, InferaDb, InvalidToken, RevisionToken, Signing, SigningKey, TokenErrorKind, Zookie,
};
use tower_zookie::{Asked, ZookieLayer, ZookieService};

type Done = Result<(), Box<dyn Error>>;

const SCHEMA: &str = "
    definition user {}
    definition doc { relation reader: user  permission view = reader }";

/// The token of the document's HTTP example: `node1` at revision 42.
const NODE1_AT_42: &str = "eyJub2RlX2lkIjoibm9kZTEiLCJyZXZpc2lvbiI6NDIsInZlY3Rvcl9jbG9jayI6eyJub2RlMSI6NDJ9fQ==";

/// The document's `MemoryBackend::new()`: a group of one node.
async fn memory_backend() -> Arc<Node> {
    node(&Network::named(""), "node1").await
}

async fn node(network: &Network, name: &str) -> Arc<Node> {
    let node = Node::builder(name).start(Schema::parse(SCHEMA).unwrap(), network.link(name));
    Arc::new(node.await.unwrap())
}

fn tuples(user: &str) -> [Update; 1] {
    [Update::touch(format!("doc:plan#reader@user:{user}").parse().unwrap())]
}

fn key() -> Filter {
    Filter::of_type("doc").id("plan").relation("reader")
}

fn users(tuples: &[Relationship]) -> Vec<&str> {
    tuples.iter().map(|tuple| tuple.subject().object_ref().id()).collect()
}

mod overview {
    //! # Overview

    use super::*;

    /// The three things that tokens enable.
    #[tokio::test(start_paused = true)]
    async fn tokens_give_snapshots_causality_and_strong_reads() -> Done {
        let network = Network::named("");
        network.delay(Duration::from_millis(200));
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        let (at_west, at_east) = (SnapshotReader::new(west.clone()), SnapshotReader::new(east.clone()));
        let before = at_west.current_token();
        let written = west.write(tuples("alice")).await?;
        // 1. Snapshot isolation: data as it existed at a revision.
        assert!(at_west.read_at_token(&key(), &before).await?.is_empty());
        // 2. Causal consistency: a read reflects the write that its token names, in every region.
        assert_eq!(users(&at_east.read_at_token(&key(), &written.token).await?), ["alice"]);
        // 3. Linearizability: see "Linearizable Reads".
        let latest = at_west.current_token();
        assert_eq!(users(&at_west.read_at_token(&key(), &latest).await?), ["alice"]);
        Ok(())
    }
}

mod token_structure {
    //! # Token Structure

    use super::*;

    /// The fields of the document's struct. The clock is a `BTreeMap`, so that a token has one spelling here.
    #[test]
    fn a_token_has_these_fields() {
        let RevisionToken {
            node_id,
            revision,
            vector_clock,
            ..
        } = RevisionToken::new("node1", 42);
        let (node_id, revision): (String, u64) = (node_id, revision);
        let vector_clock: HashMap<String, u64> = vector_clock.into_iter().collect();
        assert_eq!((&*node_id, revision), ("node1", 42));
        assert_eq!(vector_clock, HashMap::from([("node1".to_owned(), 42)]));
    }

    /// "Example Token".
    #[test]
    fn the_example_is_a_token() -> Done {
        let example = r#"{
          "node_id": "node-us-west-1",
          "revision": 42,
          "vector_clock": {
            "node-us-west-1": 42,
            "node-us-east-1": 38,
            "node-eu-west-1": 35
          }
        }"#;
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, example);
        assert_eq!(RevisionToken::decode(&encoded)?, example_token());
        Ok(())
    }
}

fn example_token() -> RevisionToken {
    let clock = [("node-us-west-1", 42), ("node-us-east-1", 38), ("node-eu-west-1", 35)];
    RevisionToken::with_vector_clock("node-us-west-1", 42, clock)
}

mod serialization {
    //! # Serialization

    use super::*;

    const EXAMPLE: &str = "eyJub2RlX2lkIjoibm9kZS11cy13ZXN0LTEiLCJyZXZpc2lvbiI6NDIsInZlY3Rvcl9jbG9jayI6eyJub2RlLXVzLXdlc3QtMSI6NDIsIm5vZGUtdXMtZWFzdC0xIjozOCwibm9kZS1ldS13ZXN0LTEiOjM1fX0=";

    /// The document's clock has its entries in another order, which JSON does not fix. Here they are in the order of the nodes.
    #[test]
    fn a_token_is_json_in_base64() -> Done {
        let token = RevisionToken::decode(EXAMPLE)?;
        assert_eq!(token, example_token());
        assert_eq!(RevisionToken::decode(&token.encode())?, token);
        assert_eq!(token.encode().len(), EXAMPLE.len());
        assert_eq!(RevisionToken::new("node1", 42).encode(), NODE1_AT_42);
        Ok(())
    }

    /// "This format allows tokens to be included in HTTP headers, passed as query parameters, stored in cookies, used in gRPC
    /// metadata."
    #[test]
    fn a_token_travels_in_headers_queries_cookies_and_metadata() -> Done {
        let mut in_header = HeaderMap::new();
        in_header.insert("zookie", EXAMPLE.parse()?);
        let mut in_cookie = HeaderMap::new();
        in_cookie.insert(COOKIE, format!("theme=dark; zookie={EXAMPLE}").parse()?);
        let mut metadata = tonic::metadata::MetadataMap::new();
        metadata.insert("zookie", EXAMPLE.parse()?);
        let in_query: Uri = format!("/check?token={EXAMPLE}").parse()?;
        let plain = Uri::from_static("/check");
        for (headers, uri) in [
            (in_header, &plain),
            (HeaderMap::new(), &in_query),
            (in_cookie, &plain),
            (metadata.into_headers(), &plain),
        ] {
            let mut found = Vec::new();
            Carriers::default().visit(&headers, uri, |_, text| found.push(text.unwrap().to_owned()))?;
            assert_eq!(found, [EXAMPLE], "{headers:?} {uri}");
        }
        Ok(())
    }
}

mod usage_patterns {
    //! # Usage Patterns

    use super::*;

    /// "Write-Then-Read Consistency". `revision.0` is `written.number` here.
    #[tokio::test(start_paused = true)]
    async fn a_read_with_the_token_of_a_write_sees_it() -> Done {
        let store = memory_backend().await;

        // Write tuples
        let revision = store.write(tuples("alice")).await?;
        let token = RevisionToken::new("node1", revision.number);

        // Later, read with token
        let reader = SnapshotReader::new(store);
        let tuples = reader.read_at_token(&key(), &token).await?;
        // Guaranteed to see the write
        assert_eq!(users(&tuples), ["alice"]);

        // A write names its token itself. With several nodes it names all that the write saw, too.
        assert_eq!(revision.token, token);
        Ok(())
    }

    /// "HTTP API Example". The paths and the members are the document's; a check has to say what it asks.
    #[tokio::test(start_paused = true)]
    async fn the_http_api_returns_a_token_and_reads_at_it() -> Done {
        let store = memory_backend().await;
        for number in 0..40 {
            store.write(tuples(&format!("u{number}"))).await?;
        }
        let service = service(store, Duration::from_secs(5));
        let question = "resource=doc:plan&permission=view&subject=user:alice";
        let before = send(&service, get_check(&format!("/check?{question}"))).await;
        assert_eq!(before.1["allowed"], false);

        let written = send(&service, post_write("alice")).await;
        assert_eq!(written, (StatusCode::OK, json!({"revision": 42, "token": NODE1_AT_42})));
        let check = format!("/check?{question}&token={NODE1_AT_42}");
        let read = send(&service, get_check(&check)).await;
        // Read will see the write
        assert_eq!(read, (StatusCode::OK, json!({"allowed": true, "token": NODE1_AT_42})));
        Ok(())
    }
}

mod causality_checking {
    //! # Causality Checking

    use super::*;

    /// "Happens-After Relation".
    #[test]
    fn one_token_happens_after_another() {
        let token1 = RevisionToken::new("node1", 10);
        let token2 = RevisionToken::new("node1", 20);

        assert!(token2.is_after(&token1)); // true
        assert!(!token1.is_after(&token2)); // false

        // Equal tokens are neither: the document's first code calls them concurrent.
        assert!(!token1.is_after(&token1) && !token1.is_concurrent_with(&token1));
    }

    /// "Multi-Node Causality".
    #[test]
    fn causality_works_across_nodes() {
        let mut clock1 = HashMap::new();
        clock1.insert("node1".to_string(), 10);
        clock1.insert("node2".to_string(), 5);
        let token1 = RevisionToken::with_vector_clock("node1", 10, clock1);

        let mut clock2 = HashMap::new();
        clock2.insert("node1".to_string(), 12);
        clock2.insert("node2".to_string(), 8);
        let token2 = RevisionToken::with_vector_clock("node1", 12, clock2);

        assert!(token2.is_after(&token1)); // All clocks advanced

        // A clock of more nodes is after, too: a missing entry is 0.
        assert!(token1.is_after(&RevisionToken::new("node1", 10)));
    }

    /// "Concurrent Operations".
    #[test]
    fn concurrent_operations_are_detected() {
        let mut clock_a = HashMap::new();
        clock_a.insert("node1".to_string(), 10);
        clock_a.insert("node2".to_string(), 5);
        let token_a = RevisionToken::with_vector_clock("node1", 10, clock_a);

        let mut clock_b = HashMap::new();
        clock_b.insert("node1".to_string(), 8);
        clock_b.insert("node2".to_string(), 12);
        let token_b = RevisionToken::with_vector_clock("node2", 12, clock_b);

        assert!(token_a.is_concurrent_with(&token_b)); // Concurrent writes
    }
}

mod snapshot_reads {
    //! # Snapshot Reads

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_at_an_old_token_does_not_see_new_writes() -> Done {
        let store = memory_backend().await;
        let reader = SnapshotReader::new(store.clone());
        store.write(tuples("alice")).await?;

        // Get current token
        let token = reader.current_token();

        // Write more data
        store.write(tuples("bob")).await?;

        // Read at old token - won't see new writes
        let tuples = reader.read_at_token(&key(), &token).await?;
        assert_eq!(users(&tuples), ["alice"]);

        // The other two reads of InferaDB's reader.
        assert_eq!(users(&reader.read_at_least(&key(), &token).await?), ["alice", "bob"]);
        assert_eq!(users(&reader.read_current(&key())?), ["alice", "bob"]);
        Ok(())
    }

    /// "Timeout Handling". A token further in the future than any write that the node has heard of could be is refused at once.
    #[tokio::test(start_paused = true)]
    async fn a_read_of_the_future_ends_with_a_timeout() -> Done {
        let store = memory_backend().await;
        let reader = SnapshotReader::with_timeout(
            store,
            Duration::from_secs(10), // 10 second timeout
        );
        let future_token = RevisionToken::new("node1", 999);

        // If revision not available within 10s, returns error
        let begun = Instant::now();
        let result = reader.read_at_token(&key(), &future_token).await;
        match result {
            Ok(tuples) => panic!("Got tuples: {tuples:?}"),
            Err(ReadError::Timeout { behind, waited }) => {
                assert_eq!(
                    (begun.elapsed(), waited),
                    (Duration::from_secs(10), Duration::from_secs(10))
                );
                let [node] = behind.nodes() else { panic!("{behind}") };
                assert_eq!((&*node.node, node.requested, node.reached), ("node1", 999, 1));
            }
            Err(other) => panic!("{other}"),
        }

        let begun = Instant::now();
        let never = reader
            .read_at_token(&key(), &RevisionToken::new("node1", u64::MAX))
            .await;
        assert!(matches!(never, Err(ReadError::TooFarAhead { .. })), "{never:?}");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        Ok(())
    }

    /// "Snapshot reads block until the revision is available": the write wakes the read.
    #[tokio::test(start_paused = true)]
    async fn a_read_waits_until_its_revision_is_there() -> Done {
        let store = memory_backend().await;
        let reader = SnapshotReader::new(store.clone());
        let (key, token) = (key(), RevisionToken::new("node1", 2));
        let (read, written) = tokio::join!(reader.read_at_token(&key, &token), store.write(tuples("alice")));
        assert_eq!((users(&read?), written?.token), (vec!["alice"], token.clone()));
        Ok(())
    }
}

mod token_validation {
    //! # Token Validation

    use super::*;

    #[test]
    fn tokens_are_validated() -> Done {
        let token = RevisionToken::new("node1", 42);

        // Validate token
        token.validate()?; // Checks structure is valid

        // Invalid tokens are rejected
        let bad_token = RevisionToken::new("", 0);
        assert!(bad_token.validate().is_err());
        Ok(())
    }

    /// "Validation Rules", in their order.
    #[test]
    fn the_five_rules() {
        let with = RevisionToken::with_vector_clock::<&str>;
        for (token, rule) in [
            (with("", 42, vec![("node1", 42)]), InvalidToken::EmptyNodeId),
            (with("node1", 0, vec![("node1", 0)]), InvalidToken::ZeroRevision),
            (with("node1", 42, vec![]), InvalidToken::EmptyClock),
            (with("node1", 42, vec![("node2", 42)]), InvalidToken::MissingEntry),
            (with("node1", 42, vec![("node1", 41)]), InvalidToken::EntryMismatch),
        ] {
            assert_eq!(token.validate(), Err(rule));
            assert!(RevisionToken::decode(&token.encode()).is_err(), "{token:?}");
        }
    }

    /// "Tokens are validated before use."
    #[tokio::test]
    async fn a_reader_refuses_an_invalid_token() {
        let reader = SnapshotReader::new(memory_backend().await);
        let refused = reader.read_at_token(&key(), &RevisionToken::new("", 0)).await;
        assert!(
            matches!(refused, Err(ReadError::Malformed(InvalidToken::EmptyNodeId))),
            "{refused:?}"
        );
    }
}

mod token_merging {
    //! # Token Merging

    use super::*;

    #[test]
    fn merged_tokens_are_after_both() {
        let token1 = RevisionToken::new("node1", 10);
        let token2 = RevisionToken::new("node2", 15);

        let merged = token1.merge(&token2);
        // merged.vector_clock contains max of both clocks
        // merged is causally after both token1 and token2
        assert_eq!(
            merged,
            RevisionToken::with_vector_clock("node1", 10, [("node1", 10), ("node2", 15)])
        );
        assert!(merged.is_after(&token1) && merged.is_after(&token2));

        // Unlike in the document's first code, the merged token is valid, and the order of merging does not matter.
        assert_eq!(merged.validate(), Ok(()));
        assert_eq!(token2.merge(&token1), merged);
        assert_eq!(merged.merge(&merged), merged);
    }

    /// "Replication acknowledgment - Track when all replicas have seen a write."
    #[tokio::test(start_paused = true)]
    async fn all_replicas_have_seen_a_write_when_they_have_reached_its_token() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        network.set_delay("west", "east", Duration::from_secs(1));
        let written = west.write(tuples("alice")).await?;
        let has_seen = |node: &Node| covers(&node.current_token(), &written.token);
        assert!(has_seen(&west) && !has_seen(&east));
        let reader = SnapshotReader::new(east.clone());
        reader.wait_for(&written.token, ReadMode::AtLeast).await?;
        assert!(has_seen(&west) && has_seen(&east));
        Ok(())
    }

    /// "Distributed transactions - Coordinate across multiple nodes": a read after writes at two nodes sees both.
    #[tokio::test(start_paused = true)]
    async fn a_merged_token_reads_the_writes_of_both_nodes() -> Done {
        let network = Network::named("");
        network.delay(Duration::from_millis(200));
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        let (here, there) = tokio::try_join!(west.write(tuples("alice")), east.write(tuples("bob")))?;
        assert!(here.token.is_concurrent_with(&there.token));
        let merged = here.token.merge(&there.token);
        for node in [west, east] {
            let tuples = SnapshotReader::new(node).read_at_token(&key(), &merged).await?;
            assert_eq!(users(&tuples), ["alice", "bob"]);
        }
        Ok(())
    }
}

mod performance_characteristics {
    //! # Performance Characteristics
    //!
    //! The figures are measured by the benches, not here.

    use super::*;

    /// "Polling overhead: 10ms intervals". There is none: the write that a read waits for wakes it.
    #[tokio::test(start_paused = true)]
    async fn a_read_is_woken_when_its_revision_arrives() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        network.set_delay("west", "east", Duration::from_millis(3));
        let written = west.write(tuples("alice")).await?;
        let begun = Instant::now();
        SnapshotReader::new(east).read_at_token(&key(), &written.token).await?;
        assert_eq!(begun.elapsed(), Duration::from_millis(3));
        Ok(())
    }
}

mod advanced_usage {
    //! # Advanced Usage

    use super::*;

    /// "Session Consistency". The document's session takes the revision of the last write alone; with several nodes it keeps the
    /// token of the write, which names what the session saw before, too.
    #[tokio::test(start_paused = true)]
    async fn a_session_keeps_its_token_across_requests() -> Done {
        struct Session {
            store: Arc<Node>,
            token: RevisionToken,
        }

        impl Session {
            async fn write(&mut self, tuples: [Update; 1]) -> Done {
                let revision = self.store.write(tuples).await?;
                self.token = RevisionToken::new("node1", revision.number);
                Ok(())
            }

            async fn read(&self, key: &Filter) -> Result<Vec<Relationship>, ReadError> {
                let reader = SnapshotReader::new(self.store.clone());
                reader.read_at_token(key, &self.token).await
            }
        }

        let store = memory_backend().await;
        let token = store.current_token();
        let mut session = Session { store, token };
        assert!(session.read(&key()).await?.is_empty());
        session.write(tuples("alice")).await?;
        assert_eq!(users(&session.read(&key()).await?), ["alice"]);
        session.write(tuples("bob")).await?;
        assert_eq!(users(&session.read(&key()).await?), ["alice", "bob"]);
        Ok(())
    }

    /// The same session, which moves to another region.
    #[tokio::test(start_paused = true)]
    async fn a_session_can_change_its_region() -> Done {
        let network = Network::named("");
        network.delay(Duration::from_millis(200));
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        let mut token = west.write(tuples("alice")).await?.token;
        token = east.write_if(tuples("bob"), &[], Some(&token)).await?.token;
        let tuples = SnapshotReader::new(west).read_at_token(&key(), &token).await?;
        assert_eq!(users(&tuples), ["alice", "bob"]);
        Ok(())
    }

    /// "Multi-Region Reads".
    #[tokio::test(start_paused = true)]
    async fn a_read_in_another_region_blocks_until_it_has_caught_up() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "us-west-1").await, node(&network, "eu-west-1").await);
        network.set_delay("us-west-1", "eu-west-1", Duration::from_millis(200));
        let write_to_primary = async |tuples| west.write(tuples).await.map(|written| written.token);
        let local = SnapshotReader::new(east);

        // Write to primary region
        let token = write_to_primary(tuples("alice")).await?;
        assert!(local.read_current(&key())?.is_empty());

        // Read from local region with token
        let begun = Instant::now();
        let tuples = local.read_at_token(&key(), &token).await?;
        // Blocks until local region catches up to token revision
        assert_eq!(users(&tuples), ["alice"]);
        assert_eq!(begun.elapsed(), Duration::from_millis(200));
        Ok(())
    }

    /// "Linearizable Reads". They see all writes up to the current time that this node has; what another node has acknowledged
    /// and not yet delivered is seen with the token of that write.
    #[tokio::test(start_paused = true)]
    async fn a_read_at_the_latest_token_sees_all_writes_of_the_node() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "node1").await, node(&network, "node2").await);
        network.set_delay("node2", "node1", Duration::from_secs(1));
        let reader = SnapshotReader::new(west.clone());
        west.write(tuples("alice")).await?;
        let elsewhere = east.write(tuples("bob")).await?;

        // Get latest token
        let token = reader.current_token();

        // Read at latest revision
        let tuples = reader.read_at_token(&key(), &token).await?;
        // Guaranteed to see all writes up to current time
        assert_eq!(users(&tuples), ["alice"]);

        let tuples = reader.read_at_token(&key(), &token.merge(&elsewhere.token)).await?;
        assert_eq!(users(&tuples), ["alice", "bob"]);
        Ok(())
    }
}

mod best_practices {
    //! # Best Practices

    use super::*;

    /// "1. Use Tokens for Critical Reads".
    #[tokio::test(start_paused = true)]
    async fn critical_checks_carry_the_token_of_the_write() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        network.set_delay("west", "east", Duration::from_millis(200));
        let reader = SnapshotReader::new(east.clone());
        let (subject, resource): (SubjectRef, ObjectRef) = ("user:alice".parse()?, "doc:plan".parse()?);
        let permission = "view";

        // Critical: Need to see our own write
        let token = west.write(tuples("alice")).await?.token;

        // Non-critical: Eventual consistency is fine. It comes first here: it does not see the write yet.
        let check = east.check(&resource, permission, &subject, &east.clock())?;
        assert!(!check);

        let (check, at) = reader
            .check(&resource, permission, &subject, &token, ReadMode::AtLeast)
            .await?;
        assert!(check && covers(&at, &token));
        Ok(())
    }

    /// "2. Set Appropriate Timeouts".
    #[tokio::test(start_paused = true)]
    async fn each_reader_has_its_own_timeout() -> Done {
        let network = Network::named("");
        let (west, store) = (node(&network, "west").await, node(&network, "east").await);
        network.set_delay("west", "east", Duration::from_secs(2));
        let token = west.write(tuples("alice")).await?.token;

        // Interactive request - short timeout
        let reader = SnapshotReader::with_timeout(store.clone(), Duration::from_millis(100));
        let read = reader.read_at_token(&key(), &token).await;
        assert!(matches!(read, Err(ReadError::Timeout { .. })), "{read:?}");

        // Background job - longer timeout
        let reader = SnapshotReader::with_timeout(store, Duration::from_secs(30));
        assert_eq!(users(&reader.read_at_token(&key(), &token).await?), ["alice"]);
        Ok(())
    }

    /// "3. Cache Token Validations". Decoding validates already.
    #[tokio::test(start_paused = true)]
    async fn a_validated_token_is_reused() -> Done {
        let store = memory_backend().await;
        let reader = SnapshotReader::new(store.clone());
        let token_string = store.write(tuples("alice")).await?.token.encode();

        let token = RevisionToken::decode(&token_string)?;
        token.validate()?; // Validate once

        // Reuse validated token
        for key in [key(), Filter::of_type("doc")] {
            let tuples = reader.read_at_token(&key, &token).await?;
            assert_eq!(users(&tuples), ["alice"]);
        }
        Ok(())
    }

    /// "4. Monitor Token Age". Revisions of different nodes do not compare, so with several nodes the age is a number per node.
    #[tokio::test(start_paused = true)]
    async fn the_age_of_a_token_is_how_far_it_is_behind() -> Done {
        let network = Network::named("");
        let (store, other) = (node(&network, "node1").await, node(&network, "node2").await);
        let reader = SnapshotReader::new(store.clone());
        let client_token = reader.current_token();
        for number in 0..1001 {
            store.write(tuples(&format!("u{number}"))).await?;
        }
        reader
            .wait_for(&other.write(tuples("bob")).await?.token, ReadMode::AtLeast)
            .await?;

        let current = reader.current_token();
        let age = current.revision - client_token.revision;
        assert!(age > 1000, "Client token is {age} revisions behind");

        let lag: HashMap<_, _> = store
            .lag(&client_token)
            .into_iter()
            .map(|(node, lag)| (node.to_string(), lag))
            .collect();
        assert_eq!(lag["node1"], 1001);
        assert!(lag["node2"] >= 1);
        Ok(())
    }
}

mod troubleshooting {
    //! # Troubleshooting

    use super::*;

    /// "Token Validation Errors", with the causes that the document lists. The message says which of them it is.
    #[test]
    fn an_error_names_its_cause() {
        let spelled = |json: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, json);
        for (text, cause) in [
            ("%%%".to_owned(), "base64"),
            (spelled("{"), "JSON"),
            (
                spelled(r#"{"node_id":"","revision":1,"vector_clock":{"":1}}"#),
                "the node id is empty",
            ),
            (
                spelled(r#"{"node_id":"a","revision":0,"vector_clock":{"a":0}}"#),
                "the revision is 0",
            ),
            (
                spelled(r#"{"node_id":"a","revision":1,"vector_clock":{"b":1}}"#),
                "no entry of the token's own node",
            ),
        ] {
            let error = RevisionToken::decode(&text).unwrap_err();
            let mut said = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                said += &format!(": {error}");
                source = error.source();
            }
            assert!(said.contains(cause), "{said:?} does not say {cause:?}");
        }
    }

    /// "Timeout Waiting for Revision", after a network partition. The error names the nodes that are behind.
    #[tokio::test(start_paused = true)]
    async fn a_timeout_says_what_is_missing() -> Done {
        let network = Network::named("");
        let (west, east) = (node(&network, "west").await, node(&network, "east").await);
        network.cut("west", "east");
        let token = west.write(tuples("alice")).await?.token;
        let reader = SnapshotReader::new(east);
        let error = reader.read_at_token(&key(), &token).await.unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("2 of node `west`") && said.contains("within 5s"),
            "{said}"
        );

        // "Verify network connectivity"
        network.heal_all();
        assert_eq!(users(&reader.read_at_token(&key(), &token).await?), ["alice"]);
        Ok(())
    }

    /// "Concurrent Token Conflicts".
    #[test]
    fn concurrent_tokens_are_merged() {
        let clock = |a, b| [("node1", a), ("node2", b)];
        let token_a = RevisionToken::with_vector_clock("node1", 10, clock(10, 5));
        let token_b = RevisionToken::with_vector_clock("node2", 12, clock(8, 12));
        if token_a.is_concurrent_with(&token_b) {
            // Conflict: Need conflict resolution strategy
            let merged = token_a.merge(&token_b);
            // Use merged token for subsequent operations
            assert_eq!(merged, RevisionToken::with_vector_clock("node1", 10, clock(10, 12)));
            return;
        }
        panic!("they are concurrent");
    }
}

mod future_enhancements {
    //! # Future Enhancements

    use super::*;

    const QUESTION: &str = "/check?resource=doc:plan&permission=view&subject=user:alice";

    /// "1. Token Compression - More efficient encoding for large vector clocks".
    #[test]
    fn a_compact_token_is_at_most_half_as_long() -> Done {
        let clock = (0..10).map(|number| (format!("node-us-west-{number}@8f3a2c41"), 1000 + number));
        let token = RevisionToken::with_vector_clock("node-us-west-3@8f3a2c41", 1003, clock);
        let compact = token.encode_compact();
        assert!(
            compact.len() * 2 <= token.encode().len(),
            "{} of {}",
            compact.len(),
            token.encode().len()
        );
        // The same function reads both forms.
        assert_eq!(RevisionToken::decode(&compact)?, token);
        Ok(())
    }

    /// "2. Token Expiry - Automatic token invalidation after time window". The time of a token has to be signed, because a client
    /// could change it.
    #[test]
    fn a_signed_token_expires() -> Done {
        let signing = Signing::new(SigningKey::new("k1", [1; 32])?)
            .max_age(Duration::from_secs(60))
            .clock_skew(Duration::from_secs(5));
        let token = Zookie::new(NODE1_AT_42, 4096)?;
        let issued = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let signed = signing.sign_at(&token, issued);
        let after = |seconds| signing.verify_at(signed.as_str(), issued + Duration::from_secs(seconds));
        assert_eq!(after(60)?.zookie, token);
        let expired = after(66).unwrap_err();
        assert!(matches!(expired.kind(), TokenErrorKind::TooOld), "{expired}");
        Ok(())
    }

    /// "3. Bounded Staleness - Maximum allowed staleness for reads".
    #[tokio::test(start_paused = true)]
    async fn a_read_can_bound_its_staleness() -> Done {
        let store = memory_backend().await;
        let service = service(store.clone(), Duration::from_secs(60));
        let ask = |bound| {
            let mut request = get_check(QUESTION);
            let value = HeaderValue::from_static(bound);
            request.headers_mut().insert("zookie-consistency", value);
            send(&service, request)
        };
        assert_eq!(ask("bounded-staleness=20s").await.1["allowed"], false);
        store.write(tuples("alice")).await?;
        advance(Duration::from_secs(10)).await;
        assert_eq!(ask("bounded-staleness=20s").await.1["allowed"], false);
        assert_eq!(ask("bounded-staleness=5s").await.1["allowed"], true);
        Ok(())
    }

    /// "4. Token-Based Cache - Cache entries keyed by token". An answer serves every token that its revision covers, and reads at
    /// exactly its own.
    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_with_their_token() -> Done {
        let store = memory_backend().await;
        let first = store.write(tuples("alice")).await?.token;
        let second = store.write(tuples("bob")).await?.token;
        let service = service(store, Duration::from_secs(60));
        let ask = async |token: &RevisionToken, exactly: bool| {
            let mut request = get_check(&format!("{QUESTION}&token={}", token.encode()));
            if exactly {
                let value = HeaderValue::from_static("at-exact-snapshot");
                request.headers_mut().insert("zookie-consistency", value);
            }
            let Ok(reply) = service.clone().oneshot(request).await;
            let is_hit = reply.headers()["cache-status"].to_str().unwrap().contains("; hit");
            let body = reply.into_body().collect().await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let token = RevisionToken::decode(body["token"].as_str().unwrap()).unwrap();
            (token, is_hit)
        };
        assert_eq!(ask(&second, false).await, (second.clone(), false));
        assert_eq!(ask(&second, false).await, (second.clone(), true));
        assert_eq!(
            ask(&first, false).await,
            (second.clone(), true),
            "it covers the older token"
        );
        assert_eq!(ask(&second, true).await, (second.clone(), true));
        assert_eq!(ask(&first, true).await, (first.clone(), false), "another snapshot");
        Ok(())
    }
}

mod token_metrics {
    //! # Future Enhancements: "5. Token Metrics - Track token usage and staleness distributions"

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tokens_are_counted_by_carrier_and_by_how_far_they_lie_behind() -> Done {
        let store = memory_backend().await;
        let old = store.write(tuples("alice")).await?.token.encode();
        for number in 0..9 {
            store.write(tuples(&format!("u{number}"))).await?;
        }
        let layer = layer(Duration::from_secs(60));
        let service = layer.layer(router(store));
        let question = "/check?resource=doc:plan&permission=view&subject=user:alice";
        send(&service, get_check(question)).await;
        send(&service, get_check(&format!("{question}&token={old}"))).await;
        let stats = layer.handle().stats();
        assert_eq!((stats.tokens.query, stats.tokens.header), (1, 0));
        assert_eq!(stats.token_lag.count(), 1);
        Ok(())
    }
}

mod test_rows {
    //! The rows of InferaDB's own tests that no section shows.

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_tenants_are_isolated() -> Done {
        let (acme, other) = (
            node(&Network::new(), "node1").await,
            node(&Network::new(), "node1").await,
        );
        let token = acme.write(tuples("alice")).await?.token;
        let read = SnapshotReader::new(other.clone()).read_at_token(&key(), &token).await;
        assert_eq!(read, Err(ReadError::Foreign));
        assert!(other.read(&key(), &other.clock())?.is_empty());
        Ok(())
    }
}

/// Whether a token knows all that another one knows.
fn covers(token: &RevisionToken, other: &RevisionToken) -> bool {
    !other.is_after(token) && !other.is_concurrent_with(token)
}

/// The document's HTTP API on a node, behind a layer.
fn service(store: Arc<Node>, window: Duration) -> ZookieService<Router, Routes> {
    layer(window).layer(router(store))
}

fn router(store: Arc<Node>) -> Router {
    Router::new()
        .route("/write", post(write))
        .route("/check", get(check))
        .with_state(store)
}

fn layer(window: Duration) -> ZookieLayer<Routes> {
    let check = CheckRoute::get("/check")
        .asks(
            ObjectAt::query("resource"),
            TextAt::query("permission"),
            ObjectAt::query("subject"),
        )
        .verdict(Verdict::json("allowed"))
        .reply_token("token");
    let capabilities = Capabilities::versioned()
        .read_mode(Reads::Current)
        .writes_include_earlier(false);
    let routes = Routes::builder(InferaDb::cluster("document"))
        .check(check)
        .write(WriteRoute::post("/write").reply_token("token"))
        .capabilities(capabilities)
        .build()
        .unwrap();
    ZookieLayer::builder(routes)
        .cache(|cache| cache.window(window, Staleness::percent(0)))
        .build()
        .unwrap()
}

#[derive(Deserialize)]
struct Write {
    tuples: Vec<String>,
}

async fn write(State(store): State<Arc<Node>>, Json(Write { tuples }): Json<Write>) -> Response {
    let updates = tuples.iter().map(|tuple| Update::touch(tuple.parse().unwrap()));
    match store.write(updates).await {
        Ok(written) => Json(json!({"revision": written.number, "token": written.token.encode()})).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct Question {
    resource: String,
    permission: String,
    subject: String,
}

async fn check(State(store): State<Arc<Node>>, asked: Asked, Query(question): Query<Question>) -> Response {
    let Question {
        resource,
        permission,
        subject,
    } = question;
    let (resource, subject) = (resource.parse().unwrap(), subject.parse().unwrap());
    let token = asked
        .zookie
        .as_ref()
        .map(|zookie| RevisionToken::decode(zookie.as_str()).unwrap());
    let token = token.unwrap_or_else(|| store.current_token());
    let mode = match asked.consistency {
        tower_zookie::consistency::Consistency::AtExactSnapshot => ReadMode::Exact,
        _ => ReadMode::AtLeast,
    };
    let reader = SnapshotReader::new(store);
    match reader.check(&resource, &permission, &subject, &token, mode).await {
        Ok((allowed, at)) => Json(json!({"allowed": allowed, "token": at.encode()})).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

fn get_check(uri: &str) -> Request {
    Request::get(uri).body(Body::empty()).unwrap()
}

fn post_write(user: &str) -> Request {
    let body = json!({"tuples": [format!("doc:plan#reader@user:{user}")]}).to_string();
    let request = Request::post("/write").header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

async fn send(service: &ZookieService<Router, Routes>, request: Request) -> (StatusCode, Value) {
    let Ok(reply) = service.clone().oneshot(request).await;
    let status = reply.status();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}
