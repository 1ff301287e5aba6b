//! Which questions are asked, when, and how fresh the answers must be.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Exp, Zipf};
use tower_zookie::store::{History, Transaction};

use crate::AnyError;
use crate::asked::Asked;
use crate::feed::FeedTerms;
use crate::part::{Changing, Groups, part};
use crate::questions::questions;
use crate::world::{Decisions, Millis, Question, Recorded, World};

/// How long a token is recent: Zanzibar's distinction between Check Recent and Check Safe.
const RECENT: Millis = 10_000;

/// How long content stays unmodified: its zookie is as old as its last change.
const CONTENT_LIVES: (f64, f64) = (60e3, 86_400e3);

/// This many of the most popular questions have a watcher, who reacts to the writes that change the decision.
const WATCHED: Question = 4_096;

/// A watcher asks within this time before the write and within this time after it.
const WATCHES: Millis = 4_000;

/// One check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    pub(crate) at: Millis,
    pub(crate) question: Question,
    /// The revision of the caller's token.
    pub(crate) floor: Option<u64>,
}

/// All that happens in one run.
pub(crate) struct Workload {
    pub(crate) world: World,
    pub(crate) checks: Vec<Check>,
    /// Checks before this only warm the caches.
    pub(crate) counts_from: Millis,
}

impl Workload {
    /// The writes of the run, a second.
    pub(crate) fn write_rate(&self) -> f64 {
        let end = self.checks.last().map_or(0, |check| check.at);
        let writes = self.world.writes_after(0).take_while(|(at, _)| *at <= end).count();
        writes as f64 / (end as f64 / 1e3)
    }
}

/// How often each question is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Popularity {
    /// The recorded sequence, in its order.
    Recorded,
    /// Independent draws by Zipf's law with this exponent, over as many questions.
    Zipf(f64),
}

/// A workload on the recorded history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) checks: usize,
    /// Checks a second.
    pub(crate) rate: f64,
    /// How many seconds of the history pass in a second.
    pub(crate) compression: f64,
    pub(crate) popularity: Popularity,
    /// The share of tokens from the last 10 s.
    pub(crate) recent: f64,
}

/// The recorded data, read once.
pub(crate) struct Recordings {
    sequence: Arc<[Question]>,
    ranks: u32,
    asked: Arc<[Asked]>,
    history: History,
    decisions: Arc<Decisions>,
    /// For each revision, one of the popular questions whose decision it changes.
    concerned: Vec<Option<Question>>,
}

impl Recordings {
    pub(crate) fn read(folder: &Path) -> Result<Self, AnyError> {
        let packed = std::fs::read(folder.join("orm-busy-1m.u32.zst"))?;
        let bytes = zstd::decode_all(&*packed)?;
        let numbers = bytes
            .chunks_exact(4)
            .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let sequence: Arc<[Question]> = numbers.collect();
        let ranks = sequence.iter().max().ok_or("the popularity sequence is empty")? + 1;
        let history = History::open(folder)?;
        let asked = questions(&history, history.schema.source(), ranks)?;
        Self::of(sequence, ranks, asked.into(), history)
    }

    fn of(sequence: Arc<[Question]>, ranks: u32, asked: Arc<[Asked]>, history: History) -> Result<Self, AnyError> {
        let decisions = Decisions::recorded(Recorded::new(&history, Arc::clone(&asked))?);
        Ok(Self {
            sequence,
            ranks,
            asked,
            concerned: concerned(&decisions, history.transactions.len() + 2),
            history,
            decisions: Arc::new(decisions),
        })
    }

    /// The same questions about a history in which only a part of the relationships changes.
    pub(crate) fn part(&self, changing: Changing) -> Result<Self, AnyError> {
        let history = part(&self.history, changing);
        Self::of(Arc::clone(&self.sequence), self.ranks, Arc::clone(&self.asked), history)
    }

    /// How many transactions there are in the last so many seconds of the history, and which share of them touches groups.
    pub(crate) fn last_writes(&self, seconds: f64) -> (usize, f64) {
        let last = self.last();
        let recent = |transaction: &&Transaction| (last - transaction.t) as f64 <= seconds;
        let writes: Vec<_> = self.history.transactions.iter().filter(recent).collect();
        let groups = Groups::of(&self.history);
        let touching = writes
            .iter()
            .filter(|transaction| groups.are_touched_by(transaction))
            .count();
        (writes.len(), touching as f64 / writes.len().max(1) as f64)
    }

    /// The last seconds of the history in which there are this many transactions.
    pub(crate) fn seconds_of(&self, writes: usize) -> f64 {
        let mut newest_first = self.history.transactions.iter().rev();
        let before = newest_first.nth(writes).map_or(0, |transaction| transaction.t);
        (self.last() - before) as f64
    }

    fn last(&self) -> u64 {
        self.history.transactions.last().map_or(0, |transaction| transaction.t)
    }

