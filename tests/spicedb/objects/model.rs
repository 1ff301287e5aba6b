//! Whole histories: three replicas with caches of their own and one store of objects' tokens, writes through any of them,
//! checks without tokens through any, and trouble everywhere. A judge knows the whole history of the authorization system.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, timeout};
use tower_zookie::objects::{Ancestors, MemoryObjects, Objects};
use tower_zookie::protocol::Object;
use tower_zookie::protocol::spicedb::{Engine, SpiceDb};
use tower_zookie_testing::grpc::{ALREADY_EXISTS, OK, Reply, UNAVAILABLE};
use tower_zookie_testing::model::{Tally, each};
use tower_zookie_testing::spicedb::Client;
use tower_zookie_testing::spicedb::messages::{
    CREATE, DELETE, DeleteRelationshipsRequest, DeleteRelationshipsResponse, ImportBulkRelationshipsRequest,
    PairResponse, RelationshipFilter, SubjectFilter, TOUCH, WriteRelationshipsResponse, bulk, check,
};

use crate::adversary::{Attack, attack};
use crate::choice::Loss;
use crate::objects::shared::{Feed, LookUp, Shared, Updated};
use crate::objects::world::{self, is_full, relationship, updates};
use crate::server::{Called, LAST_CHANGE, Server};
use crate::spelling::Point;
use crate::store::Named;

const DOCUMENTS: [&str; 2] = ["plan", "map"];
const USERS: [&str; 2] = ["ada", "bob"];
const RELATIONSHIPS: [&str; 9] = [
    "document:plan#viewer@user:ada",
    "document:plan#viewer@user:bob",
    "document:map#viewer@user:ada",
    "document:plan#viewer@group:eng#member",
    "group:eng#member@user:ada",
    "group:eng#member@user:bob",
    "document:map#parent@folder:work",
    "folder:work#viewer@user:bob",
    "document:map#viewer@user:*",
];
const LAG: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
enum Step {
    Write(Write),
    Check {
        through: usize,
        what: (usize, usize),
        is_bulk: bool,
    },
    /// What happens to the reply of the next write.
    Lose(Loss),
    LookUps(LookUp),
    Updates(Updated),
    /// How long the store takes before and after it does something.
    StoreTakes(u64, u64),
    Feed(Feed),
    /// A node's quantized revision becomes the head, or one that was the head lately.
    Quantize {
        node: usize,
        back: usize,
    },
    Node(usize),
    ShareHead,
    /// How long calls take, and writes stay open.
    Takes(u64, u64, u64),
    Wait(u64),
    Attack(Attack),
}

#[derive(Clone, Copy, Debug)]
struct Write {
    through: usize,
    what: usize,
    how: How,
    /// Its caller leaves after this many milliseconds.
    leaves: Option<u64>,
    /// It is tried again until it is acknowledged.
    tries: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Create,
    Touch,
    Delete,
    /// By a filter with both ids, with the resource's, or with its type.
    DeleteBy(Filter),
    Import,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Both,
    Resource,
    Type,
}

const HOWS: [How; 7] = [
    How::Create,
    How::Touch,
    How::Delete,
    How::DeleteBy(Filter::Both),
    How::DeleteBy(Filter::Resource),
    How::DeleteBy(Filter::Type),
    How::Import,
];

