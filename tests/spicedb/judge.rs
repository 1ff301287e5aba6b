//! The judge, which knows the whole history of the store. It judges the answers to honest callers: that every rule was
//! obeyed, and that each caller could have got its answer if no other caller had ever sent a token.

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, advance};
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie::revision::Revision;
use tower_zookie_testing::grpc::{OK, Reply, UNAVAILABLE};
use tower_zookie_testing::model::paused;
use tower_zookie_testing::spicedb::messages::{CheckBulkPermissionsPair, PairResponse, at_least, exactly, full};

use crate::call::Call;
use crate::choice::{Answered, Chosen, State};
use crate::server::Server;
use crate::spelling::Point;
use crate::store::mark_in_progress;

/// The maximum age of an answer of a layer with default settings.
pub(crate) const BOUND: Duration = Duration::from_millis(5500);

/// What an honest caller demanded.
#[derive(Clone, Debug)]
pub(crate) enum Demanded {
    /// No older than the bound, and at or after all of these tokens.
    AtLeast(Vec<String>),
    Exactly(String),
    Full,
    /// Not older than this, counted from the store's heads.
    Within(Duration, Vec<String>),
}

/// The request of an honest caller and its reply.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// One for a check, several for a bulk.
    pub(crate) questions: Vec<(String, String)>,
    pub(crate) is_bulk: bool,
    pub(crate) demanded: Demanded,
    pub(crate) arrived: Instant,
    pub(crate) answered: Instant,
    pub(crate) reply: Reply,
}

pub(crate) struct Judge<'a> {
    pub(crate) server: &'a Server,
    pub(crate) engine: Engine,
}

impl Exchange {
    fn is_shared(&self) -> bool {
        self.reply.header("cache-status").is_some_and(|status| {
            ["hit", "collapsed", "from the cache"]
                .iter()
                .any(|how| status.contains(how))
        })
    }

    fn decisions(&self) -> Vec<bool> {
        if !self.is_bulk {
            return vec![self.reply.has()];
        }
        let pairs = self.reply.bulk().pairs.into_iter();
        let item = |pair: CheckBulkPermissionsPair| match pair.response {
            Some(PairResponse::Item(item)) => item.permissionship == 2,
            other => panic!("no decision: {other:?}"),
        };
        pairs.map(item).collect()
    }

    /// The token that the caller has from it.
    pub(crate) fn token(&self) -> Option<String> {
        (self.reply.status() == OK).then(|| self.at())
    }

    fn at(&self) -> String {
        let checked_at = if self.is_bulk {
            self.reply.bulk().checked_at
        } else {
            self.reply.checked().checked_at
        };
        let token = checked_at.unwrap().token;
        if let Some(header) = self.reply.header("zookie") {
            assert_eq!(header, token);
        }
        token
    }

    fn meanwhile(&self, then: Instant) -> bool {
        (self.arrived..=self.answered).contains(&then)
    }
}

