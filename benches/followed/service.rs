use std::convert::Infallible;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::runtime::Runtime;
use tower::{Layer, Service, ServiceExt};
use tower_zookie::cache::Stats;
use tower_zookie::changes::StoreFeed;
use tower_zookie::consistency::Staleness;
use tower_zookie::protocol::{CheckRoute, ObjectAt, Routes, TextAt, Verdict};
use tower_zookie::store::{History, ObjectRef, Store, SubjectRef, Update};
use tower_zookie::token::CounterTokens;
use tower_zookie::{Handle, ZookieLayer, ZookieService};

use crate::QUESTIONS;

const HOUR: Duration = Duration::from_secs(3600);
const TOKENS: &str = "followed";

/// How many users come and go. A change of one of them concerns none of the questions.
const PASSING: u64 = 500;

/// A layer before the recorded history's last state, and the questions that are asked there.
pub(crate) struct Checks {
    service: ZookieService<Answers, Routes>,
    handle: Handle<Routes>,
    store: Arc<Store>,
    questions: Vec<String>,
    /// How many users and how many groups have changed.
    written: [AtomicU64; 2],
}

/// What a write changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// A user, who is in none of the questions, is or is no longer a member of a team.
    User,
    /// A team, which matters to none of the questions, is or is no longer a part of another one.
    Group,
}

impl Change {
    fn update(self, number: u64) -> Update {
        let made = match self {
            Self::User => format!("team:passing#direct@user:passing{}", number % PASSING),
            Self::Group => format!("team:passing#direct@team:passing{}#member", number % PASSING),
        };
        let made = made.parse().expect("a relationship");
        // Each in turn is added, and later removed.
        match number / PASSING % 2 {
            0 => Update::touch(made),
            _ => Update::delete(made),
        }
    }
}

impl Checks {
    pub(crate) fn unfollowed(runtime: &Runtime) -> Result<Self, Box<dyn Error>> {
        let checks = Self::new(0)?;
        checks.ask_all(runtime);
        Ok(checks)
    }

    /// One that follows the store's feed, and keeps as many relationships that lead on.
    pub(crate) fn followed(runtime: &Runtime, structure: usize) -> Result<Self, Box<dyn Error>> {
        let checks = Self::new(structure)?;
        let feed = StoreFeed::counted(Arc::clone(&checks.store), CounterTokens::new(TOKENS));
        let following = checks.handle.clone();
        runtime.spawn(async move { following.follow(feed).await });
        checks.until(|stats| stats.feeds.ready == 1);
        // A change and a checkpoint, so that the relationships that lead on are read.
        checks.write(Change::User);
        std::thread::sleep(Duration::from_millis(50));
        checks.ask_all(runtime);
        Ok(checks)
    }

    fn new(structure: usize) -> Result<Self, Box<dyn Error>> {
        let history = History::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data"))?;
        let store = Arc::new(Store::new(history.schema));
        for transaction in &history.transactions {
            store.load(transaction.clone())?;
        }
        let check = CheckRoute::get("/check")
            .asks(
                ObjectAt::query("resource"),
                TextAt::query("permission"),
                ObjectAt::query("subject"),
            )
            .verdict(Verdict::json("allowed"));
        let layer = ZookieLayer::builder(Routes::builder(CounterTokens::new(TOKENS)).check(check).build()?)
            .cache(|cache| {
                cache
                    .window(HOUR, Staleness::percent(0))
                    .time_to_live(2 * HOUR)
                    .followed_time_to_live(2 * HOUR)
                    .structure(structure)
            })
            .build()?;
        Ok(Self {
            service: layer.layer(Answers(Arc::clone(&store))),
            handle: layer.handle(),
            questions: questions(&history.transactions),
            store,
            written: Default::default(),
        })
    }

    pub(crate) fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// Misses after each question was asked once.
    pub(crate) fn misses_since_the_start(&self) -> u64 {
        self.stats().misses.total().saturating_sub(QUESTIONS as u64)
    }