fn step() -> impl Strategy<Value = Step> {
    let how =
        prop_oneof![2 => Just(How::Create), 3 => Just(How::Touch), 3 => Just(How::Delete), 3 => select(&HOWS[..])];
    let leaves = prop_oneof![5 => Just(None), 1 => (0..20_u64).prop_map(Some)];
    let write = (0..3_usize, 0..RELATIONSHIPS.len(), how, leaves, 1..3_usize);
    let write = write.prop_map(|(through, what, how, leaves, tries)| Write {
        through,
        what,
        how,
        leaves,
        tries,
    });
    let what = (0..DOCUMENTS.len(), 0..USERS.len());
    let loss = prop_oneof![3 => Just(Loss::Status(UNAVAILABLE)), 1 => Just(Loss::Never)];
    let look_ups = prop_oneof![3 => Just(LookUp::Works), 1 => Just(LookUp::Fails), 1 => Just(LookUp::OneLess)];
    const FAILURES: [Updated; 3] = [Updated::FailsBefore, Updated::FailsAfter, Updated::FailsHalfway];
    let updated = prop_oneof![1 => Just(Updated::Works), 1 => select(&FAILURES[..])];
    let feed = prop_oneof![2 => Just(Feed::Works), 1 => Just(Feed::Stalls), 1 => (1..900_u64).prop_map(|millis| Feed::Lags(Duration::from_millis(millis))), 1 => Just(Feed::Ends)];
    let millis = || prop_oneof![3 => Just(0), 1 => 1..30_u64];
    prop_oneof![
        7 => write.prop_map(Step::Write),
        16 => (0..3_usize, what, prop::bool::weighted(0.2)).prop_map(|(through, what, is_bulk)| Step::Check { through, what, is_bulk }),
        1 => loss.prop_map(Step::Lose),
        1 => look_ups.prop_map(Step::LookUps),
        1 => updated.prop_map(Step::Updates),
        1 => (millis(), millis()).prop_map(|(before, after)| Step::StoreTakes(before, after)),
        1 => feed.prop_map(Step::Feed),
        2 => (0..2_usize, 0..3_usize).prop_map(|(node, back)| Step::Quantize { node, back }),
        1 => (0..2_usize).prop_map(Step::Node),
        1 => Just(Step::ShareHead),
        1 => (millis(), millis(), millis()).prop_map(|(before, after, write)| Step::Takes(before, after, write)),
        4 => prop_oneof![12 => 1..700_u64, 6 => 700..8000_u64, 1 => 60_000..70_000_u64].prop_map(Step::Wait),
        2 => attack(DOCUMENTS.len(), USERS.len()).prop_map(Step::Attack),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Without,
    Immediate,
    Followed,
}

/// A write that was acknowledged.
#[derive(Debug)]
struct Acknowledged {
    at: Instant,
    point: Point,
    /// Its objects. `None`: it may have changed any.
    touched: Option<Vec<String>>,
}

/// A check that was answered.
#[derive(Debug)]
struct Answered {
    arrived: Instant,
    answered: Instant,
    questions: Vec<(usize, usize)>,
    is_bulk: bool,
    reply: Reply,
}

struct World<'a> {
    server: Server,
    shared: Shared,
    replicas: Vec<Client>,
    mode: Mode,
    engine: Engine,
    writes: Vec<JoinHandle<Option<Acknowledged>>>,
    checks: Vec<JoinHandle<Answered>>,
    acknowledged: Vec<Acknowledged>,
    /// What the adversary has seen.
    seen: Vec<String>,
    records: BTreeMap<String, Vec<String>>,
    /// The heads, and when each was first seen.
    heads: Vec<(Instant, Named)>,
    quantized: [Instant; 2],
    tally: &'a Tally,
}

/// The folder above each document.
fn above(object: Object<'_>, found: &mut dyn FnMut(Object<'_>)) {
    if object.kind == b"document" {
        found(Object::new(b"folder".as_slice(), b"work".as_slice()));
    }
}

