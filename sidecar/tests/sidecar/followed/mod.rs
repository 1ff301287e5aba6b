//! Two sidecars that follow a live SpiceDB on PostgreSQL, compared with the server at the same snapshots.
//!
//! `SPICEDB_ENDPOINT=127.0.0.1:50051 SPICEDB_KEY=KEY SPICEDB_BEARER="Bearer KEY" DATABASE=postgres://… cargo test --release -p tower-zookie-sidecar
//! --test sidecar -- --ignored --nocapture --test-threads 1 followed`
//!
//! It replaces the schema. `DATABASE` is SpiceDB's own, for transactions that are held open by hand with `psql`. `CHECKS` is the
//! number of checks. `RESTART` is a command that restarts the server, `PIDS` are the processes whose CPU time is measured.

mod gate;

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use prost::Message;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tower_zookie::token::spicedb::{Engine, ZedTokens};
use tower_zookie::token::{Comparison, compare};
use tower_zookie_sidecar::proxy::Config;
use tower_zookie_testing::frame::framed;
use tower_zookie_testing::spicedb::messages as spicedb;

use crate::caller::{Caller, Whole};
use crate::running::Running;

use self::gate::Gate;

const WRITE: &str = "/authzed.api.v1.PermissionsService/WriteRelationships";
const WRITE_SCHEMA: &str = "/authzed.api.v1.SchemaService/WriteSchema";
const SCHEMA: &str = include_str!("../../../../examples/data/schema.zed");
const HISTORY: &str = include_str!("../../../../examples/data/transactions.jsonl");
const LONG: Duration = Duration::from_secs(20);

/// A relationship as the history spells it: resource, relation, subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tuple(String, String, String);

