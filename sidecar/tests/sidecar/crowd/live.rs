//! The same before real servers: `SPICEDB_ENDPOINT=127.0.0.1:50051 SPICEDB_KEY=KEY SPICEDB_ENGINE=memory
//! PERMIFY_ENDPOINT=127.0.0.1:3478 PERMIFY_ENGINE=memory cargo test -p tower-zookie-sidecar --test sidecar -- --ignored
//! --nocapture crowd::live`

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use tokio::time::{Instant, timeout};
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::permify::messages as permify;
use tower_zookie_testing::spicedb::messages as spicedb;

use super::{LONG, System, call, status};
use crate::caller::{Caller, Whole};
use crate::running::Running;

const ROWS: usize = 20_000;

struct Live {
    system: System,
    server: SocketAddr,
    key: String,
    engine: String,
    at: SocketAddr,
}

impl Live {
    fn of(system: System) -> Self {
        let name = system.name().to_uppercase();
        let variable = |suffix: &str| env::var(format!("{name}_{suffix}"));
        let server: SocketAddr = variable("ENDPOINT").expect("an endpoint").parse().expect("HOST:PORT");
        Self {
            system,
            server,
            key: format!("Bearer {}", variable("KEY").unwrap_or_default()),
            engine: variable("ENGINE").unwrap_or_else(|_| "postgres".to_owned()),
            at: server,
        }
    }