impl<'a> World<'a> {
    fn new(engine: Engine, mode: Mode, tally: &'a Tally) -> Self {
        let server = Server::new(engine);
        let shared = Shared::of(MemoryObjects::new(1000).unwrap());
        let replica = |_| {
            let store = Arc::new(shared.clone());
            let objects = match mode {
                Mode::Followed => Objects::followed(store, LAG).followed_capacity(9),
                _ => Objects::immediate(store),
            };
            let objects = objects.ancestors(Ancestors::by(above));
            Client::with(&server, SpiceDb::new(engine), |builder| match mode {
                Mode::Without => builder,
                _ => builder.objects(objects),
            })
        };
        let first = server.state().defaults[0].2.clone();
        Self {
            replicas: (0..3).map(replica).collect(),
            seen: vec![server.token_at(&first)],
            server,
            shared,
            mode,
            engine,
            writes: Vec::new(),
            checks: Vec::new(),
            acknowledged: Vec::new(),
            records: BTreeMap::new(),
            heads: Vec::new(),
            quantized: [Instant::now(); 2],
            tally,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Write(write) => self.write(*write),
            Step::Check { through, what, is_bulk } => self.check(*through, *what, *is_bulk),
            Step::Lose(loss) => self.server.state().loses = Some(*loss),
            Step::LookUps(how) => self.shared.script().look_up = how.clone(),
            Step::Updates(how) => self.shared.script().update = *how,
            Step::StoreTakes(before, after) => {
                let mut script = self.shared.script();
                script.before = Duration::from_millis(*before);
                script.after = Duration::from_millis(*after);
            }
            Step::Feed(feed) => self.shared.set_feed(*feed),
            Step::Quantize { node, back } => self.quantize(*node, *back),
            Step::Node(node) => self.server.state().node = *node,
            Step::ShareHead => self.server.share_head(1),
            Step::Takes(before, after, write) => {
                let mut state = self.server.state();
                state.before = Duration::from_millis(*before);
                state.latency = Duration::from_millis(*after);
                state.write_takes = Duration::from_millis(*write);
            }
            Step::Wait(_) => {}
            Step::Attack(attack) => self.attack(*attack),
        }
    }

    fn quantize(&mut self, node: usize, back: usize) {
        let newest = self.server.state().store.newest_default();
        let lately = |seen: &Instant| seen.elapsed() < Duration::from_secs(1);
        let last = self.heads.len();
        // It was the head until the next one.
        let chosen = match self.heads.get(last.saturating_sub(back)) {
            Some((ended, _)) if lately(ended) && back > 0 && back < last => self.heads[last - back - 1].1.clone(),
            _ => newest,
        };
        self.server.quantize_at(node, chosen);
        self.quantized[node] = Instant::now();
    }

    /// Some time. No node answers with an older revision than its setting allows.
    async fn pass(&mut self, mut time: Duration) {
        while !time.is_zero() {
            let step = time.min(Duration::from_millis(500));
            advance(step).await;
            time -= step;
            for node in 0..2 {
                if self.quantized[node].elapsed() > Duration::from_secs(3) {
                    self.quantize(node, 0);
                }
            }
        }
        let newest = self.server.state().store.newest_default();
        if self.heads.last().is_none_or(|(_, known)| *known != newest) {
            self.heads.push((Instant::now(), newest));
        }
    }

    fn write(&mut self, write: Write) {
        let (client, server) = (self.replicas[write.through].clone(), self.server.clone());
        self.writes.push(tokio::spawn(async move {
            for _ in 0..write.tries {
                let leaves = write.leaves.map_or(Duration::from_secs(10), Duration::from_millis);
                let reply = timeout(leaves, write.send(&client)).await.ok()?;
                if let Some(point) = write.acknowledged(&reply, &server) {
                    return Some(Acknowledged {
                        at: Instant::now(),
                        point,
                        touched: write.touched(),
                    });
                }
            }
            None
        }));
    }

    fn check(&mut self, through: usize, what: (usize, usize), is_bulk: bool) {
        let client = self.replicas[through].clone();
        let mut questions = vec![what];
        if is_bulk {
            questions.push((1 - what.0, what.1));
        }
        let arrived = Instant::now();
        self.checks.push(tokio::spawn(async move {
            let spelled: Vec<_> = questions
                .iter()
                .map(|(document, user)| (DOCUMENTS[*document], USERS[*user]))
                .collect();
            let reply = match is_bulk {
                true => client.bulk(&bulk(&spelled, None)).await,
                false => client.check(&check(spelled[0].0, spelled[0].1, None)).await,
            };
            Answered {
                arrived,
                answered: Instant::now(),
                questions,
                is_bulk,
                reply,
            }
        }));
    }