/// One question.
#[derive(Clone, Debug)]
struct Question {
    resource: (String, String),
    permission: &'static str,
    subject: (String, String, String),
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn number(name: &str, default: u64) -> u64 {
    variable(name, "").parse().unwrap_or(default)
}

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

fn parts(text: &str) -> (String, String) {
    let (kind, id) = text.split_once(':').unwrap();
    (kind.to_owned(), id.to_owned())
}

fn subject(text: &str) -> (String, String, String) {
    let (object, relation) = text.split_once('#').unwrap_or((text, ""));
    let (kind, id) = parts(object);
    (kind, id, relation.to_owned())
}

/// The recorded writes, and questions about them.
struct Workload {
    writes: Vec<Vec<(bool, Tuple)>>,
    questions: Vec<Question>,
}

impl Workload {
    fn read() -> Self {
        let lines = HISTORY
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let writes: Vec<Vec<(bool, Tuple)>> = lines
            .map(|transaction| {
                let updates = transaction["updates"].as_array().unwrap().iter();
                let text = |update: &serde_json::Value, nth: usize| update[nth].as_str().unwrap().to_owned();
                let tuple = |update: &serde_json::Value| {
                    let tuple = Tuple(text(update, 1), text(update, 2), text(update, 3));
                    (update[0] == "touch", tuple)
                };
                // SpiceDB rejects a write with two updates of one relationship.
                let mut seen = std::collections::HashSet::new();
                updates
                    .map(tuple)
                    .filter(|(_, tuple)| seen.insert(tuple.clone()))
                    .take(500)
                    .collect()
            })
            .collect();
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let tuples: Vec<&Tuple> = writes.iter().flatten().map(|(_, tuple)| tuple).collect();
        let users: Vec<&str> = tuples
            .iter()
            .map(|tuple| &*tuple.2)
            .filter(|text| text.starts_with("user:"))
            .collect();
        let questions = (0..1_500).map(|_| {
            let resource = parts(&tuples[dice.roll(tuples.len())].0);
            let permissions: &[&str] = match &*resource.0 {
                "repo" => &["push", "pull", "triage", "administer", "approve"],
                "team" => &["member", "manage"],
                _ => &["member", "admin"],
            };
            Question {
                permission: permissions[dice.roll(permissions.len())],
                subject: subject(users[dice.roll(users.len())]),
                resource,
            }
        });
        Self {
            questions: questions.collect(),
            writes,
        }
    }
}

/// A gRPC client of a sidecar or of the server.
struct Client {
    address: SocketAddr,
    caller: tokio::sync::Mutex<Option<Caller>>,
}

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            caller: tokio::sync::Mutex::new(None),
        }
    }

    /// `None`: the connection failed, as it does while the server restarts.
    async fn call(&self, path: &str, message: &impl Message) -> Option<Whole> {
        let caller = {
            let mut caller = self.caller.lock().await;
            if caller.is_none() {
                tokio::net::TcpStream::connect(self.address).await.ok()?;
                *caller = Some(Caller::patient(self.address).await);
            }
            caller.clone()?
        };
        let request = Request::post(format!("http://caller.example{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header(
                "authorization",
                format!("Bearer {}", variable("SPICEDB_KEY", "somekey")),
            )
            .body(())
            .unwrap();
        let call = async {
            let mut ready = caller.ready().await.ok()?;
            let (reply, mut stream) = ready.send_request(request, false).ok()?;
            stream.send_data(framed(message), true).ok()?;
            Whole::of(reply.await.ok()?).await.ok()
        };
        let whole = timeout(LONG, call).await.ok().flatten();
        if whole.is_none() {
            *self.caller.lock().await = None;
        }
        whole
    }

    async fn write(&self, updates: &[(bool, Tuple)]) -> Option<String> {
        let updates = updates.iter().map(|(touch, Tuple(resource, relation, subject))| {
            let (kind, id) = parts(resource);
            let (of, who, its_relation) = self::subject(subject);
            spicedb::RelationshipUpdate {
                operation: if *touch { spicedb::TOUCH } else { spicedb::DELETE },
                relationship: Some(spicedb::Relationship {
                    resource: spicedb::object(&kind, &id),
                    relation: relation.clone(),
                    subject: Some(spicedb::SubjectReference {
                        object: spicedb::object(&of, &who),
                        optional_relation: its_relation,
                    }),
                    optional_expires_at: None,
                }),
            }
        });
        let write = spicedb::WriteRelationshipsRequest {
            updates: updates.collect(),
            ..Default::default()
        };
        let whole = self.call(WRITE, &write).await?;
        let written = spicedb::WriteRelationshipsResponse::decode(whole.body.get(5..)?).ok()?;
        Some(written.written_at?.token)
    }

    async fn write_schema(&self, schema: &str) -> Option<()> {
        let schema = spicedb::WriteSchemaRequest {
            schema: schema.to_owned(),
        };
        let whole = self.call(WRITE_SCHEMA, &schema).await?;
        (whole.grpc_status() == "0").then_some(())
    }

    /// The verdict, its token, and how the sidecar answered.
    async fn check(
        &self,
        question: &Question,
        consistency: Option<spicedb::Consistency>,
    ) -> Result<(i32, String, String), String> {
        let (kind, id) = &question.resource;
        let (of, who, relation) = &question.subject;
        let check = spicedb::CheckPermissionRequest {
            consistency,
            resource: spicedb::object(kind, id),
            permission: question.permission.to_owned(),
            subject: Some(spicedb::SubjectReference {
                object: spicedb::object(of, who),
                optional_relation: relation.clone(),
            }),
            ..Default::default()
        };
        let whole = self.call(spicedb::CHECK, &check).await.ok_or("no reply")?;
        if whole.grpc_status() != "0" {
            return Err(format!("status {}", whole.grpc_status()));
        }
        let status = whole
            .headers
            .get("cache-status")
            .map_or("", |status| status.to_str().unwrap());
        let reply = spicedb::CheckPermissionResponse::decode(&whole.body[5..]).unwrap();
        let token = reply.checked_at.ok_or("no token")?.token;
        Ok((reply.permissionship, token, status.to_owned()))
    }
}