    /// Writes, and waits until the layer has heard of it.
    pub(crate) fn write(&self, change: Change) {
        let checkpoints = self.stats().feeds.checkpoints;
        let number = self.written[change as usize].fetch_add(1, Ordering::Relaxed);
        let written = self.store.write([change.update(number)]);
        assert!(written.is_ok(), "{written:?}");
        self.until(|stats| stats.feeds.checkpoints > checkpoints);
    }

    fn until(&self, holds: impl Fn(&Stats) -> bool) {
        while !holds(&self.stats()) {
            std::thread::yield_now();
        }
    }

    /// Asks each question once, and says how long the answers took.
    pub(crate) fn ask_all(&self, runtime: &Runtime) -> Duration {
        let requests: Vec<_> = self.questions.iter().map(|uri| request(uri)).collect();
        let mut service = self.service.clone();
        runtime.block_on(async {
            let start = Instant::now();
            for request in requests {
                let ready = service.ready().await.expect("ready");
                let response = ready.call(request).await.expect("a reply");
                std::hint::black_box(response);
            }
            start.elapsed()
        })
    }
}

fn request(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::get(uri)
        .header("host", "authz.example.com")
        .header("authorization", "Bearer example-key");
    request.body(Full::default()).expect("valid")
}

/// Who may push to which repository: users and repositories of the history in turn.
fn questions(transactions: &[tower_zookie::store::Transaction]) -> Vec<String> {
    let mut repositories: Vec<&ObjectRef> = Vec::new();
    let mut users: Vec<&SubjectRef> = Vec::new();
    for made in transactions.iter().flat_map(|transaction| &transaction.updates) {
        let (resource, subject) = (made.relationship.resource(), made.relationship.subject());
        if resource.object_type() == "repo" && !repositories.contains(&resource) {
            repositories.push(resource);
        }
        if subject.object_ref().object_type() == "user" && users.len() < QUESTIONS && !users.contains(&subject) {
            users.push(subject);
        }
    }
    (0..QUESTIONS)
        .map(|at| {
            let (repository, user) = (repositories[at % repositories.len()], users[at % users.len()]);
            format!("/check?resource={repository}&permission=push&subject={user}")
        })
        .collect()
}

/// Writes in a thread of its own.
pub(crate) struct Writes {
    store: Arc<Store>,
}

/// The thread that writes.
pub(crate) struct Writer {
    stops: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writes {
    pub(crate) fn of(checks: &Checks) -> Self {
        Self {
            store: Arc::clone(&checks.store),
        }
    }

    /// Writes so many times a second while `arrives` says so.
    pub(crate) fn at_rate(self, rate: f64, arrives: Arc<AtomicBool>) -> Writer {
        let stops = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stops);
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            while !stopping.load(Ordering::Relaxed) {
                let start = Instant::now();
                let mut due = 0.0;
                while arrives.load(Ordering::Relaxed) && !stopping.load(Ordering::Relaxed) {
                    // In bursts of a millisecond.
                    while due < start.elapsed().as_secs_f64() * rate {
                        let written = self.store.write([Change::User.update(number)]);
                        assert!(written.is_ok(), "{written:?}");
                        number += 1;
                        due += 1.0;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Writer { stops, thread }
    }
}

impl Writer {
    pub(crate) fn stop(self) {
        self.stops.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic");
    }
}

/// Answers from the store.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Arc<Store>);

impl Service<Request<Full<Bytes>>> for Answers {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let query = request.uri().query().unwrap_or_default();
        let part = |name: &str| {
            let mut parts = form_urlencoded::parse(query.as_bytes());
            let found = parts.find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            found.expect("the query has it")
        };
        let (resource, subject) = (part("resource").parse(), part("subject").parse());
        let (resource, subject): (ObjectRef, SubjectRef) = (resource.expect("an object"), subject.expect("a subject"));
        let revision = self.0.current_revision();
        let allowed = self.0.check(&resource, &part("permission"), &subject, revision);
        let body = format!(r#"{{"allowed":{}}}"#, allowed.expect("the schema knows it"));
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("zookie", revision.to_string());
        std::future::ready(Ok(response.body(Full::from(body)).expect("valid")))
    }
}