    fn attack(&mut self, attack: Attack) {
        self.tally.add("attack");
        let token = attack.forge(&self.seen, self.engine);
        self.seen.push(token.clone());
        let client = self.replicas[attack.through].clone();
        let sent = attack.send(client, token, DOCUMENTS[attack.what.0], USERS[attack.what.1]);
        let gives_up_after = attack.leaves.map_or(Duration::from_secs(10), Duration::from_millis);
        drop(tokio::spawn(timeout(gives_up_after, sent)));
    }

    /// Takes in the writes that were acknowledged, and then judges what was answered.
    async fn judge(&mut self, wait: bool) -> Result<(), TestCaseError> {
        for write in std::mem::take(&mut self.writes) {
            if !wait && !write.is_finished() {
                self.writes.push(write);
            } else if let Some(acknowledged) = write.await.map_err(|error| failed(&error))? {
                self.tally.add("acknowledged");
                self.seen.push(self.server.token_at(&acknowledged.point));
                self.acknowledged.push(acknowledged);
            }
        }
        for check in std::mem::take(&mut self.checks) {
            if !wait && !check.is_finished() {
                self.checks.push(check);
            } else {
                let answered = check.await.map_err(|error| failed(&error))?;
                self.judge_one(&answered)?;
            }
        }
        self.judge_records().await
    }

    fn judge_one(&mut self, answered: &Answered) -> Result<(), TestCaseError> {
        let reply = &answered.reply;
        if reply.status() != OK {
            // A head that was asked for earlier lacks what is known.
            let is_lagging = reply.status() == UNAVAILABLE && !self.server.state().shared.is_empty();
            prop_assert!(is_lagging, "{:?}", answered);
            self.tally.add("behind");
            return Ok(());
        }
        let (token, decisions) = match answered.is_bulk {
            false => (reply.checked().checked_at, vec![reply.has()]),
            true => {
                let reply = reply.bulk();
                let decision =
                    |response| matches!(response, Some(PairResponse::Item(item)) if item.permissionship == 2);
                let decisions = reply.pairs.into_iter().map(|pair| decision(pair.response));
                (reply.checked_at, decisions.collect())
            }
        };
        let token = token.unwrap().token;
        let at = self.server.point(&token);
        self.tally.add(if reply.is_from_cache() { "hit" } else { "miss" });
        self.seen.push(token);
        let lag = if self.mode == Mode::Followed {
            LAG
        } else {
            Duration::ZERO
        };
        for ((document, user), decision) in answered.questions.iter().zip(decisions) {
            let (document, user) = (DOCUMENTS[*document], USERS[*user]);
            let concerns = [
                format!("document:{document}"),
                format!("user:{user}"),
                "folder:work".to_owned(),
            ];
            for write in &self.acknowledged {
                let is_before = write.at + lag < answered.arrived;
                let touched = write.touched.as_ref();
                let changes = touched.is_none_or(|touched| touched.iter().any(|object| concerns.contains(object)));
                if !is_before || !changes || at >= write.point {
                    continue;
                }
                if self.mode == Mode::Without {
                    self.tally.add("stale");
                    continue;
                }
                if self.lagged(answered) {
                    self.tally.add("lagged");
                    continue;
                }
                prop_assert!(false, "{:?} lacks {:?} at {:?}", answered, write, at);
            }
            if self.engine == Engine::Postgres {
                let true_now = self.server.state().store.decides(&at, document, user);
                prop_assert_eq!(decision, true_now, "{:?} at {:?}", answered, at);
            }
        }
        Ok(())
    }

