//! The tests' SpiceDB against what was recorded of a real one: the same writes, then the same reads at the same
//! revisions, spelled alike.

use std::collections::BTreeSet;

use http_body_util::{BodyExt, Full};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::frame::{messages, text};
use tower_zookie_testing::grpc::Reply;
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::wire::{Call, Recording};

use crate::server::Server;
use crate::spelling::{Point, PostgresRevision, Spelling};

/// What the compared reads must include.
const READS: [&str; 30] = [
    "check-has",
    "check-no",
    "check-default",
    "check-default-again",
    "check-min",
    "check-least",
    "check-least-own-checked-at",
    "check-least-legacy-zero",
    "check-least-forged",
    "check-no-forged",
    "check-least-foreign",
    "check-least-future",
    "check-least-malformed",
    "check-least-empty",
    "check-exact",
    "check-exact-again",
    "check-exact-before-write",
    "check-exact-future",
    "check-exact-ancient",
    "check-exact-foreign",
    "check-exact-malformed",
    "bulk-default",
    "bulk-least",
    "check-after-import",
    "enemy-check-granted",
    "enemy-check-cached",
    "enemy-check-at-revocation",
    "enemy-check-new-content",
    "check-expiring-after",
    "check-after-schema-write",
];

/// PostgreSQL's heartbeat wrote a transaction before these.
const HEARTBEATS: [&str; 2] = ["watch-write-1", "check-after-schema-write"];

const SECOND: u64 = 1_000_000_000;

fn token(call: &Call) -> Option<String> {
    text(messages(&call.response.body()).first()?, &[1, 1])
}

fn method(call: &Call) -> &str {
    call.request.uri().path().rsplit('/').next().unwrap()
}

fn is_write(call: &Call) -> bool {
    let of_writes = [
        "WriteSchema",
        "WriteRelationships",
        "DeleteRelationships",
        "ImportBulkRelationships",
    ];
    of_writes.contains(&method(call))
}

fn is_read(call: &Call) -> bool {
    ["CheckPermission", "CheckBulkPermissions", "BulkCheckPermission"].contains(&method(call))
}

struct Script {
    engine: Engine,
    server: Server,
    recording: Recording,
    /// When the first call was made, by the recorded store's clock.
    began: u64,
}

impl Script {
    fn new(engine: Engine, recording: Recording) -> Self {
        let first = Spelling::read(&token(recording.call("schema-write")).unwrap()).unwrap();
        let server = Server::new(engine);
        let (txid, instant) = match engine {
            Engine::Postgres => {
                let revision = PostgresRevision::read(&first.revision).unwrap();
                (Some(revision.optional_txid), revision.optional_timestamp)
            }
            _ => (None, first.revision.parse().unwrap()),
        };
        if let Some(txid) = txid {
            server.begin_at(txid);
        }
        {
            let mut state = server.state();
            state.prefix.clone_from(&first.prefix);
            state.says_all = true;
        }
        let began = instant - recording.call("schema-write").at_ms.unwrap() * SECOND / 1000;
        Self {
            engine,
            server,
            recording,
            began,
        }
    }

    fn commit(&self, at: u64) -> String {
        let id = {
            let mut state = self.server.state();
            state.store.set_clock(at);
            state.store.begin(Vec::new())
        };
        if self.engine != Engine::Postgres {
            self.server.state().store.set_clock(at);
        }
        self.server.commit(id)
    }

    /// When a write was made, by the store's clock.
    fn instant(&self, call: &Call) -> u64 {
        // An import's reply has no token. A head read after it names one.
        let reporting = if call.case == "import-bulk" {
            self.recording.call("check-after-import")
        } else {
            self.recording.call(&call.case)
        };
        let revision = Spelling::read(&token(reporting).unwrap()).unwrap().revision;
        match self.engine {
            Engine::Postgres => PostgresRevision::read(&revision).unwrap().optional_timestamp.max(1),
            _ => revision.parse().unwrap(),
        }
    }

    fn write(&self, call: &Call) {
        match call.response.trailer("grpc-status") {
            Some("0") => {
                let written = self.commit(self.instant(call));
                if let Some(token) = token(call).filter(|_| call.case != "import-bulk") {
                    assert_eq!(written, token, "{}", call.case);
                }
            }
            // PostgreSQL had given it an id.
            Some("6" | "9") => {
                let mut state = self.server.state();
                let id = state.store.begin(Vec::new());
                state.store.roll_back(id);
            }
            _ => {}
        }
    }

    /// The window's first transaction, or on memory its beginning.
    fn quantize(&self, now: u64) {
        let newest = self.server.state().store.of_transaction(0).unwrap();
        let beginning = Point::Number(now - now % (5 * SECOND), 0);
        let named = if self.engine == Engine::Postgres {
            newest
        } else {
            beginning.into()
        };
        for node in 0..2 {
            self.server.quantize_at(node, named.clone());
        }
    }

    async fn read(&self, call: &Call) -> Reply {
        let request = call.request.clone().map(|body| Full::from(body).boxed_unsync());
        Client::direct(&self.server).send_request(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_test_server_chooses_revisions_like_a_real_one() {
    for (engine, name) in [
        (Engine::Postgres, "spicedb/grpc-postgres"),
        (Engine::Memory, "spicedb/grpc-memory"),
    ] {
        let script = Script::new(engine, Recording::load(name));
        let mut compared = BTreeSet::new();
        for call in &script.recording.calls {
            let now = script.began + call.at_ms.unwrap() * SECOND / 1000;
            if engine == Engine::Postgres && HEARTBEATS.contains(&&*call.case) {
                script.commit(now);
                script.quantize(now);
            }
            if is_write(call) {
                script.write(call);
                if call.case == "schema-write" {
                    script.quantize(now);
                }
            } else if is_read(call) {
                if engine == Engine::Memory {
                    script.server.state().store.set_clock(now);
                    script.quantize(now);
                }
                let reply = script.read(call).await;
                let recorded: i32 = call.response.trailer("grpc-status").unwrap().parse().unwrap();
                let expected = READS.contains(&&*call.case);
                if !expected && (recorded != 0 || reply.status() != 0) {
                    // About keys, caveats and types, which this server does not know.
                    continue;
                }
                assert_eq!(reply.status(), recorded, "{name}: {}", call.case);
                if recorded == 0 {
                    let chosen = text(messages(&reply.body)[0], &[1, 1]);
                    assert_eq!(chosen, token(call), "{name}: {}", call.case);
                }
                compared.insert(&*call.case);
            }
        }
        let missing: Vec<_> = READS.iter().filter(|case| !compared.contains(*case)).collect();
        assert!(
            missing.is_empty() && compared.len() > 40,
            "{missing:?}, {}",
            compared.len()
        );
    }
}
