//! Answers that stay true because a change feed is followed.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{advance, sleep};
use tower_zookie::cache::{Answer, Capabilities, Checked, DecisionCache, Keyer, Miss, Part, ReadAt, Settings};
use tower_zookie::changes::{Object, Question, StoreFeed, Subject, Verdict};
use tower_zookie::consistency::Freshness;
use tower_zookie::revision::{Counter, Revision, StoreId};
use tower_zookie::store::{ObjectRef, Relationship, Store, SubjectRef, Update};
use tower_zookie::token::CounterTokens;

const SCHEMA: &str = "
    definition user {}
    definition team { relation member: user | team#member }
    definition org { relation admin: user }
    definition repo {
        relation org: org
        relation reader: user | user:* | team#member
        relation banned: user
        permission read = (reader + org->admin) - banned
    }
";

/// A store, and a cache before it that follows it.
struct Followed {
    store: Arc<Store>,
    cache: DecisionCache<bool>,
    keyer: Keyer,
    asked: Arc<AtomicU64>,
    follower: JoinHandle<Infallible>,
}

impl Followed {
    async fn new() -> Self {
        let store = Arc::new(Store::new(SCHEMA.parse().unwrap()));
        let cache = DecisionCache::new(Settings::default().background_reads(false), Capabilities::versioned());
        let cache: DecisionCache<bool> = cache.unwrap();
        let feed = StoreFeed::counted(Arc::clone(&store), CounterTokens::new("followed"));
        let following = cache.clone();
        let follower = tokio::spawn(async move { following.follow(feed).await });
        let this = Self {
            store,
            cache,
            keyer: Keyer::random(),
            asked: Arc::default(),
            follower,
        };
        this.hears().await;
        this
    }

    /// Waits until the feed has reported all that is written.
    async fn hears(&self) {
        sleep(Duration::from_millis(1)).await;
    }

    async fn write(&self, updates: impl IntoIterator<Item = Update>) -> u64 {
        let written = self.store.write(updates).unwrap();
        self.hears().await;
        written
    }

    async fn check(&self, resource: &str, subject: &str, freshness: &Freshness) -> Checked<bool> {
        let question = self.keyer.question("followed");
        let question = question
            .text(Part::Resource, resource)
            .text(Part::Subject, subject)
            .finish();
        let (resource, subject): (ObjectRef, SubjectRef) = (resource.parse().unwrap(), subject.parse().unwrap());
        let (store, asked) = (Arc::clone(&self.store), Arc::clone(&self.asked));
        let engine = move |ask: ReadAt| {
            asked.fetch_add(1, Ordering::Relaxed);
            let at = match ask {
                ReadAt::Exact(revision) => revision.point::<Counter>().unwrap().0,
                _ => store.current_revision(),
            };
            let allowed = store.check(&resource, "read", &subject, at).unwrap();
            let verdict = if allowed { Verdict::Yes } else { Verdict::No };
            let answer = Answer::at(allowed, revision(at)).about(question_of(&resource, &subject), verdict);
            async move { Ok::<_, Infallible>(answer) }
        };
        self.cache.check(question, freshness, engine).await.unwrap()
    }
}

fn question_of(resource: &ObjectRef, subject: &SubjectRef) -> Question {
    let object = |object: &ObjectRef| Object::new(object.object_type(), object.id());
    let who = object(subject.object_ref());
    let subject = match subject.relation() {
        Some(relation) => Subject::userset(who, relation),
        None => Subject::of(who),
    };
    Question::new(object(resource), "read", subject)
}

fn revision(number: u64) -> Revision {
    Revision::new(StoreId::new(["counter", "followed"]), Counter(number))
}

fn touch(text: &str) -> Update {
    Update::touch(text.parse::<Relationship>().unwrap())
}

fn delete(text: &str) -> Update {
    Update::delete(text.parse::<Relationship>().unwrap())
}

#[tokio::test(start_paused = true)]
async fn rule_13_an_answer_outlives_the_changes_that_do_not_concern_it() {
    let followed = Followed::new().await;
    followed.write([touch("repo:a#reader@user:ann")]).await;
    let any = Freshness::any();
    assert!(followed.check("repo:a", "user:ann", &any).await.value);
    for n in 0..100 {
        let written = followed.write([touch(&format!("repo:b{n}#reader@user:bob"))]).await;
        let fresh = Freshness::at_least(revision(written));
        let checked = followed.check("repo:a", "user:ann", &fresh).await;
        assert!(checked.is_hit() && checked.value);
        assert_eq!(checked.revision, Some(revision(written)));
    }
    assert_eq!(followed.asked.load(Ordering::Relaxed), 1);
    assert_eq!(followed.cache.stats().feeds.extended, 100);
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_change_that_concerns_an_answer_ends_it() {
    let followed = Followed::new().await;
    let any = Freshness::any();
    assert!(!followed.check("repo:a", "user:ann", &any).await.value);
    for (update, expected) in [
        (touch("repo:a#reader@user:ann"), true),
        (delete("repo:a#reader@user:ann"), false),
        (touch("repo:a#reader@user:*"), true),
        (touch("repo:a#banned@user:ann"), false),
        (delete("repo:a#banned@user:ann"), true),
        (delete("repo:a#reader@user:*"), false),
        (touch("repo:a#reader@team:t#member"), false),
        (touch("team:t#member@team:u#member"), false),
        (touch("team:u#member@user:ann"), true),
        (delete("team:t#member@team:u#member"), false),
        (touch("org:o#admin@user:ann"), false),
        (touch("repo:a#org@org:o"), true),
        (delete("org:o#admin@user:ann"), false),
    ] {
        followed.write([update.clone()]).await;
        let checked = followed.check("repo:a", "user:ann", &any).await;
        assert_eq!(checked.value, expected, "after {update:?}");
        let missed = checked.miss.is_none_or(|why| why == Miss::Changed);
        assert!(missed, "{:?} after {update:?}", checked.miss);
    }
}

#[tokio::test(start_paused = true)]
async fn rule_13_changes_of_groups_end_only_the_answers_that_lead_there() {
    let followed = Followed::new().await;
    followed
        .write([touch("repo:a#reader@team:t#member"), touch("team:t#member@user:ann")])
        .await;
    let any = Freshness::any();
    assert!(followed.check("repo:a", "user:ann", &any).await.value);
    assert!(!followed.check("repo:a", "user:bob", &any).await.value);
    for n in 0..20 {
        // Other teams, with other teams in them, and the same users.
        followed
            .write([touch(&format!("team:x{n}#member@team:y{n}#member"))])
            .await;
        followed.write([touch(&format!("team:y{n}#member@user:bob"))]).await;
        let written = followed
            .write([delete(&format!("team:x{n}#member@team:y{n}#member"))])
            .await;
        for user in ["user:ann", "user:bob"] {
            let checked = followed
                .check("repo:a", user, &Freshness::at_least(revision(written)))
                .await;
            assert!(checked.is_hit(), "{:?} for {user}", checked.miss);
        }
    }
    // A path that is there for a moment ends the answer, though it is gone when the answer is looked at.
    followed.store.write([touch("team:t#member@team:z#member")]).unwrap();
    followed.store.write([touch("team:z#member@user:bob")]).unwrap();
    followed.write([delete("team:t#member@team:z#member")]).await;
    let checked = followed.check("repo:a", "user:bob", &any).await;
    assert_eq!((checked.value, checked.miss), (false, Some(Miss::Changed)));
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_read_hits_anywhere_in_an_answers_range() {
    let followed = Followed::new().await;
    let first = followed.write([touch("repo:a#reader@user:ann")]).await;
    let any = Freshness::any();
    assert!(followed.check("repo:a", "user:ann", &any).await.value);
    let mut last = first;
    for n in 0..5 {
        last = followed.write([touch(&format!("repo:b{n}#reader@user:bob"))]).await;
    }
    for at in first..=last {
        let checked = followed
            .check("repo:a", "user:ann", &Freshness::Exact(revision(at)))
            .await;
        assert!(checked.is_hit() && checked.value, "at {at}");
        assert_eq!(checked.revision, Some(revision(at)));
    }
    let before = followed
        .check("repo:a", "user:ann", &Freshness::Exact(revision(first - 1)))
        .await;
    assert!(!before.is_hit() && !before.value);
    assert_eq!(followed.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn rule_02_an_exact_hit_names_its_own_snapshot() {
    let followed = Followed::new().await;
    let first = followed.write([touch("repo:a#reader@user:ann")]).await;
    followed.check("repo:a", "user:ann", &Freshness::any()).await;
    let last = followed.write([touch("repo:b#reader@user:bob")]).await;
    // From now on the answer names the last revision.
    let extended = followed
        .check("repo:a", "user:ann", &Freshness::at_least(revision(last)))
        .await;
    assert_eq!(extended.revision, Some(revision(last)));
    let exactly = followed
        .check("repo:a", "user:ann", &Freshness::Exact(revision(first)))
        .await;
    assert!(exactly.is_hit());
    assert_eq!(exactly.revision, Some(revision(first)));
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_schema_change_ends_every_answer() {
    let followed = Followed::new().await;
    followed.write([touch("repo:a#reader@user:ann")]).await;
    let any = Freshness::any();
    assert!(followed.check("repo:a", "user:ann", &any).await.value);
    let stricter = SCHEMA.replace("(reader + org->admin) - banned", "org->admin");
    followed.store.write_schema(stricter.parse().unwrap()).unwrap();
    followed.hears().await;
    let checked = followed.check("repo:a", "user:ann", &any).await;
    assert_eq!((checked.value, checked.miss), (false, Some(Miss::Changed)));
    // The new schema is known: changes of readers concern the answer no longer.
    let written = followed.write([touch("repo:a#reader@user:bob")]).await;
    let fresh = Freshness::at_least(revision(written));
    assert!(followed.check("repo:a", "user:ann", &fresh).await.is_hit());
}

#[tokio::test(start_paused = true)]
async fn rule_13_a_feed_that_is_followed_no_longer_extends_nothing() {
    let followed = Followed::new().await;
    followed.write([touch("repo:a#reader@user:ann")]).await;
    let any = Freshness::any();
    assert!(followed.check("repo:a", "user:ann", &any).await.value);
    followed.follower.abort();
    followed.hears().await;
    let written = followed.write([delete("repo:a#reader@user:ann")]).await;
    assert!(
        followed.check("repo:a", "user:ann", &any).await.is_hit(),
        "within the window"
    );
    let fresh = Freshness::at_least(revision(written));
    let checked = followed.check("repo:a", "user:ann", &fresh).await;
    assert_eq!((checked.value, checked.miss), (false, Some(Miss::Floor)));
    assert_eq!(followed.cache.stats().feeds.followed, 0);
}

#[tokio::test(start_paused = true)]
async fn rule_04_an_extended_answer_ages_by_the_watermarks_that_the_frontier_covers() {
    let followed = Followed::new().await;
    followed.write([touch("repo:a#reader@user:ann")]).await;
    let any = Freshness::any();
    followed.check("repo:a", "user:ann", &any).await;
    advance(Duration::from_secs(4)).await;
    // Another question is asked, so that there is a watermark, which the frontier covers.
    followed.check("repo:b", "user:ann", &any).await;
    advance(Duration::from_secs(4)).await;
    assert!(followed.check("repo:a", "user:ann", &any).await.is_hit());
    advance(Duration::from_secs(4)).await;
    let checked = followed.check("repo:a", "user:ann", &any).await;
    assert_eq!(checked.miss, Some(Miss::Age));
}