    /// The run ends when the history does, and starts with all that was written before.
    pub(crate) fn workload(&self, scenario: &Scenario) -> Workload {
        let mut dice = StdRng::seed_from_u64(0x5eed);
        let arrivals = poisson(&mut dice, scenario.rate, scenario.checks);
        let end = arrivals.last().copied().unwrap_or(0);
        let world = self.world(end, scenario.compression);
        let zipf = match scenario.popularity {
            Popularity::Recorded => None,
            Popularity::Zipf(exponent) => {
                let law = Zipf::new(f64::from(self.ranks), exponent);
                Some(law.expect("there are questions, and the exponent is positive"))
            }
        };
        let checks = arrivals.into_iter().enumerate().map(|(index, at)| {
            let question = match &zipf {
                None => self.sequence[index % self.sequence.len()],
                Some(zipf) => zipf.sample(&mut dice) as u32 - 1,
            };
            let known = if dice.random_bool(scenario.recent) {
                at - dice.random_range(0..RECENT)
            } else {
                content_changed(question, at - RECENT)
            };
            Check {
                at,
                question,
                floor: Some(world.head_at(known)),
            }
        });
        let mut checks: Vec<Check> = checks.collect();
        checks.extend(self.watchers(&world, end, &mut dice));
        checks.sort_by_key(|check| check.at);
        Workload {
            world,
            checks,
            counts_from: end / 6,
        }
    }

    /// One of the users that a write concerns asks shortly before it, and again shortly after it with its token, to see
    /// the change.
    fn watchers(&self, world: &World, end: Millis, dice: &mut StdRng) -> Vec<Check> {
        let watched = world.writes_after(WATCHES).take_while(|(at, _)| at + WATCHES <= end);
        let watched = watched.filter_map(|(at, revision)| Some((at, revision, self.concerned[revision as usize]?)));
        let pairs = watched.flat_map(|(written, revision, question)| {
            let before = written - dice.random_range(1..WATCHES);
            let after = written + dice.random_range(1..WATCHES);
            let known = world.head_at(content_changed(question, before - RECENT));
            [(before, known), (after, revision)].map(|(at, floor)| Check {
                at,
                question,
                floor: Some(floor),
            })
        });
        pairs.collect()
    }

    fn world(&self, end: Millis, compression: f64) -> World {
        let last = self.last();
        let written = self.history.transactions.iter().map(|transaction| {
            let before_the_end = (last - transaction.t) as f64 * 1e3 / compression;
            end - before_the_end as Millis
        });
        // There is no revision 0, and revision 1 is the empty store.
        let commits = [Millis::MIN, Millis::MIN].into_iter().chain(written).collect();
        World::new(commits, Arc::clone(&self.decisions))
    }
}

/// One question that a revision changes, each of them with the same chance.
fn concerned(decisions: &Decisions, revisions: usize) -> Vec<Option<Question>> {
    let mut dice = StdRng::seed_from_u64(0xc0);
    let mut found = vec![(0, None); revisions];
    for question in 0..WATCHED {
        for revision in decisions.changes(question) {
            let (seen, one) = &mut found[*revision as usize];
            *seen += 1;
            if dice.random_ratio(1, *seen) {
                *one = Some(question);
            }
        }
    }
    found.into_iter().map(|(_, one)| one).collect()
}

/// When the content that a question is about was last changed before an instant. All who ask send the token of that
/// change.
fn content_changed(question: Question, by: Millis) -> Millis {
    let mut dice = StdRng::seed_from_u64(u64::from(question) ^ 0xc0_47e4_7000);
    let (shortest, longest) = CONTENT_LIVES;
    let lives = (shortest * (longest / shortest).powf(dice.random())) as Millis;
    by - (by + dice.random_range(0..lives)).rem_euclid(lives)
}

/// Arrivals at this rate a second, to the millisecond.
pub(crate) fn poisson(dice: &mut StdRng, rate: f64, count: usize) -> Vec<Millis> {
    let pause = Exp::new(rate / 1e3).expect("a rate is positive");
    let mut at = 0.0;
    let arrivals = (0..count).map(|_| {
        at += pause.sample(dice);
        at as Millis
    });
    arrivals.collect()
}

/// What every policy promises, and what it may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) interval: Duration,
    /// How much longer than the interval an answer may live, in percent of it.
    pub(crate) staleness: u8,
    pub(crate) entries: usize,
    /// The hard end of an entry, where a policy has one.
    pub(crate) time_to_live: Duration,
    pub(crate) latency: Duration,
    pub(crate) feed: FeedTerms,
}

impl Terms {
    /// The age that no answer may exceed.
    pub(crate) fn bound(&self) -> Millis {
        let interval = self.interval.as_millis() as Millis;
        interval + interval * Millis::from(self.staleness) / 100
    }
}
