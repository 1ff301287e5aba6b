use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::cache::ReadMode;
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Protocol;

use crate::conformance::Wrong;
use crate::conformance::api::{Api, Asks, Fresh, in_headers};
use crate::conformance::carried::{Sent, read, sent};
use crate::conformance::judge::{Owed, judge};
use crate::conformance::plan::{Action, Case, Demand, Focus, Forgery, Questions, case};
use crate::conformance::store::Store;
use crate::conformance::tally::Tally;

/// How many histories each test runs. The variable `PROPTEST_CASES` sets another number.
const CASES: u32 = 128;

/// Runs random histories of writes, checks, bulks and forged tokens through the layer, and judges each reply.
///
/// # Errors
///
/// The shortest history that was found with a wrong reply, and what is wrong with it.
pub fn histories<A: Api>(api: &A, focus: Focus) -> Result<Tally, Wrong> {
    let config = Config {
        cases: std::env::var("PROPTEST_CASES")
            .ok()
            .and_then(|cases| cases.parse().ok())
            .unwrap_or(CASES),
        failure_persistence: None,
        ..Config::default()
    };
    let tally = Mutex::new(Tally::default());
    let run = TestRunner::new(config).run(&case(focus), |case| {
        let one = run(api, &case).map_err(proptest::test_runner::TestCaseError::fail)?;
        locked(&tally).add(&one);
        Ok(())
    });
    run.map_err(|error| match error {
        proptest::test_runner::TestError::Fail(why, case) => format!("{why}\n{case:#?}"),
        other => other.to_string(),
    })?;
    let tally = *locked(&tally);
    let has_bulks = api.request(&Asks::Bulk(vec![0, 1]), &Fresh::default()).is_some();
    let wants_partial = focus == Focus::Bulks && has_bulks && api.protocol().capabilities().reads_repeat;
    if tally.hits == 0 || wants_partial && tally.partial == 0 {
        return Err(format!("rule 17: the cache answered nothing: {tally:?}"));
    }
    Ok(tally)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Service<B> = BoxCloneSyncService<Request<Full<Bytes>>, Response<B>, Infallible>;

/// A store, its server, and all that callers know.
struct World<A> {
    api: A,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    store: Store,
    /// The revisions whose tokens callers have got.
    seen: Vec<u64>,
    delays: VecDeque<(u64, u64)>,
    lags: VecDeque<u64>,
    tally: Tally,
    wrong: Option<Wrong>,
}

fn run<A: Api>(api: &A, case: &Case) -> Result<Tally, Wrong> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let world = Arc::new(World {
        api: api.clone(),
        state: Mutex::new(State {
            seen: vec![1],
            delays: case.delays.iter().copied().collect(),
            lags: case.lags.iter().copied().collect(),
            ..State::default()
        }),
    });
    runtime.block_on(async {
        let layer = ZookieLayer::builder(api.protocol())
            .build()
            .map_err(|error| error.to_string())?;
        let served = Arc::clone(&world);
        let upstream = service_fn(move |request| {
            let world = Arc::clone(&served);
            async move { Ok::<_, Infallible>(world.serve(request).await) }
        });
        let service = BoxCloneSyncService::new(layer.layer(upstream));
        for (round, pause) in case.rounds.iter().zip(&case.pauses) {
            sleep(Duration::from_millis(*pause)).await;
            let mut under_way = JoinSet::new();
            for (offset, action) in round.iter().cloned() {
                let (world, service) = (Arc::clone(&world), service.clone());
                under_way.spawn(async move {
                    sleep(Duration::from_millis(offset)).await;
                    world.act(service, action).await;
                });
            }
            while let Some(done) = under_way.join_next().await {
                done.map_err(|error| format!("rule 15: {error}"))?;
            }
        }
        Ok::<_, Wrong>(())
    })?;
    let mut state = locked(&world.state);
    match state.wrong.take() {
        None => Ok(state.tally),
        Some(wrong) => Err(wrong),
    }
}

impl<A: Api> World<A> {
    /// The server.
    async fn serve(&self, request: Request<Full<Bytes>>) -> Sent {
        let (before, after) = locked(&self.state).delays.pop_front().unwrap_or_default();
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let request = Request::from_parts(parts, body);
        pause(before).await;
        let reply = self.evaluate(&request);
        pause(after).await;
        sent(reply)
    }

    fn evaluate(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let Some((asks, fresh)) = self.api.receive(request) else {
            return self.api.refuse();
        };
        let mut state = locked(&self.state);
        if let Asks::Write { question, allowed } = asks {
            let revision = state.store.write(question, allowed);
            return self.api.reply(&asks, &[], revision);
        }
        let head = state.store.head();
        let lag = state.lags.pop_front().unwrap_or_default();
        let named = match &fresh.token {
            None => None,
            Some(token) => match self.revision(token, head) {
                None => return self.api.refuse(),
                named => named,
            },
        };
        let read_mode = self.api.protocol().capabilities().read_mode;
        let revision = match (fresh.consistency, named) {
            (Some(Consistency::FullyConsistent | Consistency::BoundedStaleness(_)), _) => head,
            (Some(Consistency::AtExactSnapshot), Some(snapshot)) => snapshot,
            (_, None) => head.saturating_sub(lag).max(1),
            (_, Some(floor)) => match read_mode {
                ReadMode::Exactly => floor,
                ReadMode::AtLeast => head.saturating_sub(lag).max(floor),
                ReadMode::Current => head,
                mode => unreachable!("the model knows no store that reads like {mode:?}"),
            },
        };
        self.api
            .reply(&asks, &state.store.verdicts(asks.questions(), revision), revision)
    }

