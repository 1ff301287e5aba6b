//! The service in front of the store: how it chooses the revision of a read, and what it has answered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_zookie::cache::{Answer, ReadAt, Weigh};
use tower_zookie::changes::Verdict;
use tower_zookie::revision::Revision;

use crate::connection::Connection;
use crate::plan::{Plan, Present, question};
use crate::store::{Engine, Store, Writes};

/// How old a revision may be that a read without a token is answered at.
pub(crate) const LAG: Duration = Duration::from_secs(2);

/// A head that was read for one caller is given to another one at most this much later.
const SHARED_FOR: Duration = Duration::from_secs(1);

/// What the service answers, and how it came to it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) allowed: bool,
    /// Where and when it was evaluated.
    pub(crate) at: Revision,
    pub(crate) evaluated: Instant,
}

impl Weigh for Told {
    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The service can't read at this revision.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the revision can't be read")]
pub(crate) struct Rejected;

/// How long calls take, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delays {
    pub(crate) before_reading: u64,
    pub(crate) after_reading: u64,
    pub(crate) schema: u64,
}

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Store,
    /// Heads, and when they were read.
    heads: Vec<(Instant, Revision)>,
    /// The revision at which each node answers reads without a token, and how old it is.
    defaults: [(Instant, Revision); 2],
    /// The node that answers now.
    pub(crate) node: usize,
    /// Transactions that stay open until a step ends them.
    pub(crate) left_open: Vec<u64>,
    /// A head that the next head reads share, and how many.
    shared_head: Option<(Instant, Revision, usize)>,
    pub(crate) delays: Delays,
    /// Every revision that the service named itself.
    pub(crate) named: HashSet<Revision>,
    /// The replies to head reads.
    pub(crate) answered_at_head: Vec<(Instant, Revision)>,
    /// When a head read was answered with an older head.
    pub(crate) shared: Vec<Instant>,
    /// The feed, while it is open.
    pub(crate) connection: Option<Connection>,
    /// The feed has lost what came after the frontier.
    pub(crate) has_lost: bool,
    /// So many attempts to open the feed, or to read the schema, fail.
    pub(crate) failures: usize,
    /// Opening the feed reads the schema.
    pub(crate) opens_with_schema: bool,
}

/// The same service for all who call it.
#[derive(Clone, Debug)]
pub(crate) struct Service(Arc<Mutex<Server>>);

impl Service {
    pub(crate) fn new(engine: Engine, plan: Arc<Plan>, present: Present) -> Self {
        let mut store = Store::new(engine, plan, present);
        let (now, head) = (Instant::now(), store.head());
        Self(Arc::new(Mutex::new(Server {
            store,
            heads: vec![(now, head.clone())],
            defaults: [(now, head.clone()), (now, head.clone())],
            node: 0,
            left_open: Vec::new(),
            shared_head: None,
            delays: Delays::default(),
            named: HashSet::from([head]),
            answered_at_head: Vec::new(),
            shared: Vec::new(),
            connection: None,
            has_lost: false,
            failures: 0,
            opens_with_schema: false,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap()
    }

    /// Answers a question. `tells`: the cache is told what the answer is about.
    pub(crate) async fn ask(self, asked: usize, ask: ReadAt, tells: bool) -> Result<Answer<Told>, Rejected> {
        let delays = self.lock().delays;
        sleep(Duration::from_millis(delays.before_reading)).await;
        let answer = self.lock().read(asked, &ask, tells);
        sleep(Duration::from_millis(delays.after_reading)).await;
        answer
    }
}

impl Server {
    fn read(&mut self, asked: usize, ask: &ReadAt, tells: bool) -> Result<Answer<Told>, Rejected> {
        let at = self.choose(ask)?;
        let allowed = self.store.verdict(&at, asked);
        let told = Told {
            allowed,
            at: at.clone(),
            evaluated: Instant::now(),
        };
        let answer = Answer::at(told, at);
        let verdict = if allowed { Verdict::Yes } else { Verdict::No };
        Ok(match tells {
            true => answer.about(question(asked), verdict),
            false => answer,
        })
    }

    /// The revision of a read, chosen as SpiceDB does. What it takes from the request it does not name.
    fn choose(&mut self, ask: &ReadAt) -> Result<Revision, Rejected> {
        let chosen = match ask {
            ReadAt::Any => self.default(),
            ReadAt::Head => {
                let head = self.head();
                self.answered_at_head.push((Instant::now(), head.clone()));
                head
            }
            ReadAt::AtLeast(asked) | ReadAt::Unmodified(asked) => {
                let default = self.default();
                if default > *asked {
                    default
                } else {
                    return self.store.can_read(asked).then(|| asked.clone()).ok_or(Rejected);
                }
            }
            ReadAt::Exact(asked) => {
                let can_read = self.store.can_read_exactly(asked);
                return can_read.then(|| asked.clone()).ok_or(Rejected);
            }
        };
        self.named.insert(chosen.clone());
        Ok(chosen)
    }

    fn default(&mut self) -> Revision {
        let now = Instant::now();
        if now.saturating_duration_since(self.defaults[self.node].0) > LAG {
            self.defaults[self.node] = (now, self.store.head());
        }
        self.defaults[self.node].1.clone()
    }

    pub(crate) fn head(&mut self) -> Revision {
        match self.shared_head.take() {
            Some((since, head, times)) if times > 0 && since.elapsed() <= SHARED_FOR => {
                self.shared.push(Instant::now());
                self.shared_head = Some((since, head.clone(), times - 1));
                head
            }
            _ => self.store.head(),
        }
    }

    /// Remembers the head, so that it may be answered at later.
    pub(crate) fn note_head(&mut self) {
        let now = Instant::now();
        self.heads.retain(|(at, _)| now.saturating_duration_since(*at) <= LAG);
        let head = self.store.head();
        self.heads.push((now, head));
    }

    /// A head that was read within the lag: this many before the last one, if there are so many.
    pub(crate) fn past_head(&self, back: usize) -> (Instant, Revision) {
        self.heads[self.heads.len().saturating_sub(back + 1)].clone()
    }

    /// A node answers reads without a token at another revision from now on: a head of the last seconds, or the revision of
    /// a transaction that began in them.
    pub(crate) fn quantize(&mut self, node: usize, back: usize, of_transaction: bool) {
        let now = Instant::now();
        let committed = self.store.committed.iter().nth_back(back);
        let of_transaction = committed
            .filter(|committed| of_transaction && now.saturating_duration_since(committed.began) <= LAG)
            .map(|committed| (committed.began, committed.own.clone()));
        self.defaults[node] = of_transaction.unwrap_or_else(|| self.past_head(back));
    }

    /// The next head reads are answered with the present head.
    pub(crate) fn share_head(&mut self, times: usize) {
        let head = self.store.head();
        self.shared_head = Some((Instant::now(), head, times));
    }

    /// A transaction begins that stays open.
    pub(crate) fn begin(&mut self, writes: Writes) {
        let id = self.store.begin(writes);
        self.left_open.push(id);
    }

    pub(crate) fn commit(&mut self, id: u64) -> Revision {
        let token = self.store.commit(id);
        self.named.insert(token.clone());
        token
    }
}