impl Judge<'_> {
    fn revision(&self, point: &Point) -> Revision {
        // One store, whatever identity the token has.
        point.revision(self.engine, "")
    }

    fn covers(&self, at: &Point, floor: &Point) -> bool {
        at >= floor
    }

    pub(crate) fn judge(&self, exchange: &Exchange) -> Result<(), TestCaseError> {
        if exchange.reply.status() == UNAVAILABLE && self.heads_lagged(exchange) {
            return Ok(());
        }
        prop_assert_eq!(exchange.reply.status(), OK, "{:?}", exchange);
        let token = exchange.at();
        let at = self.server.point(&token);
        let state = self.server.state();
        self.judge_truth(&state, exchange, &at)?;
        self.judge_name(&state, exchange, &at)?;
        match &exchange.demanded {
            Demanded::Exactly(floor) => prop_assert_eq!(&at, &self.server_point(floor), "{:?}", exchange),
            Demanded::Full => {
                prop_assert!(
                    !exchange.reply.is_from_cache(),
                    "a full read from memory: {:?}",
                    exchange
                );
                let named = |answered: &Answered| {
                    answered.chosen == Chosen::Head && exchange.meanwhile(answered.at) && answered.point == at
                };
                prop_assert!(state.answered.iter().any(named), "no head meanwhile: {:?}", exchange);
            }
            Demanded::AtLeast(floors) => {
                self.judge_floors(exchange, &at, floors)?;
                self.judge_age(&state, exchange, &at, floors)?;
            }
            Demanded::Within(age, floors) => {
                self.judge_floors(exchange, &at, floors)?;
                let since = exchange.arrived.checked_sub(*age).unwrap_or(state.heads[0].0);
                let named = |answered: &&Answered| answered.chosen == Chosen::Head && answered.at >= since;
                let named = state
                    .answered
                    .iter()
                    .filter(named)
                    .map(|answered| answered.point.clone());
                let then = state.heads.iter().rev().find(|(from, _)| *from <= since);
                let mut fresh = named.chain(then.map(|(_, head)| head.clone()));
                prop_assert!(
                    fresh.any(|head| self.covers(&at, &head)),
                    "older than {:?}: {:?}",
                    age,
                    exchange
                );
            }
        }
        Ok(())
    }

    fn server_point(&self, token: &str) -> Point {
        self.server.point(token)
    }

    /// Two head reads in a row were answered with a head from before.
    fn heads_lagged(&self, exchange: &Exchange) -> bool {
        let state = self.server.state();
        state.shared.iter().filter(|then| exchange.meanwhile(**then)).count() > 1
    }

    /// The answer is the store's at the revision that it names.
    fn judge_truth(&self, state: &State, exchange: &Exchange, at: &Point) -> Result<(), TestCaseError> {
        let decisions = exchange.decisions();
        prop_assert_eq!(decisions.len(), exchange.questions.len(), "{:?}", exchange);
        if state.store.is_repeatable() {
            for ((document, user), views) in exchange.questions.iter().zip(&decisions) {
                prop_assert_eq!(
                    *views,
                    state.store.views(at, document, user),
                    "{} {}: {:?}",
                    document,
                    user,
                    exchange
                );
            }
            return Ok(());
        }
        // If two reads of the same revision may differ, it was read recently enough, and by MySQL's rule after the
        // request whose token it must cover.
        let has_floor = match &exchange.demanded {
            Demanded::AtLeast(floors) | Demanded::Within(_, floors) => !floors.is_empty(),
            Demanded::Exactly(_) | Demanded::Full => true,
        };
        let age = match &exchange.demanded {
            _ if has_floor && self.engine == Engine::MySql => Duration::ZERO,
            Demanded::Within(age, _) => *age,
            _ => BOUND,
        };
        let since = exchange.arrived.checked_sub(age).unwrap_or(state.heads[0].0);
        let young = |answered: &&Answered| answered.point == *at && (since..=exchange.answered).contains(&answered.at);
        let young: Vec<_> = state.answered.iter().filter(young).collect();
        let said = |then: Instant| {
            let mut asked = exchange.questions.iter().zip(&decisions);
            asked.all(|(question, views)| {
                let same = |answered: &&&Answered| answered.at == then && answered.question.as_ref() == Some(question);
                young.iter().filter(same).any(|answered| answered.views == *views)
            })
        };
        prop_assert!(
            young.iter().any(|answered| said(answered.at)),
            "never read so at one instant: {:?} {:?}",
            exchange,
            young
        );
        Ok(())
    }

    /// The store itself named the revision, or it is a join of named ones.
    fn judge_name(&self, state: &State, exchange: &Exchange, at: &Point) -> Result<(), TestCaseError> {
        let first = [state.heads[0].1.clone(), state.defaults[0].2.clone()];
        let named = state
            .answered
            .iter()
            .filter(|answered| answered.chosen != Chosen::Echoed);
        let named: Vec<Point> = named.map(|answered| answered.point.clone()).chain(first).collect();
        if named.contains(at) {
            return Ok(());
        }
        let below = named.iter().filter(|point| self.covers(at, point));
        let join = below
            .map(|point| self.revision(point))
            .reduce(|one, other| one.join(&other).unwrap_or(one));
        let is_join = self.engine == Engine::Postgres && join == Some(self.revision(at));
        prop_assert!(is_join, "the store never named it: {:?} {:?}", at, exchange);
        Ok(())
    }

    fn judge_floors(&self, exchange: &Exchange, at: &Point, floors: &[String]) -> Result<(), TestCaseError> {
        for floor in floors {
            let floor = self.server_point(floor);
            prop_assert!(self.covers(at, &floor), "{:?} below {:?}: {:?}", at, floor, exchange);
        }
        Ok(())
    }

    /// It covers a revision that the store chose within the bound, or it is the store's own answer to this caller's own
    /// token.
    fn judge_age(
        &self,
        state: &State,
        exchange: &Exchange,
        at: &Point,
        floors: &[String],
    ) -> Result<(), TestCaseError> {
        let since = exchange.arrived.checked_sub(BOUND).unwrap_or(state.heads[0].0);
        let own = floors.iter().any(|floor| self.server_point(floor) == *at);
        if own && !exchange.is_shared() {
            return Ok(());
        }
        let mut young = Vec::new();
        for node in 0..2 {
            let of_node = state.defaults.iter().filter(|(_, of, _)| *of == node);
            let (before, within): (Vec<_>, Vec<_>) = of_node.partition(|(from, ..)| *from <= since);
            young.extend(before.last().map(|(.., point)| point));
            young.extend(
                within
                    .iter()
                    .filter(|(from, ..)| *from <= exchange.answered)
                    .map(|(.., point)| point),
            );
        }
        let chosen = |answered: &&Answered| {
            answered.chosen != Chosen::Echoed && (since..=exchange.answered).contains(&answered.at)
        };
        young.extend(state.answered.iter().filter(chosen).map(|answered| &answered.point));
        prop_assert!(
            young.iter().any(|point| self.covers(at, point)),
            "older than the bound: {:?} {:?}",
            at,
            exchange
        );
        Ok(())
    }
}

