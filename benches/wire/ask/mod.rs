//! The client: a fixed number of callers, each of which asks again as soon as it has its answer.

mod grpc;
mod http;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use crate::AnyError;
use crate::history::Questions;
use crate::rows::{Api, Asked, Row, Upstream};

/// How many calls are under way at a time.
pub(crate) const CALLERS: usize = 16;

/// How many questions are asked in the rows that repeat a few.
const FEW: usize = 64;

/// How many tokens of the past there are to one of the newest revision.
const OLD_TOKENS: u32 = 100;

/// How many tokens are drawn; then they come again.
const TOKENS: usize = 1 << 16;

/// Where the next turn begins in the popularity sequence: further on than a turn comes.
const STRIDE: usize = 90_000;

/// The bytes of a request around its token.
#[derive(Debug)]
struct Request {
    before: Vec<u8>,
    after: Vec<u8>,
    allowed: bool,
}

/// All questions as one API asks them. Servers of this API share it.
#[derive(Debug)]
pub(crate) struct Book {
    api: Api,
    sequence: Vec<u32>,
    by_rank: Vec<Request>,
    head: u64,
}

impl Book {
    pub(crate) fn new(api: Api, questions: &Questions) -> Self {
        let write = match api {
            Api::Routes => http::get,
            Api::AuthZen => http::post,
            Api::SpiceDb => grpc::check,
        };
        Self {
            api,
            sequence: questions.sequence.clone(),
            by_rank: questions.by_rank.iter().map(write).collect(),
            head: questions.head,
        }
    }
}

/// What one server is asked next.
#[derive(Debug)]
struct Script {
    row: Row,
    book: Arc<Book>,
    /// The bytes of each revision's token.
    tokens: Vec<Vec<u8>>,
    /// The order in which they are sent.
    drawn: Vec<usize>,
    next: AtomicUsize,
}

impl Script {
    fn new(row: Row, book: &Arc<Book>, node: &str) -> Result<Self, AnyError> {
        let tokens = match book.api {
            Api::Routes | Api::AuthZen => http::tokens(node, book.head),
            Api::SpiceDb => grpc::tokens(node, book.head)?,
        };
        let newest = tokens.len() - 1;
        let mut random = StdRng::seed_from_u64(0);
        let mut draw = || match random.random_ratio(1, OLD_TOKENS + 1) {
            true => newest,
            false => random.random_range(0..newest),
        };
        Ok(Self {
            row,
            book: Arc::clone(book),
            drawn: (0..TOKENS).map(|_| draw()).collect(),
            tokens,
            next: AtomicUsize::new(0),
        })
    }

    /// The next question, the token to send, and the decision to expect.
    fn next(&self) -> (&Request, &[u8], bool) {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let rank = match self.row.asked {
            Asked::Popular => self.book.sequence[index % self.book.sequence.len()] as usize,
            Asked::Few => index % FEW,
            Asked::Distinct => index % self.book.by_rank.len(),
        };
        let request = &self.book.by_rank[rank];
        let allowed = request.allowed || self.row.upstream == Upstream::Static;
        (request, &self.tokens[self.drawn[index % TOKENS]], allowed)
    }
}

/// The connection of a caller.
#[derive(Debug)]
enum Connection {
    Http(http::Connection),
    Grpc(grpc::Connection),
}

impl Connection {
    /// Asks the script's next question and looks at the answer.
    async fn ask(&mut self, script: &Script) -> Result<(), AnyError> {
        let (request, token, expected) = script.next();
        let allowed = match self {
            Self::Http(connection) => connection.ask(request, token).await?,
            Self::Grpc(connection) => connection.ask(request, token).await?,
        };
        if allowed != expected {
            return Err(format!("the decision {allowed} is wrong").into());
        }
        Ok(())
    }
}

/// The callers of one server.
#[derive(Debug)]
pub(crate) struct Callers {
    script: Arc<Script>,
    connections: Vec<Connection>,
}

/// When the callers stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// When all callers together have asked this often.
    Asked(usize),
    /// When the time is over.
    Over(Duration),
}

impl Callers {
    pub(crate) async fn connect(row: Row, book: &Arc<Book>, address: SocketAddr, node: &str) -> Result<Self, AnyError> {
        let mut connections = Vec::with_capacity(CALLERS);
        match row.api {
            Api::Routes | Api::AuthZen => {
                for _ in 0..CALLERS {
                    connections.push(Connection::Http(http::Connection::open(address).await?));
                }
            }
            Api::SpiceDb => {
                let shared = grpc::Connection::open(address).await?;
                connections.extend((0..CALLERS).map(|_| Connection::Grpc(shared.clone())));
            }
        }
        Ok(Self {
            script: Arc::new(Script::new(row, book, node)?),
            connections,
        })
    }

    /// Goes to where this round's questions begin.
    pub(crate) fn begin(&self, round: usize) {
        self.script.next.store(round * STRIDE, Ordering::Relaxed);
    }

    /// The number of answers, and the time that they took.
    pub(crate) async fn ask(&mut self, until: Until) -> Result<(usize, Duration), AnyError> {
        let (began, mut callers) = (Instant::now(), JoinSet::new());
        let most = match until {
            Until::Asked(count) => count.div_ceil(CALLERS),
            Until::Over(_) => usize::MAX,
        };
        for mut connection in self.connections.drain(..) {
            let script = Arc::clone(&self.script);
            callers.spawn(async move {
                let mut answers = 0;
                while answers < most && !matches!(until, Until::Over(time) if began.elapsed() >= time) {
                    connection.ask(&script).await?;
                    answers += 1;
                }
                Ok::<_, AnyError>((connection, answers))
            });
        }
        let mut all = 0;
        while let Some(caller) = callers.join_next().await {
            let (connection, answers) = caller??;
            self.connections.push(connection);
            all += answers;
        }
        Ok((all, began.elapsed()))
    }
}
