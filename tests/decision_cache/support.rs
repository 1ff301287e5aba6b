//! An upstream whose calls wait until the test answers them, and revisions to answer with.

use std::cmp::Ordering;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tower_zookie::cache::{
    Answer, Capabilities, CheckError, Checked, DecisionCache, Fingerprint, Keyer, Part, ReadAt, Settings,
};
use tower_zookie::consistency::{Freshness, Staleness};
use tower_zookie::revision::{Counter, Point, Revision, StoreId, TransactionId};

/// A store written in two places: its order is partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair(pub(crate) u64, pub(crate) u64);

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.0.cmp(&other.0), self.1.cmp(&other.1)) {
            (a, b) if a == b => Some(a),
            (Ordering::Equal, one) | (one, Ordering::Equal) => Some(one),
            _ => None,
        }
    }
}

impl Point for Pair {
    fn join(&self, other: &Self) -> Option<Self> {
        Some(Self(self.0.max(other.0), self.1.max(other.1)))
    }
}

pub(crate) fn at(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Counter(n))
}

pub(crate) fn elsewhere(n: u64) -> Revision {
    Revision::new(StoreId::new(["another"]), Counter(n))
}

pub(crate) fn pair(a: u64, b: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), Pair(a, b))
}

pub(crate) fn number(n: u64) -> Revision {
    Revision::new(StoreId::new(["test"]), TransactionId(n))
}

pub(crate) fn yes(revision: Revision) -> Answer<bool> {
    Answer::at(true, revision)
}

pub(crate) fn no(revision: Revision) -> Answer<bool> {
    Answer::at(false, revision)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn floor(n: u64) -> Freshness {
    Freshness::at_least(at(n))
}

pub(crate) fn within(bound: Duration) -> Freshness {
    Freshness::any().head_within(bound)
}

/// The upstream does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rejected")]
pub(crate) struct Rejected;

type Reply = Result<Answer<bool>, Rejected>;
pub(crate) type Answered = Result<Checked<bool>, CheckError<Rejected>>;

/// One upstream call under way. If it is dropped, it panics in the upstream.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ask: ReadAt,
    reply: oneshot::Sender<Reply>,
}

impl Call {
    pub(crate) fn answer(self, answer: Answer<bool>) {
        let _ = self.reply.send(Ok(answer));
    }

    pub(crate) fn reject(self) {
        let _ = self.reply.send(Err(Rejected));
    }

    /// Whether the upstream call was cancelled.
    pub(crate) fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

/// A cache with the window of 5 s without slack, its upstream, and one question.
pub(crate) struct Bench {
    pub(crate) cache: DecisionCache<bool>,
    pub(crate) question: Fingerprint,
    keyer: Keyer,
    asked: mpsc::UnboundedSender<Call>,
    calls: mpsc::UnboundedReceiver<Call>,
}

pub(crate) fn settings() -> Settings {
    Settings::default()
        .window(secs(5), Staleness::percent(0))
        .background_reads(false)
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(settings(), Capabilities::versioned())
    }

    pub(crate) fn with(settings: Settings, capabilities: Capabilities) -> Self {
        let keyer = Keyer::random();
        let (asked, calls) = mpsc::unbounded_channel();
        Self {
            cache: DecisionCache::new(settings, capabilities).unwrap(),
            question: keyer.question("test").finish(),
            keyer,
            asked,
            calls,
        }
    }

    pub(crate) fn another_question(&self, name: &str) -> Fingerprint {
        self.keyer.question("test").text(Part::Resource, name).finish()
    }

    /// The store writes this revision now.
    pub(crate) fn wrote(&self, revision: &Revision) {
        self.cache.begin_write().wrote(revision);
    }

    /// A check that runs where it is polled.
    pub(crate) fn checking(
        &self,
        question: Fingerprint,
        freshness: &Freshness,
    ) -> Pin<Box<dyn Future<Output = Answered> + Send>> {
        let (cache, freshness, asked) = (self.cache.clone(), freshness.clone(), self.asked.clone());
        Box::pin(async move {
            let upstream = move |ask| {
                let (reply, answer) = oneshot::channel();
                asked.send(Call { ask, reply }).unwrap();
                async move { answer.await.expect("the upstream panics because the test wants it to") }
            };
            cache.check(question, &freshness, upstream).await
        })
    }

    /// A check that will run when the test waits for something.
    pub(crate) fn ask_for(&self, question: Fingerprint, freshness: &Freshness) -> JoinHandle<Answered> {
        tokio::spawn(self.checking(question, freshness))
    }

    pub(crate) fn ask(&self, freshness: &Freshness) -> JoinHandle<Answered> {
        self.ask_for(self.question, freshness)
    }

    /// The next upstream call.
    pub(crate) async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(secs(3600), self.calls.recv()).await;
        call.expect("no upstream call comes").unwrap()
    }

    pub(crate) async fn expect_no_call(&mut self) {
        settle().await;
        if let Ok(call) = self.calls.try_recv() {
            panic!("an upstream call too many: {:?}", call.ask);
        }
    }

    /// A check that asks the upstream once, at `ask`, and gets `answer`.
    pub(crate) async fn miss(&mut self, freshness: &Freshness, ask: ReadAt, answer: Answer<bool>) -> Checked<bool> {
        let checking = self.ask(freshness);
        let call = self.call().await;
        assert_eq!(call.ask, ask);
        call.answer(answer);
        let checked = checking.await.unwrap().unwrap();
        assert!(!checked.is_hit());
        self.expect_no_call().await;
        checked
    }

    /// A check that is answered from the cache.
    pub(crate) async fn hit(&mut self, freshness: &Freshness) -> Checked<bool> {
        let checking = self.ask(freshness);
        self.expect_no_call().await;
        let checked = checking.await.unwrap().unwrap();
        assert!(checked.is_hit());
        checked
    }

    /// Fills the cache with a `true` at this revision, which the upstream chose by itself.
    pub(crate) async fn fill(&mut self, revision: Revision) {
        assert!(self.miss(&Freshness::any(), ReadAt::Any, yes(revision)).await.stored);
    }

    /// What the upstream would be asked at. The call is dropped, and so is every caller that waits for it.
    pub(crate) async fn would_ask(&mut self, freshness: &Freshness) -> ReadAt {
        let checking = self.ask(freshness);
        let call = self.call().await;
        let ask = call.ask.clone();
        call.reject();
        settle().await;
        while let Ok(retry) = self.calls.try_recv() {
            retry.reject();
            settle().await;
        }
        let _ = checking.await;
        ask
    }
}

/// Lets every task run as far as it can.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn advance(duration: Duration) {
    settle().await;
    tokio::time::advance(duration).await;
    settle().await;
}
