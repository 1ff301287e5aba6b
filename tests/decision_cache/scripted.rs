//! Answers and the changes of a feed, one by one.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_zookie::cache::{Answer, Capabilities, Checked, DecisionCache, Fingerprint, Keyer, Miss};
use tower_zookie::changes::{Change, Event, FeedStats, Object, Question, Subject, Verdict};
use tower_zookie::consistency::Freshness;

use crate::script::Script;
use crate::support::{advance, at, elsewhere, floor, no, secs, settings, settle};

const SCHEMA: &str = "
    use expiration
    definition user {}
    definition team { relation member: user | team#member }
    definition doc {
        relation reader: user | team#member
        relation guest: user with expiration
        permission view = reader
        permission visit = reader + guest
    }
";

fn object(text: &str) -> Object {
    let (kind, id) = text.split_once(':').unwrap();
    Object::new(kind, id)
}

fn subject(text: &str) -> Subject {
    match text.split_once('#') {
        Some((of, relation)) => Subject::userset(object(of), relation),
        None => Subject::of(object(text)),
    }
}

fn added(resource: &str, relation: &str, who: &str) -> Change {
    Change::added(object(resource), relation, subject(who))
}

/// A change that concerns no question here.
fn other(number: u64) -> Change {
    added(&format!("doc:{number}"), "reader", "user:bob")
}

/// "No" at this revision, to whether Ann has the permission on the plan.
fn no_to(permission: &str, number: u64) -> Answer<bool> {
    let question = Question::new(object("doc:plan"), permission, subject("user:ann"));
    no(at(number)).about(question, Verdict::No)
}

fn no_at(number: u64) -> Answer<bool> {
    no_to("view", number)
}

/// A cache that follows a script.
struct Fed {
    cache: DecisionCache<bool>,
    question: Fingerprint,
    script: Script,
    follower: JoinHandle<Infallible>,
}

impl Fed {
    async fn new() -> Self {
        Self::with(Script::new(SCHEMA)).await
    }

    async fn with(script: Script) -> Self {
        let settings = settings().time_to_live(secs(10)).followed_time_to_live(secs(30));
        let cache = DecisionCache::new(settings, Capabilities::versioned()).unwrap();
        let fed = Self {
            question: Keyer::random().question("test").finish(),
            follower: script.follow(&cache),
            cache,
            script,
        };
        settle().await;
        fed
    }

    /// A check, which gets this answer if the upstream is asked.
    async fn check(&self, freshness: &Freshness, answer: Answer<bool>) -> Checked<bool> {
        let upstream = move |_| {
            let answer = answer.clone();
            async move { Ok::<_, Infallible>(answer) }
        };
        self.cache.check(self.question, freshness, upstream).await.unwrap()
    }

    /// The answer "no" at this revision is stored.
    async fn fill(&self, number: u64) {
        let checked = self.check(&Freshness::any(), no_at(number)).await;
        assert!(!checked.is_hit() && checked.stored);
    }

    /// Why a request at least at this revision misses. `None` if it hits.
    async fn misses(&self, number: u64) -> Option<Miss> {
        self.check(&floor(number), no_at(number)).await.miss
    }

    /// The feed reports this change, and that this is all up to there.
    async fn changes(&self, number: u64, change: Change) {
        self.script.changed(number, change);
        self.checkpoint(number).await;
    }

    async fn checkpoint(&self, number: u64) {
        self.script.checkpoint(number);
        settle().await;
    }

    fn stats(&self) -> FeedStats {
        self.cache.stats().feeds
    }
}

#[tokio::test(start_paused = true)]
async fn rule_13_the_frontier_moves_at_checkpoints_only() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.script.changed(6, other(6));
    settle().await;
    // Another change of the same revision may follow.
    assert_eq!(fed.misses(6).await, Some(Miss::Floor));

    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.script.changed(6, other(6));
    fed.changes(6, added("doc:plan", "reader", "user:ann")).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_slow_answer_ends_by_a_change_during_its_call() {
    let fed = Fed::new().await;
    let (reply, replied) = oneshot::channel::<()>();
    let (cache, question) = (fed.cache.clone(), fed.question);
    let slow = tokio::spawn(async move {
        let replied = Arc::new(Mutex::new(Some(replied)));
        let upstream = move |_| {
            let replied = replied.lock().unwrap().take();
            async move {
                replied.expect("one call").await.unwrap();
                Ok::<_, Infallible>(no_at(5))
            }
        };
        cache.check(question, &Freshness::any(), upstream).await
    });
    settle().await;
    fed.changes(6, added("doc:plan", "reader", "user:ann")).await;
    reply.send(()).unwrap();
    assert!(!slow.await.unwrap().unwrap().is_hit());
    assert_eq!(fed.misses(6).await, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_13_an_answer_that_nothing_is_known_of_is_never_extended() {
    let fed = Fed::new().await;
    let unknown = fed.check(&Freshness::any(), no(at(5))).await;
    assert!(unknown.stored);
    fed.changes(6, other(6)).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_answer_that_expires_by_the_clock_is_never_extended() {
    let fed = Fed::new().await;
    assert!(fed.check(&Freshness::any(), no_to("visit", 5)).await.stored);
    fed.changes(6, other(6)).await;
    assert_eq!(fed.check(&floor(6), no_to("visit", 6)).await.miss, Some(Miss::Floor));
    // Of the same schema, what does not expire is.
    fed.changes(7, other(7)).await;
    assert_eq!(fed.misses(7).await, Some(Miss::Floor));
    fed.changes(8, other(8)).await;
    assert_eq!(fed.misses(8).await, None);
}

#[tokio::test(start_paused = true)]
async fn rule_12_an_extended_answer_ends_by_its_time_to_live() {
    // Both the answer that may live long and the one that may not.
    for (permission, lives) in [("visit", 10), ("view", 30)] {
        let fed = Fed::new().await;
        assert!(fed.check(&Freshness::any(), no_to(permission, 5)).await.stored);
        for second in 1..lives {
            advance(secs(1)).await;
            // A watermark, so that the answer does not end by its age.
            fed.cache.begin_write().wrote(&at(5));
            fed.checkpoint(5 + second).await;
            let checked = fed.check(&floor(5), no_to(permission, 5)).await;
            assert!(checked.is_hit(), "{permission} after {second} s: {:?}", checked.miss);
        }
        advance(secs(1)).await;
        fed.cache.begin_write().wrote(&at(5));
        assert_eq!(
            fed.check(&floor(5), no_to(permission, 5)).await.miss,
            Some(Miss::Expired)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_broken_feed_goes_on_at_its_frontier() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.changes(6, other(6)).await;
    fed.script.state().head = at(9);
    fed.script.breaks();
    advance(secs(1)).await;
    assert_eq!(fed.script.state().opened, [None, Some(at(6))]);
    // What was reported before the break is reported again.
    fed.changes(6, other(6)).await;
    fed.changes(7, other(7)).await;
    assert_eq!(fed.misses(7).await, None);
    let stats = fed.stats();
    assert_eq!((stats.begun, stats.changes, stats.repeated), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_lost_feed_extends_nothing_from_before() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.changes(6, other(6)).await;
    assert_eq!(fed.misses(6).await, None);
    {
        let mut state = fed.script.state();
        (state.has_lost, state.head) = (true, at(8));
        state.schema.1 = at(8);
    }
    fed.script.breaks();
    advance(secs(1)).await;
    advance(secs(2)).await;
    assert_eq!(fed.script.state().opened, [None, Some(at(6)), None]);
    assert_eq!((fed.stats().begun, fed.stats().ready), (2, 1));
    // The change of the answer is among those that are lost.
    fed.changes(9, other(9)).await;
    assert_eq!(fed.misses(9).await, Some(Miss::Floor));
    fed.changes(10, other(10)).await;
    assert_eq!(fed.misses(10).await, None);
}

#[tokio::test(start_paused = true)]
async fn rule_13_the_feed_of_a_replaced_store_extends_nothing() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.changes(6, other(6)).await;
    assert_eq!(fed.misses(6).await, None);
    fed.cache.purge();
    // Another history, with the same numbers. The feed tells of the old one.
    fed.fill(5).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Floor));
    fed.changes(7, other(7)).await;
    assert_eq!(fed.misses(7).await, Some(Miss::Floor));
    advance(secs(1)).await;
    assert_eq!(fed.script.state().opened, [None, None]);
    assert!(!fed.check(&floor(8), no_at(8)).await.is_hit());
    fed.changes(9, other(9)).await;
    assert_eq!(fed.misses(9).await, None);
}

#[tokio::test(start_paused = true)]
async fn rule_13_the_feed_of_another_store_is_not_followed() {
    let script = Script::new(SCHEMA);
    script.state().head = elsewhere(1);
    let settings = settings();
    let cache = DecisionCache::new(settings, Capabilities::versioned()).unwrap();
    cache.wrote(&at(1));
    drop(script.follow(&cache));
    advance(secs(1)).await;
    assert_eq!(cache.stats().feeds.followed, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_that_has_changed_since_it_was_read_is_read_again() {
    let script = Script::new(SCHEMA);
    // It is read where the feed has not come to.
    script.state().schema.1 = at(5);
    let fed = Fed::with(script).await;
    assert_eq!(fed.stats().ready, 0);
    fed.script.state().schema = (SCHEMA.replace("view = reader", "view = guest"), at(8));
    fed.script.report(Event::SchemaChanged { at: at(7) });
    fed.checkpoint(7).await;
    assert_eq!(fed.stats().ready, 0, "the schema of 5 is not that of 7");
    fed.fill(7).await;
    advance(secs(1)).await;
    fed.checkpoint(8).await;
    assert_eq!(fed.stats().ready, 1);
    // It was answered before the schema was known.
    fed.changes(9, other(9)).await;
    assert_eq!(fed.misses(9).await, Some(Miss::Floor));
}

#[tokio::test(start_paused = true)]
async fn rule_13_answers_go_by_the_schema_that_was_known_when_they_came() {
    let fed = Fed::new().await;
    // The store has changed its schema before, and the feed lags.
    fed.fill(7).await;
    fed.script.state().schema = (SCHEMA.replace("view = reader", "view = reader + guest"), at(7));
    fed.script.report(Event::SchemaChanged { at: at(6) });
    fed.checkpoint(7).await;
    assert_eq!(fed.stats().ready, 1);
    fed.changes(8, added("doc:plan", "guest", "user:ann")).await;
    assert_eq!(fed.misses(8).await, Some(Miss::Floor));
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_feed_that_leaves_changes_out_extends_nothing() {
    let script = Script::new(SCHEMA);
    script.state().is_complete = false;
    let fed = Fed::with(script).await;
    fed.fill(5).await;
    fed.changes(6, other(6)).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Floor));
    fed.changes(7, added("doc:plan", "reader", "user:ann")).await;
    assert_eq!(fed.check(&Freshness::any(), no_at(7)).await.miss, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_13_what_can_not_be_told_ends_every_answer() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.script.report(Event::AnythingChanged { at: at(6) });
    fed.checkpoint(6).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_13_what_can_not_be_told_may_lead_on() {
    let fed = Fed::new().await;
    // In fact, the team became a reader of the plan.
    fed.script.report(Event::AnythingChanged { at: at(6) });
    fed.script.state().relationships = None;
    fed.checkpoint(6).await;
    fed.fill(6).await;
    fed.changes(7, added("team:eng", "member", "user:ann")).await;
    assert_eq!(fed.misses(7).await, Some(Miss::Changed));
}

#[tokio::test(start_paused = true)]
async fn rule_13_repeated_changes_are_not_counted_again() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.changes(6, added("doc:plan", "reader", "user:ann")).await;
    assert_eq!(fed.misses(6).await, Some(Miss::Changed));
    for _ in 0..100 {
        fed.changes(6, added("doc:plan", "reader", "user:ann")).await;
        assert_eq!(fed.misses(6).await, None);
    }
    let stats = fed.stats();
    assert_eq!((stats.changes, stats.repeated), (1, 100));
}

#[tokio::test(start_paused = true)]
async fn rule_15_what_leads_on_is_read_again_after_a_break() {
    let script = Script::new(SCHEMA);
    script.state().relationships = None;
    let fed = Fed::with(script).await;
    fed.script.breaks();
    fed.script.state().relationships = Some(vec![added("doc:plan", "reader", "team:eng#member")]);
    advance(secs(1)).await;
    assert_eq!(fed.stats().structure, 1);
}

#[tokio::test(start_paused = true)]
async fn rule_13_nothing_is_extended_when_the_follower_ends() {
    let fed = Fed::new().await;
    fed.fill(5).await;
    fed.changes(6, other(6)).await;
    fed.follower.abort();
    settle().await;
    assert_eq!(fed.misses(6).await, Some(Miss::Floor));
}