/// Two sidecars before a gate before the server, and the server itself.
struct Setup {
    sidecars: [Running; 2],
    clients: [Client; 3],
    gate: Gate,
    workload: Workload,
    newest: Mutex<String>,
}

impl Setup {
    async fn new(follow: bool) -> Self {
        let endpoint = env::var("SPICEDB_ENDPOINT").expect("SPICEDB_ENDPOINT");
        let gate = Gate::before(&format!("http://{endpoint}")).await;
        let upstream = format!("http://{}", gate.address);
        let direct = Client::new(endpoint.parse().expect("SPICEDB_ENDPOINT is an address"));
        direct.write_schema(SCHEMA).await.expect("the schema is written");
        let workload = Workload::read();
        let mut newest = String::new();
        for write in &workload.writes {
            let added: Vec<_> = write.iter().filter(|(touch, _)| *touch).cloned().collect();
            if !added.is_empty() {
                newest = direct.write(&added).await.expect("the history is written");
            }
        }
        let running = || async { Running::of(config(&upstream, follow)).await };
        let sidecars = [running().await, running().await];
        let clients = [
            Client::new(sidecars[0].address()),
            Client::new(sidecars[1].address()),
            direct,
        ];
        Self {
            sidecars,
            clients,
            gate,
            workload,
            newest: Mutex::new(newest),
        }
    }

    /// Writes one of the recorded transactions, or takes it back, through either sidecar or past them.
    async fn write(&self, dice: &mut Dice) {
        let write = &self.workload.writes[dice.roll(self.workload.writes.len())];
        let back = dice.roll(2) == 0;
        let updates: Vec<_> = write
            .iter()
            .map(|(touch, tuple)| (*touch != back, tuple.clone()))
            .take(20)
            .collect();
        if let Some(token) = self.clients[dice.roll(3)].write(&updates).await {
            *self.newest.lock().unwrap() = token;
        }
    }

    fn question(&self, dice: &mut Dice) -> &Question {
        // The low numbers are popular.
        let (one, other) = (dice.roll(1_000), dice.roll(1_000));
        let nth = one * other * self.workload.questions.len() / 1_000_000;
        &self.workload.questions[nth]
    }

    async fn stats(&self) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        for sidecar in &self.sidecars {
            all.push(stats(sidecar.admin).await);
        }
        all
    }
}

fn config(upstream: &str, follow: bool) -> Config {
    let mut args = vec!["--upstream", upstream, "--window", "5s", "--time-to-live", "60s"];
    if follow {
        args.extend(["--follow", "--follow-authorization-env", "SPICEDB_BEARER"]);
    }
    let mut config = crate::running::args(&args).config().unwrap();
    config.question = None;
    config
}

#[derive(Default)]
struct Tally {
    checks: AtomicU64,
    hits: AtomicU64,
    wrong: AtomicU64,
    below: AtomicU64,
    errors: Mutex<HashMap<String, u64>>,
    statuses: Mutex<HashMap<String, u64>>,
}