    /// The store's revision that a token names, whatever its spelling.
    fn revision(&self, token: &str, head: u64) -> Option<u64> {
        let format = self.api.protocol().format();
        let named = format.decode(token).ok()?;
        (1..=head).find(|revision| {
            format
                .decode(&self.api.token(*revision))
                .is_ok_and(|known| known == named)
        })
    }

    async fn act<B>(&self, service: Service<B>, action: Action)
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        match action {
            Action::Write {
                question,
                allowed,
                behind,
            } => {
                let asks = Asks::Write { question, allowed };
                if behind || self.api.request(&asks, &Fresh::default()).is_none() {
                    locked(&self.state).store.write(question, allowed);
                    return;
                }
                let owed = Owed {
                    answer: true,
                    ..Owed::default()
                };
                self.send(service, &asks, &Fresh::default(), false, owed, false).await;
            }
            Action::Ask {
                questions,
                demand,
                in_header,
            } => {
                let (fresh, owed) = self.demanded(demand);
                self.send(service, &asks(questions), &fresh, in_header, owed, false)
                    .await;
            }
            Action::Forge {
                questions,
                forgery,
                exact,
                in_header,
            } => {
                let (token, revision) = self.forged(forgery);
                let fresh = Fresh {
                    token: Some(token),
                    consistency: exact.then_some(Consistency::AtExactSnapshot),
                };
                let owed = Owed {
                    floor: revision,
                    exact: revision.filter(|_| exact),
                    ..Owed::default()
                };
                self.send(service, &asks(questions), &fresh, in_header, owed, true)
                    .await;
            }
        }
    }

    fn demanded(&self, demand: Demand) -> (Fresh, Owed) {
        let state = locked(&self.state);
        let seen = |nth: u8| state.seen[usize::from(nth) % state.seen.len()];
        let mut owed = Owed {
            answer: true,
            ..Owed::default()
        };
        let mut consistency = None;
        match demand {
            Demand::Nothing => {}
            Demand::Newest => owed.floor = state.seen.iter().max().copied(),
            Demand::Seen(nth) => owed.floor = Some(seen(nth)),
            Demand::Exact(nth) => {
                owed.exact = Some(seen(nth));
                consistency = Some(Consistency::AtExactSnapshot);
            }
            Demand::Full => {
                owed.head = Some(state.store.head());
                consistency = Some(Consistency::FullyConsistent);
            }
        }
        let token = owed.floor.or(owed.exact).map(|revision| self.api.token(revision));
        (Fresh { token, consistency }, owed)
    }

    fn forged(&self, forgery: Forgery) -> (String, Option<u64>) {
        let head = locked(&self.state).store.head();
        let of = |revision| (self.api.token(revision), Some(revision));
        match forgery {
            Forgery::Future(ahead) => of(head + ahead),
            Forgery::Past(nth) => of(1 + u64::from(nth) % head),
            Forgery::Bad(nth) => {
                let bad = self.api.bad_tokens();
                (bad[usize::from(nth) % bad.len()].clone(), None)
            }
        }
    }

    async fn send<B>(&self, service: Service<B>, asks: &Asks, fresh: &Fresh, in_header: bool, owed: Owed, forged: bool)
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let stated = if in_header { &Fresh::default() } else { fresh };
        let Some(mut request) = self.api.request(asks, stated) else {
            return;
        };
        if in_header {
            in_headers(&mut request, fresh);
        }
        let Ok(reply) = service.oneshot(request.map(Full::new)).await;
        let Some(reply) = read(reply).await else { return };
        let mut state = locked(&self.state);
        state.tally.requests += 1;
        match judge(&self.api, &state.store, asks, &owed, &reply) {
            Ok(None) => {}
            Ok(Some(revision)) => {
                let status = reply.headers().get("cache-status");
                state
                    .tally
                    .count(status.and_then(|status| status.to_str().ok()).unwrap_or_default());
                state.tally.forged += usize::from(forged);
                state.seen.push(revision);
            }
            Err(wrong) => {
                let wrong = format!("{wrong}\n{} {:?} {:?}", reply.status(), reply.headers(), reply.body());
                state.wrong.get_or_insert(wrong);
            }
        }
    }
}

fn asks(questions: Questions) -> Asks {
    match questions {
        Questions::One(question) => Asks::Check(question),
        Questions::Several(questions) => Asks::Bulk(questions),
    }
}

/// A sleep of zero length would still end only at the next tick.
async fn pause(millis: u64) {
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
}