    fn post(&self, path: &str) -> http::request::Builder {
        Request::post(format!("http://caller.example{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", &self.key)
    }

    async fn whole(&self, path: &str, message: Bytes) -> Whole {
        let caller = Caller::patient(self.at).await;
        call(&caller, self.post(path).body(()).unwrap(), message).await.unwrap()
    }

    /// A check that is asked at head.
    fn check(&self) -> (Request<()>, Bytes) {
        let message = match self.system {
            System::SpiceDb => framed(&spicedb::check("1", "u", spicedb::full())),
            System::Permify => framed(&permify::PermissionCheckRequest {
                tenant_id: "t1".to_owned(),
                metadata: Some(permify::Metadata {
                    depth: permify::DEPTH,
                    ..Default::default()
                }),
                entity: Some(permify::Entity {
                    r#type: "document".to_owned(),
                    id: "1".to_owned(),
                }),
                permission: "view".to_owned(),
                subject: Some(permify::Subject {
                    r#type: "user".to_owned(),
                    id: "u".to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
        };
        let path = self.system.check().0.uri().path().to_owned();
        (self.post(&path).body(()).unwrap(), message)
    }

    /// Everything that SpiceDB knows of documents.
    async fn rows(&self, caller: &Caller) -> Response<RecvStream> {
        let request = self.post(self.system.rows()).body(()).unwrap();
        let message = framed(&spicedb::ReadRelationshipsRequest {
            relationship_filter: Some(spicedb::RelationshipFilter {
                resource_type: "document".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        });
        timeout(LONG, caller.call(request, message))
            .await
            .expect("a reply")
            .unwrap()
    }

    async fn honest(&self) -> Honest<'_> {
        Honest {
            live: self,
            caller: Caller::patient(self.at).await,
            slowest: Duration::ZERO,
        }
    }
}

struct Honest<'a> {
    live: &'a Live,
    caller: Caller,
    slowest: Duration,
}

impl Honest<'_> {
    async fn is_served(&mut self) {
        let begun = Instant::now();
        let (request, body) = self.live.check();
        let whole = call(&self.caller, request, body).await.expect("a check is answered");
        assert_eq!(whole.grpc_status(), "0", "{whole:?}");
        self.slowest = self.slowest.max(begun.elapsed());
    }
}

/// Does the same straight and through the sidecar.
async fn both_ways(system: System, scenario: impl AsyncFn(&Live)) {
    let mut live = Live::of(system);
    prepare(&live).await;
    println!("straight to {}", system.name());
    scenario(&live).await;
    let url = format!("http://{}", live.server);
    let sidecar = ["--system", system.name(), "--engine", &live.engine, "--upstream", &url];
    let sidecar = Running::with(&sidecar).await;
    live.at = sidecar.address();
    println!("through the sidecar");
    scenario(&live).await;
}

async fn prepare(live: &Live) {
    if live.system == System::Permify {
        for (path, message) in permify_schema() {
            live.whole(path, message).await;
        }
        return;
    }
    let schema = "definition user {}\ndefinition document {\nrelation viewer: user\npermission view = viewer\n}";
    let schema = framed(&spicedb::WriteSchemaRequest {
        schema: schema.to_owned(),
    });
    let written = live.whole("/authzed.api.v1.SchemaService/WriteSchema", schema).await;
    assert_eq!(written.grpc_status(), "0", "{written:?}");
    for batch in 0..ROWS / 1000 {
        let ids = batch * 1000..(batch + 1) * 1000;
        let written = live.whole(WRITE, touch(ids.map(|id| id.to_string()))).await;
        assert_eq!(written.grpc_status(), "0", "{written:?}");
    }
}

/// A tenant with a schema. They may be there already.
fn permify_schema() -> [(&'static str, Bytes); 2] {
    use tower_zookie_testing::frame::{frame, written};
    let text = "entity user {}\nentity document {\nrelation viewer @user\npermission view = viewer\n}";
    let tenant = [written(1, b"t1"), written(2, b"t1")].concat();
    let schema = [written(1, b"t1"), written(2, text.as_bytes())].concat();
    [
        ("/base.v1.Tenancy/Create", frame(&tenant)),
        ("/base.v1.Schema/Write", frame(&schema)),
    ]
}

const WRITE: &str = "/authzed.api.v1.PermissionsService/WriteRelationships";

fn touch(ids: impl Iterator<Item = String>) -> Bytes {
    let updates = ids.map(|id| spicedb::RelationshipUpdate {
        operation: spicedb::TOUCH,
        relationship: Some(spicedb::Relationship {
            resource: spicedb::document(&id),
            relation: "viewer".to_owned(),
            subject: spicedb::user("u"),
            optional_expires_at: None,
        }),
    });
    framed(&spicedb::WriteRelationshipsRequest {
        updates: updates.collect(),
        ..Default::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT"]
async fn spicedb_with_streams_cancelled_after_their_first_row() {
    both_ways(System::SpiceDb, async |live| {
        let mut honest = live.honest().await;
        let hasty = Caller::patient(live.at).await;
        let begun = Instant::now();
        for n in 0..600 {
            let mut body = live.rows(&hasty).await.into_body();
            timeout(LONG, body.data()).await.expect("a row").unwrap().unwrap();
            drop(body);
            if n % 20 == 0 {
                honest.is_served().await;
            }
        }
        println!(
            "600 cancels in {:?}, the slowest check took {:?}",
            begun.elapsed(),
            honest.slowest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT"]
async fn spicedb_with_seven_hundred_unread_streams() {
    both_ways(System::SpiceDb, async |live| {
        let mut honest = live.honest().await;
        let mut open = Vec::new();
        for n in 0..700 {
            if n % 100 == 0 {
                open.push((Caller::patient(live.at).await, Vec::new()));
                honest.is_served().await;
            }
            let (caller, unread) = open.last_mut().unwrap();
            unread.push(live.rows(caller).await);
        }
        for _ in 0..50 {
            honest.is_served().await;
        }
        println!("700 unread, the slowest check took {:?}", honest.slowest);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT"]
async fn spicedb_with_the_details_of_180_bad_updates() {
    both_ways(System::SpiceDb, async |live| {
        let bad = touch((0..180).map(|n| format!("not an id {n} {}", "!".repeat(200))));
        let refused = live.whole(WRITE, bad).await;
        let details = refused
            .headers
            .get("grpc-status-details-bin")
            .map_or(0, |value| value.len());
        println!("status {}, {details} bytes of details", refused.grpc_status());
        assert_eq!(refused.grpc_status(), "3");
        assert!(details > 64 << 10);
    })
    .await;
}

/// What both servers are asked in the same way.
async fn of_both(system: System) {
    both_ways(system, async |live| {
        let mut honest = live.honest().await;
        let caller = Caller::patient(live.at).await;
        let watch = match system {
            System::SpiceDb => Bytes::from_static(&[0; 5]),
            System::Permify => tower_zookie_testing::frame::frame(&tower_zookie_testing::frame::written(1, b"t1")),
        };
        let request = live.post(system.watch()).body(()).unwrap();
        let (watched, mut message) = caller.begin(request).await;
        message.send_data(watch, true).unwrap();
        for _ in 0..20 {
            for _ in 0..21 {
                let (request, body) = live.check();
                let (_reply, mut stream) = caller.begin(request).await;
                stream.send_data(body, true).unwrap();
                stream.send_reset(Reason::CANCEL);
            }
        }
        let (request, body) = live.check();
        let whole = call(&caller, request, body).await.expect("its connection is open");
        assert_eq!(whole.grpc_status(), "0");
        drop(watched);

        let (mut exceeded, mut answered) = (0, 0);
        for n in 0..300 {
            let (mut request, body) = live.check();
            let deadline = ["0m", "1m", "2m"][n % 3].parse().unwrap();
            request.headers_mut().insert("grpc-timeout", deadline);
            match &*status(&caller, request, body).await {
                "0" => answered += 1,
                "4" => exceeded += 1,
                other => panic!("a deadline ended with status {other}"),
            }
        }
        println!("of 300 short deadlines {exceeded} were exceeded, {answered} were kept");

        for path in [system.passing(), live.check().0.uri().path()] {
            let refused = live.whole(path, Bytes::new()).await;
            println!(
                "{path} without a message: status {} {:?}",
                refused.grpc_status(),
                refused.headers.get("grpc-message")
            );
        }
        let (mut request, body) = live.check();
        request
            .headers_mut()
            .insert("x-large", "m".repeat(200 << 10).parse().unwrap());
        let whole = call(&caller, request, body).await.expect("its connection is open");
        assert_eq!(whole.grpc_status(), "0", "200 KiB of metadata");

        let hasty = Caller::patient(live.at).await;
        for _ in 0..20 {
            let mut calls = Vec::new();
            for _ in 0..50 {
                let (request, body) = live.check();
                let (reply, mut stream) = hasty.begin(request).await;
                stream.send_data(body, true).unwrap();
                calls.push(reply);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            drop(calls);
            honest.is_served().await;
        }
        println!(
            "1,000 checks cancelled, the slowest of another caller took {:?}",
            honest.slowest
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT"]
async fn spicedb_with_a_hasty_caller() {
    of_both(System::SpiceDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PERMIFY_ENDPOINT"]
async fn permify_with_a_hasty_caller() {
    of_both(System::Permify).await;
}