/// Checks through the sidecars, each compared with the server at the same snapshot.
async fn check(setup: Arc<Setup>, tally: Arc<Tally>, seed: u64, until: u64) {
    let mut dice = Dice(seed);
    let mut seen: Vec<String> = Vec::new();
    while tally.checks.load(Ordering::Relaxed) < until {
        let question = setup.question(&mut dice);
        let newest = setup.newest.lock().unwrap().clone();
        let (consistency, floor) = match dice.roll(10) {
            0..6 => (None, None),
            6..9 => (spicedb::at_least(&newest), Some(newest)),
            _ => match seen.last() {
                Some(token) => (spicedb::exactly(token), None),
                None => (None, None),
            },
        };
        let (verdict, token, status) = match setup.clients[dice.roll(2)].check(question, consistency).await {
            Ok(answer) => answer,
            Err(error) => {
                *tally
                    .errors
                    .lock()
                    .unwrap()
                    .entry(format!("sidecar: {error}"))
                    .or_default() += 1;
                sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        tally.checks.fetch_add(1, Ordering::Relaxed);
        tally
            .hits
            .fetch_add(u64::from(status.starts_with("tower-zookie; hit")), Ordering::Relaxed);
        let kind = status
            .split("; stored")
            .next()
            .unwrap_or_default()
            .replace("; collapsed", "");
        *tally.statuses.lock().unwrap().entry(kind).or_default() += 1;
        if let Some(floor) = floor {
            let order = compare(&ZedTokens::new(Engine::Postgres), &token, &floor);
            let covers = matches!(order, Ok(Comparison::Equal | Comparison::After));
            tally.below.fetch_add(u64::from(!covers), Ordering::Relaxed);
        }
        match setup.clients[2].check(question, spicedb::exactly(&token)).await {
            Ok((expected, _, _)) if expected == verdict => {}
            Ok((expected, _, _)) => {
                tally.wrong.fetch_add(1, Ordering::Relaxed);
                println!("WRONG {question:?}: {verdict}, but {expected} at {token}, {status}");
            }
            Err(error) => {
                *tally
                    .errors
                    .lock()
                    .unwrap()
                    .entry(format!("server: {error}"))
                    .or_default() += 1
            }
        }
        seen.push(token);
        if seen.len() > 20 {
            seen.remove(0);
        }
    }
}

/// Two transactions that add a relationship each, and are open at the same time: the one that began first ends last.
async fn hold_two_open(dice: &mut Dice, workload: &Workload) {
    let database = variable("DATABASE", "");
    if database.is_empty() {
        return;
    }
    let mut held = Vec::new();
    for seconds in ["1.5", "0.5"] {
        let question = &workload.questions[dice.roll(workload.questions.len())];
        let relation = match &*question.resource.0 {
            "repo" => "writer",
            "team" => "direct",
            _ => "member",
        };
        let sql = format!(
            "BEGIN; INSERT INTO relation_tuple_transaction DEFAULT VALUES; INSERT INTO relation_tuple (namespace, object_id, \
             relation, userset_namespace, userset_object_id, userset_relation) VALUES ('{}', '{}', '{relation}', '{}', '{}', \
             '...') ON CONFLICT DO NOTHING; SELECT pg_sleep({seconds}); COMMIT;",
            question.resource.0, question.resource.1, question.subject.0, question.subject.1
        );
        let psql = Command::new("psql").args([&*database, "-qAtc", &sql]).output();
        held.push(tokio::spawn(psql));
        sleep(Duration::from_millis(200)).await;
    }
    for psql in held {
        let output = psql.await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT"]
async fn rule_13_every_answer_is_the_servers_at_the_same_snapshot() {
    let setup = Arc::new(Setup::new(true).await);
    let tally = Arc::new(Tally::default());
    let checks = number("CHECKS", 100_000);
    let over = Arc::new(AtomicBool::new(false));
    let (writing, writes_over) = (Arc::clone(&setup), Arc::clone(&over));
    let writer = tokio::spawn(async move {
        let mut dice = Dice(7);
        let mut written = 0;
        while !writes_over.load(Ordering::Relaxed) {
            writing.write(&mut dice).await;
            written += 1;
            sleep(Duration::from_millis(50)).await;
        }
        written
    });
    let (disturbing, over_too) = (Arc::clone(&setup), Arc::clone(&over));
    let disturber = tokio::spawn(async move {
        let mut dice = Dice(11);
        let mut done: HashMap<&str, u64> = HashMap::new();
        let restart = variable("RESTART", "");
        for round in 0.. {
            if over_too.load(Ordering::Relaxed) {
                return done;
            }
            let what = match round % 8 {
                3 => {
                    disturbing.gate.cut();
                    "cut"
                }
                5 => {
                    disturbing.gate.freeze(true);
                    sleep(Duration::from_secs(4)).await;
                    disturbing.gate.freeze(false);
                    "frozen"
                }
                6 => {
                    let other = SCHEMA.replace("permission push = writer + maintainer", "permission push = maintainer");
                    let schema = if round % 16 == 6 { &*other } else { SCHEMA };
                    disturbing.clients[dice.roll(3)].write_schema(schema).await;
                    "schema"
                }
                7 if round % 16 == 15 && !restart.is_empty() => {
                    Command::new("sh").args(["-c", &restart]).status().await.unwrap();
                    "restart"
                }
                _ => {
                    hold_two_open(&mut dice, &disturbing.workload).await;
                    "held open"
                }
            };
            *done.entry(what).or_default() += 1;
            sleep(Duration::from_millis(700)).await;
        }
        done
    });
    let began = Instant::now();
    let checkers = (1..=8).map(|seed| {
        tokio::spawn(check(
            Arc::clone(&setup),
            Arc::clone(&tally),
            seed * 0x1234_5677,
            checks,
        ))
    });
    for checker in checkers.collect::<Vec<_>>() {
        checker.await.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    let (written, done) = (writer.await.unwrap(), disturber.await.unwrap());
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} checks in {:?}, {} hits, {written} writes, {done:?}; wrong {}, below the floor {}, errors {:?}",
        of(&tally.checks),
        began.elapsed(),
        of(&tally.hits),
        of(&tally.wrong),
        of(&tally.below),
        tally.errors.lock().unwrap()
    );
    let mut statuses: Vec<_> = tally.statuses.lock().unwrap().clone().into_iter().collect();
    statuses.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    statuses
        .iter()
        .for_each(|(status, count)| println!("{count:8} {status}"));
    for stats in setup.stats().await {
        println!(
            "feeds {}, upstream calls {}, warnings {}",
            stats["feeds"], stats["upstream_calls"], stats["warnings"]
        );
        assert!(stats["feeds"]["extended"].as_u64() > Some(0));
    }
    assert_eq!((of(&tally.wrong), of(&tally.below)), (0, 0));
}

/// What the server and its database spend on the same checks and writes, without and with `--follow`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs SPICEDB_ENDPOINT and PIDS"]
async fn the_upstreams_cpu_without_and_with_follow() {
    let seconds = number("SECONDS", 60);
    for follow in [false, true, false, true] {
        let setup = Setup::new(follow).await;
        sleep(Duration::from_secs(3)).await;
        let before = cpu();
        let mut dice = Dice(3);
        let began = Instant::now();
        let (mut checks, mut hits) = (0, 0);
        while began.elapsed() < Duration::from_secs(seconds) {
            if checks % 200 == 0 {
                setup.write(&mut dice).await;
            }
            let question = setup.question(&mut dice).clone();
            if let Ok((_, _, status)) = setup.clients[dice.roll(2)].check(&question, None).await {
                hits += u64::from(status.starts_with("tower-zookie; hit"));
            }
            checks += 1;
            let due = began + Duration::from_micros(checks * 2_500);
            tokio::time::sleep_until(due).await;
        }
        let calls: u64 = setup
            .stats()
            .await
            .iter()
            .map(|stats| stats["upstream_calls"].as_u64().unwrap_or(0))
            .sum();
        println!(
            "follow {follow}: {checks} checks, {hits} hits, {calls} upstream calls, CPU {:.1} s",
            cpu() - before
        );
    }
}

/// The CPU time of the processes in `PIDS`, and of those that they started, in seconds.
fn cpu() -> f64 {
    let pids = variable("PIDS", "");
    let of = |pid: &str| -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // utime, stime, and those of children that have ended, in hundredths of a second.
        Some(
            fields[11..15]
                .iter()
                .filter_map(|field| field.parse::<f64>().ok())
                .sum::<f64>()
                / 100.0,
        )
    };
    pids.split_whitespace().filter_map(of).sum()
}

/// What a sidecar has done, as its operators see it.
async fn stats(admin: SocketAddr) -> serde_json::Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(admin).await.unwrap();
    let request = b"GET /stats HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
}