    /// Whether the answer is as strict as the store allows: it was asked fully consistent, and the store answered with a head
    /// that it had been asked for earlier.
    fn lagged(&self, answered: &Answered) -> bool {
        let is_strict = answered.reply.cache_status().contains("detail=\"object_");
        let meanwhile = answered.arrived..=answered.answered;
        is_strict
            && self
                .server
                .state()
                .shared
                .iter()
                .any(|shared| meanwhile.contains(shared))
    }

    /// No record ever goes back.
    async fn judge_records(&mut self) -> Result<(), TestCaseError> {
        let objects = [
            "document.plan",
            "document.map",
            "user.ada",
            "user.bob",
            "group.eng",
            "folder.work",
        ];
        for key in objects
            .into_iter()
            .chain(["=store", "=everything", "document.=all", "user.=all"])
        {
            let record = self.shared.record(key).await;
            let now: Vec<_> = record.tokens.iter().map(|token| token.as_str().to_owned()).collect();
            let before = self.records.insert(key.to_owned(), now.clone()).unwrap_or_default();
            for token in before {
                let old = self.server.point(&token);
                let is_covered = now.iter().any(|token| self.server.point(token) >= old);
                prop_assert!(is_covered || record.unsettled.is_some(), "{} went back: {:?}", key, now);
            }
        }
        Ok(())
    }
}

