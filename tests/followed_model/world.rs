//! One case: a store, its feed, the cache before it, and its callers.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower_zookie::ByteSize;
use tower_zookie::cache::{Capabilities, DecisionCache, Fingerprint, Keyer, Miss, Settings};
use tower_zookie::changes::FeedError;
use tower_zookie::consistency::Freshness;
use tower_zookie::revision::Revision;
use tower_zookie_testing::model::Tally;

use crate::adversary::{Attack, Sends};
use crate::connection::Checkpoint;
use crate::feed::Feed;
use crate::judge::{Demanded, Exchange, judge};
use crate::plan::Plan;
use crate::server::{Rejected, Service, Told};
use crate::steps::{Case, OfFeed, Pace, Pick, Read, Step, Wants};
use crate::store::{Engine, Writes};

/// The maximum age of an answer with default settings.
pub(crate) const BOUND: Duration = Duration::from_millis(5500);

/// The hard end of an answer whose feed is followed.
pub(crate) const FOLLOWED_TIME_TO_LIVE: Duration = Duration::from_secs(20);

const SESSIONS: usize = 2;

type Session = Arc<Mutex<Option<Revision>>>;

pub(crate) struct World<'a> {
    pub(crate) service: Service,
    pub(crate) cache: DecisionCache<Told>,
    /// The questions that are asked, and their keys.
    questions: Vec<(usize, Fingerprint)>,
    sessions: [Session; SESSIONS],
    /// What honest callers have, and the adversary too.
    tokens: Arc<Mutex<Vec<Revision>>>,
    /// The tokens of writes.
    written: Arc<Mutex<Vec<Revision>>>,
    under_way: Vec<JoinHandle<Exchange>>,
    writes: Vec<JoinHandle<()>>,
    follower: JoinHandle<Infallible>,
    pace: Pace,
    tally: &'a Tally,
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(engine: Engine, case: &Case, tally: &'a Tally) -> Self {
        let plan = Arc::new(Plan::new(case.fragments.clone()));
        let service = Service::new(engine, plan, case.present);
        service.lock().opens_with_schema = case.opens_with_schema;
        let settings = Settings::default()
            .background_reads(case.background_reads)
            .time_to_live(Duration::from_secs(8))
            .followed_time_to_live(FOLLOWED_TIME_TO_LIVE)
            .miss_memory(ByteSize::kibi(4))
            .change_memory(ByteSize::bytes(8 * case.stamps))
            .structure(case.structure);
        let cache = DecisionCache::new(settings, Capabilities::versioned()).unwrap();
        let keyer = Keyer::random();
        let key = |number: &usize| keyer.question(&number.to_string()).finish();
        let (following, feed) = (cache.clone(), Feed::new(service.clone()));
        let first = service.lock().past_head(0).1;
        Self {
            questions: case.questions.iter().map(|number| (*number, key(number))).collect(),
            sessions: Default::default(),
            tokens: Arc::new(Mutex::new(vec![first.clone()])),
            written: Arc::new(Mutex::new(vec![first])),
            under_way: Vec::new(),
            writes: Vec::new(),
            follower: tokio::spawn(async move { following.follow(feed).await }),
            pace: case.pace,
            service,
            cache,
            tally,
        }
    }

    /// What these changes are now, if nothing that is open is in their way.
    fn writes(&self, picks: &[Pick]) -> Option<Writes> {
        let server = self.service.lock();
        let (living, allowed) = (server.store.living(), server.store.allowed());
        let mut changes: Vec<(usize, bool)> = Vec::new();
        for pick in picks {
            let from = if pick.adds { &allowed } else { &living };
            if from.is_empty() {
                continue;
            }
            let which = *pick.which.get(from);
            if changes.iter().all(|(other, _)| *other != which) {
                changes.push((which, pick.adds));
            }
        }
        let writes = Writes::Relationships(changes);
        server.store.is_free(&writes).then_some(writes)
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Write { picks, through, takes } => {
                if let Some(writes) = self.writes(picks) {
                    self.write(writes, *through, *takes);
                }
            }
            Step::Begin { picks } => {
                if let Some(writes) = self.writes(picks) {
                    self.service.lock().begin(writes);
                }
            }
            Step::End { which, commits } => self.end(which, *commits),
            Step::WriteSchema { schema, takes } => {
                let writes = {
                    let server = self.service.lock();
                    let writes = Writes::Schema(schema.index(server.store.plan.schema_count()));
                    server.store.is_free(&writes).then_some(writes)
                };
                match (writes, takes) {
                    (Some(writes), Some(takes)) => self.write(writes, false, *takes),
                    (Some(writes), None) => self.service.lock().begin(writes),
                    (None, _) => {}
                }
            }
            Step::Quantize {
                node,
                back,
                of_transaction,
            } => self.service.lock().quantize(*node, *back, *of_transaction),
            Step::Node(node) => self.service.lock().node = *node,
            Step::ShareHead(times) => self.service.lock().share_head(*times),
            Step::Takes { before, after, schema } => {
                let delays = &mut self.service.lock().delays;
                (delays.before_reading, delays.after_reading, delays.schema) = (*before, *after, *schema);
            }
            Step::Wait(millis) => sleep(Duration::from_millis(*millis)).await,
            Step::Read(read) => self.read(*read),
            Step::Attack(attack) => self.attack(*attack),
            Step::Feed(of_feed) => self.feed(*of_feed),
        }
    }

    /// A write that stays open for so many milliseconds.
    pub(crate) fn write(&mut self, writes: Writes, through: bool, takes: u64) {
        let (service, cache) = (self.service.clone(), self.cache.clone());
        let (tokens, written) = (self.tokens.clone(), self.written.clone());
        let takes = Duration::from_millis(takes);
        self.writes.push(tokio::spawn(async move {
            let write = cache.begin_write();
            let id = {
                let store = &mut service.lock().store;
                // Another one may have begun since.
                if !store.is_free(&writes) {
                    return;
                }
                store.begin(writes)
            };
            sleep(takes).await;
            let token = service.lock().commit(id);
            if through {
                write.wrote(&token);
            }
            tokens.lock().unwrap().push(token.clone());
            written.lock().unwrap().push(token);
        }));
    }

    fn end(&self, which: &Index, commits: bool) {
        let mut server = self.service.lock();
        if server.left_open.is_empty() {
            return;
        }
        let index = which.index(server.left_open.len());
        let id = server.left_open.swap_remove(index);
        if !commits {
            server.store.roll_back(id);
            return;
        }
        let token = server.commit(id);
        self.tokens.lock().unwrap().push(token.clone());
        self.written.lock().unwrap().push(token);
    }

    pub(crate) fn read(&mut self, read: Read) {
        let session = match read.wants {
            Wants::Session(which) => Some(self.sessions[which].clone()),
            _ => None,
        };
        let floor = match read.wants {
            Wants::AtLeast(nth_last) => Some(nth_last_of(&self.tokens, nth_last)),
            Wants::Written(nth_last) => Some(nth_last_of(&self.written, nth_last)),
            Wants::Session(which) => self.sessions[which].lock().unwrap().clone(),
            _ => None,
        };
        let at_least = |floor: &Option<Revision>| floor.clone().map_or(Freshness::any(), Freshness::at_least);
        let (freshness, demanded) = match read.wants {
            Wants::Any | Wants::AtLeast(_) | Wants::Written(_) | Wants::Session(_) => {
                (at_least(&floor), Demanded::AtLeast(floor))
            }
            Wants::Exactly(nth_last) => {
                let snapshot = nth_last_of(&self.tokens, nth_last);
                (Freshness::Exact(snapshot.clone()), Demanded::Exactly(snapshot))
            }
            Wants::Full => (Freshness::Full, Demanded::Full),
            Wants::Within(millis) => {
                let bound = Duration::from_millis(millis);
                (Freshness::any().head_within(bound), Demanded::Within(bound))
            }
        };
        self.check(read.question, read.tells, freshness, demanded, true, session);
    }

    fn attack(&mut self, attack: Attack) {
        let seen = self.tokens.lock().unwrap().clone();
        let forged = attack.forge(&mut self.service.lock().store, &seen, self.tally);
        let (freshness, demanded) = match attack.sends {
            Sends::AtLeast => (Freshness::at_least(forged.clone()), Demanded::AtLeast(Some(forged))),
            Sends::Exactly => (Freshness::Exact(forged.clone()), Demanded::Exactly(forged)),
        };
        self.check(attack.question, true, freshness, demanded, false, None);
    }

    /// A request that is on its way from now on.
    fn check(
        &mut self,
        question: usize,
        tells: bool,
        freshness: Freshness,
        demanded: Demanded,
        is_honest: bool,
        session: Option<Session>,
    ) {
        let (service, cache, tokens) = (self.service.clone(), self.cache.clone(), self.tokens.clone());
        let (question, key) = self.questions[question];
        self.under_way.push(tokio::spawn(async move {
            let arrived = Instant::now();
            let upstream = move |ask| service.clone().ask(question, ask, tells);
            let reply = cache.check(key, &freshness, upstream).await;
            let label = reply.as_ref().ok().and_then(|checked| checked.revision.clone());
            if let (Some(label), true) = (label, is_honest) {
                tokens.lock().unwrap().push(label.clone());
                if let Some(session) = session {
                    let mut floor = session.lock().unwrap();
                    let joined = floor.take().map(|floor| floor.join(&label).expect("a join"));
                    *floor = Some(joined.unwrap_or(label));
                }
            }
            Exchange {
                question,
                demanded,
                is_honest,
                arrived,
                answered: Instant::now(),
                reply,
            }
        }));
    }

    fn feed(&self, of_feed: OfFeed) {
        let mut server = self.service.lock();
        let server = &mut *server;
        match of_feed {
            OfFeed::Polls { checkpoint, back } => {
                let (_, head) = server.past_head(back);
                if let Some(connection) = &mut server.connection {
                    connection.poll(&mut server.store, head, checkpoint);
                }
            }
            OfFeed::Delivers(count) => {
                if let Some(connection) = &mut server.connection {
                    connection.deliver(count, &mut server.named);
                }
            }
            OfFeed::Repeats => {
                if let Some(connection) = &mut server.connection {
                    connection.repeat();
                }
            }
            OfFeed::Breaks {
                loses,
                failures,
                with_schema,
            } => {
                (server.has_lost, server.failures) = (loses, failures);
                server.opens_with_schema = with_schema;
                if let Some(connection) = server.connection.take() {
                    self.tally.add("broke");
                    connection.end(Some(FeedError::interrupted(Rejected)));
                }
            }
            OfFeed::Ends => {
                if let Some(connection) = server.connection.take() {
                    connection.end(None);
                }
            }
        }
    }

    /// Judges all that has been answered, or waits for it too.
    async fn judge(&mut self, wait: bool) -> Result<(), TestCaseError> {
        for exchange in std::mem::take(&mut self.under_way) {
            if !wait && !exchange.is_finished() {
                self.under_way.push(exchange);
                continue;
            }
            let exchange = exchange.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
            judge(&mut self.service.lock(), &exchange)?;
            if let Ok(checked) = &exchange.reply {
                self.tally.add(if checked.is_hit() { "hit" } else { "miss" });
                if checked.is_hit() && checked.revision.as_ref() != Some(&checked.value.at) {
                    self.tally.add("hit at another revision");
                    if matches!(exchange.demanded, Demanded::Exactly(_)) {
                        let whose = if exchange.is_honest { "honest" } else { "forged" };
                        self.tally.add(format!("exact hit within a range, {whose}"));
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.take(step).await;
        self.pass().await
    }

    /// What happens after each step.
    pub(crate) async fn pass(&mut self) -> Result<(), TestCaseError> {
        // No two steps at one instant.
        sleep(Duration::from_millis(1)).await;
        self.service.lock().note_head();
        if self.pace != Pace::BySteps {
            let delivers = OfFeed::Delivers(usize::MAX);
            let polls = OfFeed::Polls {
                checkpoint: Checkpoint::Usual,
                back: 0,
            };
            let (first, second) = match self.pace {
                Pace::Late => (delivers, polls),
                Pace::AtOnce | Pace::BySteps => (polls, delivers),
            };
            self.feed(first);
            self.feed(second);
            sleep(Duration::from_millis(1)).await;
        }
        self.judge(false).await
    }

    pub(crate) async fn finish(&mut self) -> Result<(), TestCaseError> {
        for write in self.writes.drain(..) {
            write.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        self.judge(true).await?;
        let stats = self.cache.stats();
        for (what, count) in [
            ("extended", stats.feeds.extended),
            ("changed", stats.misses.of(Miss::Changed)),
            ("repeated", stats.feeds.repeated),
            ("begun anew", stats.feeds.begun.saturating_sub(1)),
            ("relationships that lead on", stats.feeds.structure),
        ] {
            (0..count).for_each(|_| self.tally.add(what));
        }
        Ok(())
    }
}

fn nth_last_of(tokens: &Mutex<Vec<Revision>>, nth_last: usize) -> Revision {
    let tokens = tokens.lock().unwrap();
    tokens[tokens.len().saturating_sub(nth_last + 1)].clone()
}