#[test]
fn the_judge_rejects_what_breaks_a_rule() {
    for engine in [Engine::Postgres, Engine::CockroachDb, Engine::MySql, Engine::Memory] {
        paused(async {
            let server = Server::new(engine);
            let first = server.set("plan", "ada", true);
            server.quantize();
            let question = vec![("plan".to_owned(), "ada".to_owned())];
            let ask = async |consistency| {
                advance(Duration::from_millis(1)).await;
                let arrived = Instant::now();
                let reply = Call::new(&question, false, consistency)
                    .send_directly(server.clone())
                    .await;
                (arrived, reply)
            };
            let says = |(arrived, reply): (Instant, Reply), demanded: Demanded| {
                let exchange = Exchange {
                    questions: question.clone(),
                    is_bulk: false,
                    demanded,
                    arrived,
                    answered: Instant::now(),
                    reply,
                };
                Judge {
                    server: &server,
                    engine,
                }
                .judge(&exchange)
            };
            let any = || Demanded::AtLeast(Vec::new());
            let by_default = ask(None).await;
            says(by_default.clone(), any()).unwrap();
            says(ask(full()).await, Demanded::Full).unwrap();
            says(ask(exactly(&first)).await, Demanded::Exactly(first.clone())).unwrap();

            advance(Duration::from_millis(1)).await;
            let second = server.set("plan", "ada", false);
            advance(Duration::from_millis(1)).await;
            let third = server.set("plan", "bob", true);
            // Below its floor, not at its snapshot, not at head.
            assert!(
                says(ask(None).await, Demanded::AtLeast(vec![second.clone()])).is_err(),
                "{engine:?}"
            );
            assert!(
                says(ask(exactly(&first)).await, Demanded::Exactly(second.clone())).is_err(),
                "{engine:?}"
            );
            assert!(says(ask(None).await, Demanded::Full).is_err(), "{engine:?}");
            if engine == Engine::Postgres {
                let third = server.point(&third);
                let all_but_the_second = mark_in_progress(third.snapshot(), third.number() - 2);
                let forged = server.token_at(&Point::Snapshot(all_but_the_second));
                let let_in = ask(at_least(&forged)).await;
                assert!(let_in.1.has());
                assert!(says(let_in, any()).is_err());
            }
            // Another decision, at the same revision.
            let (_, mut lied) = ask(at_least(&third)).await;
            assert!(!lied.has());
            let mut body = lied.body.to_vec();
            *body.last_mut().unwrap() = 2;
            lied.body = body.into();
            assert!(lied.has());
            assert!(
                says((Instant::now(), lied), Demanded::AtLeast(vec![third])).is_err(),
                "{engine:?}"
            );
            // An answer that was right an hour ago.
            server.quantize();
            advance(Duration::from_secs(3600)).await;
            let (_, mut old) = by_default;
            old.headers.insert("cache-status", "tower-zookie; hit".parse().unwrap());
            assert!(says((Instant::now(), old), any()).is_err(), "{engine:?}");
        });
    }
}