fn failed(error: &tokio::task::JoinError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

impl Write {
    async fn send(self, client: &Client) -> Reply {
        let text = RELATIONSHIPS[self.what];
        let (method, message) = match self.how {
            How::Create => return world::write(client, CREATE, &[text]).await,
            How::Touch => return world::write(client, TOUCH, &[text]).await,
            How::Delete => {
                return client
                    .call("PermissionsService/WriteRelationships", &updates(DELETE, &[text]))
                    .await;
            }
            How::DeleteBy(filter) => ("PermissionsService/DeleteRelationships", self.filter(filter)),
            How::Import => {
                let request = ImportBulkRelationshipsRequest {
                    relationships: vec![relationship(text)],
                };
                return client
                    .call("PermissionsService/ImportBulkRelationships", &request)
                    .await;
            }
        };
        client.call(method, &message).await
    }

    fn filter(self, by: Filter) -> DeleteRelationshipsRequest {
        let relationship = relationship(RELATIONSHIPS[self.what]);
        let (resource, subject) = (
            relationship.resource.unwrap(),
            relationship.subject.unwrap().object.unwrap(),
        );
        let subject = SubjectFilter {
            subject_type: subject.object_type,
            optional_subject_id: subject.object_id,
        };
        DeleteRelationshipsRequest {
            relationship_filter: Some(RelationshipFilter {
                resource_type: resource.object_type,
                optional_resource_id: if by == Filter::Type {
                    String::new()
                } else {
                    resource.object_id
                },
                optional_relation: String::new(),
                optional_subject_filter: (by == Filter::Both).then_some(subject),
            }),
        }
    }

    /// The objects whose checks have to see it. `None`: all.
    fn touched(self) -> Option<Vec<String>> {
        let is_pinned = !matches!(self.how, How::Import | How::DeleteBy(Filter::Resource | Filter::Type));
        let (resource, subject) = RELATIONSHIPS[self.what].split_once('@').unwrap();
        let object = |text: &str| text.split('#').next().unwrap().to_owned();
        (is_pinned && !subject.ends_with('*')).then(|| vec![object(resource), object(subject)])
    }

    /// The revision that a reply says that there is.
    fn acknowledged(self, reply: &Reply, server: &Server) -> Option<Point> {
        let point = |token: String| Some(server.point(&token));
        match (reply.status(), self.how) {
            (OK, How::Create | How::Touch | How::Delete) => {
                point(reply.message::<WriteRelationshipsResponse>().written_at.unwrap().token)
            }
            (OK, How::DeleteBy(_)) => point(reply.message::<DeleteRelationshipsResponse>().deleted_at.unwrap().token),
            (OK, How::Import) | (ALREADY_EXISTS, _) => point(reply.header(LAST_CHANGE)?.to_owned()),
            _ => None,
        }
    }
}

fn play(engine: Engine, mode: Mode, cases: u32) -> Tally {
    let tally = Tally::default();
    let name = format!("{engine:?}, {mode:?}");
    each(&name, cases, &prop::collection::vec(step(), 1..120), async |steps| {
        let mut world = World::new(engine, mode, &tally);
        for step in &steps {
            world.take(step);
            // No two steps at one instant.
            world.pass(Duration::from_millis(1)).await;
            if let Step::Wait(millis) = step {
                world.pass(Duration::from_millis(*millis)).await;
            }
            world.judge(false).await?;
        }
        world.judge(true).await
    });
    tally
}

fn holds(engine: Engine, mode: Mode) {
    let tally = play(engine, mode, 80);
    for note in ["acknowledged", "attack", "hit", "miss"] {
        assert!(tally.count(note) > 100, "only {} of {note}", tally.count(note));
    }
    let (behind, answers) = (tally.count("behind"), tally.count("hit") + tally.count("miss"));
    assert!(behind * 50 < answers, "{behind} errors and {answers} answers");
}

#[test]
fn rule_01_immediate_never_misses_an_acknowledged_write() {
    holds(Engine::Postgres, Mode::Immediate);
}

#[test]
fn rule_01_immediate_never_misses_an_acknowledged_write_in_memory() {
    holds(Engine::Memory, Mode::Immediate);
}

#[test]
fn rule_01_followed_misses_no_write_older_than_the_lag() {
    holds(Engine::Postgres, Mode::Followed);
}

#[test]
fn rule_01_followed_misses_no_write_older_than_the_lag_in_memory() {
    holds(Engine::Memory, Mode::Followed);
}

#[test]
fn without_objects_the_judge_finds_stale_answers() {
    assert!(play(Engine::Postgres, Mode::Without, 40).count("stale") > 50);
}

/// Three replicas, many checks, and one write in a hundred requests.
async fn in_peace(mode: Mode) {
    let tally = Tally::default();
    let mut world = World::new(Engine::Postgres, mode, &tally);
    world.shared = Shared::new();
    let (requests, mut hits, mut checks) = (3000_u32, 0, 0);
    let mut fully = 0;
    for n in 0..requests {
        let client = &world.replicas[(n % 3) as usize];
        // Each document has two users, and each user two documents.
        let chance = n.wrapping_mul(2_654_435_761) >> 8;
        let (nth, other) = (chance / 2 % 30, chance % 2);
        let (document, user) = (format!("d{nth}"), format!("u{}", (nth + other) % 30));
        if n % 100 == 99 {
            client.set(&document, &user, n % 200 == 99).await;
        } else {
            let reply = client.check(&check(&document, &user, None)).await;
            assert_eq!(reply.status(), OK);
            hits += u32::from(reply.is_hit());
            checks += 1;
        }
        let calls = world.server.calls().into_iter();
        let full = |call: &Called| is_full(&call.consistency);
        fully += calls
            .filter(|call| call.method == "CheckPermission" && full(call))
            .count();
        advance(Duration::from_millis(2)).await;
        if n % 2500 == 0 {
            world.server.quantize();
        }
    }
    assert!(hits * 10 >= checks * 6, "{mode:?}: {hits} hits of {checks}");
    assert!(
        fully * 50 <= checks as usize,
        "{mode:?}: {fully} of {checks} fully consistent"
    );
}

#[tokio::test(start_paused = true)]
async fn the_promise_is_not_bought_by_asking_head() {
    for mode in [Mode::Immediate, Mode::Followed] {
        in_peace(mode).await;
    }
}
