//! A load of random checks and of recorded writes on two replicas, every reply of which is judged.

mod asker;
mod history;
mod judge;
mod writer;

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use spicedb_examples::v1::ZedToken;
use tokio::time::Instant;
use tower_zookie::store::Store;

use self::asker::Asker;
use self::history::Recorded;
use self::judge::Judge;
use crate::client::Question;
use crate::server::Server;

const ASKERS: usize = 8;
/// How many of the recorded transactions are written during the load.
const WRITES: usize = 600;
/// The layers' window; the server has one of its own.
const WINDOW: Duration = Duration::from_secs(2);

/// What all tasks share.
struct Scene {
    server: &'static Server,
    recorded: Recorded,
    /// The history in a store of our own: after the `n`th write it is at revision `n` + [`BEFORE`].
    model: Store,
    writes: Mutex<Vec<Written>>,
    /// How many writes have begun.
    begun: AtomicUsize,
    /// How many questions were drawn.
    asked: AtomicUsize,
    end: Instant,
}

/// The model's revision before the load.
const BEFORE: u64 = 2;

/// One write that is known to have happened.
#[derive(Clone, Debug)]
struct Written {
    token: ZedToken,
    acknowledged: Instant,
}

impl Scene {
    fn question(&self) -> &Question {
        self.recorded.questions.next(self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// This run's form of a recorded question.
    fn ours(&self, question: &Question) -> Question {
        self.server
            .question(&question.resource, &question.permission, &question.subject)
    }

    fn written<T>(&self, look: impl FnOnce(&[Written]) -> T) -> T {
        look(&self.writes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }
}

pub(crate) async fn rule_01_every_reply_is_the_servers_own(server: &'static Server) {
    let seconds = env::var("SPICEDB_LOAD_SECONDS").map_or(15, |text| text.parse().unwrap());
    let recorded = Recorded::open(WRITES);
    let (model, mut direct) = (recorded.model(), server.direct());
    let first = writer::load(server, &mut direct, &recorded).await;
    let scene: &'static Scene = Box::leak(Box::new(Scene {
        server,
        recorded,
        model,
        writes: Mutex::new(vec![first]),
        begun: AtomicUsize::new(1),
        asked: AtomicUsize::new(0),
        end: Instant::now() + Duration::from_secs(seconds),
    }));
    let replicas =
        [(); 2].map(|()| server.replica_with(|builder| builder.cache(|cache| cache.window(WINDOW, judge::STALENESS))));
    let layers = replicas.each_ref().map(|replica| replica.layer.clone().unwrap());

    let writer = tokio::spawn(writer::run(
        scene,
        replicas.each_ref().map(|replica| replica.permissions.clone()),
        seconds,
    ));
    let askers: Vec<_> = (0..ASKERS)
        .map(|number| {
            let permissions = replicas[number % 2].permissions.clone();
            tokio::spawn(Asker::new(scene, number, permissions, Judge::new(scene)).run())
        })
        .collect();
    let (mut replies, mut cancelled, mut errors) = (0, 0, Vec::new());
    for asker in askers {
        let found = asker.await.unwrap();
        replies += found.replies;
        cancelled += found.cancelled;
        errors.extend(found.errors);
    }
    writer.await.unwrap();

    let [one, other] = layers.map(|layer| layer.stats());
    let (hits, calls) = (one.hits + other.hits, one.upstream_calls + other.upstream_calls);
    let writes = scene.written(<[_]>::len);
    println!(
        "load: {replies} replies and {writes} writes; {hits} questions answered from the cache, {calls} calls upstream"
    );
    println!("  {:?}", [&one.misses, &other.misses]);
    errors.iter().take(10).for_each(|error| println!("  {error}"));
    assert!(errors.is_empty(), "{} replies were wrong", errors.len());
    assert!(
        hits > 0 && writes > 1 && cancelled <= replies / 100,
        "{cancelled} cancelled"
    );
}
