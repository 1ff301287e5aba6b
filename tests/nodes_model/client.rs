//! A client, which carries its token from region to region.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use tower_zookie::revision::{Point, VectorClock};
use tower_zookie::store::node::{NodeWriteError, Written};
use tower_zookie::store::{Filter, ReadError, ReadMode, RevisionError};
use tower_zookie::token::RevisionToken;

use crate::service::{age_bound, token_of, update};
use crate::site::{Running, Site};
use crate::world::{Acknowledged, Answer, RUN, Said, World};

pub(crate) struct Client {
    number: usize,
    world: Arc<World>,
    random: StdRng,
    home: usize,
    /// Everything that it has seen.
    session: VectorClock,
}

/// What a token is for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consistency {
    Any,
    AtLeast,
    Exact,
    Full,
    Within(Duration),
}

impl Client {
    pub(crate) fn new(number: usize, world: Arc<World>, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        Self {
            number,
            home: random.random_range(0..world.sites.len()),
            world,
            random,
            session: VectorClock::default(),
        }
    }

    pub(crate) async fn live(&mut self) {
        while self.world.began.elapsed() < RUN {
            let pause = self.random.random_range(10..400);
            sleep(Duration::from_millis(pause)).await;
            let number = match self.random.random_bool(0.5) {
                true => self.home,
                false => self.random.random_range(0..self.world.sites.len()),
            };
            let site = Arc::clone(&self.world.sites[number]);
            let gives_up = self.random.random_bool(0.05);
            let act = async {
                match self.random.random_range(0..100) {
                    0..22 => self.write(&site).await,
                    22..30 => self.write_through_layer(&site).await,
                    30..42 => self.read_exactly(&site).await,
                    42..50 => self.read_at_least(&site).await,
                    50..60 => self.check(&site).await,
                    _ => self.check_through_layer(number, &site).await,
                }
            };
            if gives_up {
                let _ = timeout(Duration::from_millis(30), act).await;
            } else {
                act.await;
            }
        }
    }

    fn doc(&mut self) -> u8 {
        self.random.random_range(0..self.world.sites[0].limits.docs)
    }

    fn user(&mut self) -> u8 {
        self.random.random_range(0..self.world.sites[0].limits.users)
    }

    fn by(&self, site: &Site, how: &str) -> String {
        format!("client {} at {} {how}", self.number, site.name)
    }

    /// The client's own token.
    fn own_token(&self) -> Option<RevisionToken> {
        (!self.session.is_empty()).then(|| token_of(&self.session))
    }

    fn maybe_own_token(&mut self) -> Option<RevisionToken> {
        self.random.random_bool(0.7).then(|| self.own_token()).flatten()
    }

    /// A token of this or of another client, or of one node alone.
    fn any_token(&mut self) -> Option<RevisionToken> {
        let own = self.own_token();
        let any = self.world.observed().tokens.choose(&mut self.random).cloned();
        match self.random.random_range(0..10) {
            0..5 => own,
            5..8 => any,
            _ => any.map(|token| RevisionToken::new(token.node_id, token.revision)),
        }
    }

    fn learn(&mut self, clock: &VectorClock) {
        self.session = self.session.join(clock).expect("clocks always have a join");
        self.world.observed().tokens.push(token_of(clock));
    }

    fn updates(&mut self) -> Vec<(&'static str, String)> {
        let (doc, user) = (self.doc(), self.user());
        let relationship = match self.random.random_range(0..6) {
            0 => format!("doc:{doc}#banned@user:{user}"),
            1 => format!("doc:{doc}#reader@team:0#member"),
            2 => format!("team:0#member@user:{user}"),
            _ => format!("doc:{doc}#reader@user:{user}"),
        };
        let verb = ["touch", "touch", "delete", "delete", "create"]
            .choose(&mut self.random)
            .unwrap();
        let mut updates = vec![(*verb, relationship)];
        if self.random.random_bool(0.2) {
            updates.push(("touch", format!("doc:{}#reader@user:9", self.doc())));
        }
        updates
    }

    async fn write(&mut self, site: &Site) {
        let (updates, after) = (self.updates(), self.maybe_own_token());
        let spelled: Vec<_> = updates.iter().map(|(verb, text)| update(verb, text)).collect();
        let written = site.at(async |running| running.node.write_if(spelled, &[], after.as_ref()).await);
        let Some(written) = written.await else {
            return self.world.note("write: no node");
        };
        self.world
            .journal(|| format!("{} {updates:?} after {after:?}: {written:?}", self.by(site, "wrote")));
        match written {
            Ok(Written { token, saw, number, .. }) => {
                let clock = clock_of(&token);
                self.world.note("write: acknowledged");
                if let Some(after) = &after {
                    let elsewhere = after.vector_clock.keys().any(|node| *node != token.node_id);
                    self.world.note(if elsewhere {
                        "write: after another node's token"
                    } else {
                        "write: after a token"
                    });
                }
                self.acknowledged(&token, number, Some(saw), after.as_ref(), updates);
                self.learn(&clock);
            }
            Err(NodeWriteError::Refused(_)) => self.world.note("write: refused"),
            Err(NodeWriteError::Token(error)) => self.failed(site, after.as_ref(), &error),
            Err(NodeWriteError::Unacknowledged { .. }) => self.world.note("write: unacknowledged"),
            Err(error) => self.world.broke(format!("{}: {error}", self.by(site, "writes"))),
        }
    }

    fn acknowledged(
        &self,
        token: &RevisionToken,
        number: u64,
        saw: Option<VectorClock>,
        after: Option<&RevisionToken>,
        updates: Vec<(&'static str, String)>,
    ) {
        self.world.observed().writes.push(Acknowledged {
            node: token.node_id.clone(),
            number,
            saw,
            after: after.map(clock_of),
            updates,
        });
    }

    async fn read_exactly(&mut self, site: &Site) {
        let (doc, token) = (self.doc(), self.any_token());
        let Some(token) = token else { return };
        let filter = readers(doc);
        let read = site.at(async |running| running.reader.read_at_token(&filter, &token).await);
        match read.await {
            None => self.world.note("read: no node"),
            Some(Ok(found)) => {
                self.world.note("read: exact");
                let found = found.iter().map(ToString::to_string).collect();
                self.observed(site, "reads", clock_of(&token), Said::Has(doc, found), false);
            }
            Some(Err(error)) => self.failed(site, Some(&token), &error),
        }
    }

    async fn read_at_least(&mut self, site: &Site) {
        let (doc, token) = (self.doc(), self.own_token());
        let Some(token) = token else { return };
        let filter = readers(doc);
        let read = site.at(async |Running { node, reader, .. }| {
            let found = reader.read_at_least(&filter, &token).await?;
            // Nothing else runs between the read and this.
            Ok::<_, ReadError>((found, node.clock()))
        });
        match read.await {
            None => self.world.note("read: no node"),
            Some(Ok((found, clock))) => {
                self.world.note("read: at least");
                self.not_below(site, &clock, Some(&token));
                let found = found.iter().map(ToString::to_string).collect();
                self.observed(site, "reads", clock.clone(), Said::Has(doc, found), true);
                self.learn(&clock);
            }
            Some(Err(error)) => self.failed(site, Some(&token), &error),
        }
    }

    async fn check(&mut self, site: &Site) {
        let (doc, user) = (self.doc(), self.user());
        let mode = if self.random.random() {
            ReadMode::Exact
        } else {
            ReadMode::AtLeast
        };
        let token = match mode {
            ReadMode::Exact => self.any_token(),
            _ => self.own_token(),
        };
        let Some(token) = token else { return };
        let (resource, subject) = (
            format!("doc:{doc}").parse().unwrap(),
            format!("user:{user}").parse().unwrap(),
        );
        let checked = site.at(async |running| running.reader.check(&resource, "view", &subject, &token, mode).await);
        match checked.await {
            None => self.world.note("check: no node"),
            Some(Ok((allowed, at))) => {
                let clock = clock_of(&at);
                self.world.note("check: answered");
                self.not_below(site, &clock, Some(&token));
                if mode == ReadMode::AtLeast {
                    self.learn(&clock);
                } else if clock != clock_of(&token) {
                    self.world.broke(format!(
                        "{}: at {clock:?} instead of {token:?}",
                        self.by(site, "checks")
                    ));
                }
                self.observed(
                    site,
                    "checks",
                    clock,
                    Said::MayView { doc, user, allowed },
                    mode == ReadMode::AtLeast,
                );
            }
            Some(Err(error)) => self.failed(site, Some(&token), &error),
        }
    }

    async fn write_through_layer(&mut self, site: &Site) {
        let Some(service) = site.service() else { return };
        let (updates, after) = (self.updates(), self.maybe_own_token());
        let mut request = Request::post("/relationships").header("content-type", "application/json");
        if let Some(token) = &after {
            request = request.header("zookie", token.encode());
        }
        let body = serde_json::to_string(&updates).unwrap();
        let request = request.body(Body::from(body)).unwrap();
        let Ok(reply) = service.oneshot(request).await;
        let zookie = reply
            .headers()
            .get("zookie")
            .map(|value| value.to_str().unwrap().to_owned());
        self.world.note(format!("layer: write {}", reply.status().as_u16()));
        if let (StatusCode::OK, Some(zookie)) = (reply.status(), zookie) {
            let token = RevisionToken::decode(&zookie).unwrap();
            self.world.journal(|| {
                format!(
                    "{} {updates:?} after {after:?}: {token:?}",
                    self.by(site, "wrote through the layer")
                )
            });
            self.not_below(site, &clock_of(&token), after.as_ref());
            self.acknowledged(&token, token.revision, None, after.as_ref(), updates);
            self.learn(&clock_of(&token));
        }
    }

    async fn check_through_layer(&mut self, number: usize, site: &Site) {
        let Some(service) = site.service() else { return };
        let (doc, user) = (self.doc(), self.user());
        let consistency = match self.random.random_range(0..10) {
            0..3 => Consistency::Any,
            3..6 => Consistency::AtLeast,
            6..8 => Consistency::Exact,
            8 => Consistency::Full,
            _ => Consistency::Within(Duration::from_millis(*[100, 2_000].choose(&mut self.random).unwrap())),
        };
        let token = match consistency {
            Consistency::Any => None,
            Consistency::Exact => self.any_token(),
            _ => self.own_token(),
        };
        let mut request = Request::get(format!("/check?resource=doc:{doc}&subject=user:{user}"));
        if let Some(token) = &token {
            request = request.header("zookie", token.encode());
        }
        let stated = match consistency {
            Consistency::Any | Consistency::AtLeast => None,
            Consistency::Exact if token.is_none() => return,
            Consistency::Exact => Some("at-exact-snapshot".to_owned()),
            Consistency::Full => Some("fully-consistent".to_owned()),
            Consistency::Within(bound) => Some(format!("bounded-staleness={}ms", bound.as_millis())),
        };
        if let Some(stated) = stated {
            request = request.header("zookie-consistency", stated);
        }
        let (sent, at_first) = (Instant::now(), site.running().map(|running| running.node.clock()));
        let Ok(reply) = service.oneshot(request.body(Body::empty()).unwrap()).await;
        let status = reply.status();
        let cache_status = reply
            .headers()
            .get("cache-status")
            .map(|value| value.to_str().unwrap().to_owned());
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        self.world.note(format!("layer: check {}", status.as_u16()));
        let is_hit = cache_status.as_ref().is_some_and(|status| status.contains("; hit"));
        let by = self.by(
            site,
            &format!("checks through the layer, {consistency:?}, {token:?}, {cache_status:?}"),
        );
        if status != StatusCode::OK {
            let is_clear = matches!(status.as_u16(), 410 | 502 | 503);
            if !is_clear || (status == StatusCode::GONE && consistency != Consistency::Exact) {
                self.world.broke(format!("{by}: {status}, {body:?}"));
            }
            return;
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        let (allowed, zookie) = (body["allowed"].as_bool().unwrap(), body["zookie"].as_str().unwrap());
        let clock = clock_of(&RevisionToken::decode(zookie).unwrap());
        if is_hit {
            self.world.note("layer: hit");
            self.world.note(format!("layer: hit, {}", name_of(consistency)));
        }
        self.world.journal(|| format!("{by}: {allowed} at {clock:?}"));
        self.not_below(site, &clock, token.as_ref());
        self.fresh_enough(number, consistency, sent, at_first.as_ref(), &clock, &by);
        match consistency {
            Consistency::Exact if Some(&clock) != token.as_ref().map(clock_of).as_ref() => {
                self.world.broke(format!("{by}: answered at {clock:?}"));
            }
            Consistency::Exact => {}
            _ => self.learn(&clock),
        }
        let is_named = consistency != Consistency::Exact;
        self.world.observed().answers.push(Answer {
            at: clock,
            said: Said::MayView { doc, user, allowed },
            is_named,
            by,
        });
    }

    /// No answer is older than its bound: it covers what the node had reached by then.
    fn fresh_enough(
        &self,
        site: usize,
        consistency: Consistency,
        sent: Instant,
        at_first: Option<&VectorClock>,
        clock: &VectorClock,
        by: &str,
    ) {
        let limits = &self.world.sites[site].limits;
        let bound = match consistency {
            Consistency::Exact => return,
            Consistency::Full => Duration::ZERO,
            Consistency::Within(bound) => bound.min(age_bound(limits)),
            Consistency::Any | Consistency::AtLeast => age_bound(limits),
        };
        let mut observed = self.world.observed();
        let since = sent.checked_sub(bound);
        let reached = observed.reached[site]
            .iter()
            .rev()
            .find(|(then, _)| since.is_some_and(|since| *then <= since));
        let reached = reached.map(|(_, clock)| clock);
        let demanded = if consistency == Consistency::Full {
            at_first.or(reached)
        } else {
            reached
        };
        if let Some(demanded) = demanded.filter(|demanded| !covers(clock, demanded)) {
            let broken = format!("{by}: the answer at {clock:?} is too old: {demanded:?} was reached {bound:?} before");
            observed.broken.push(broken);
        }
    }

    fn not_below(&self, site: &Site, clock: &VectorClock, floor: Option<&RevisionToken>) {
        if let Some(floor) = floor.filter(|floor| !covers(clock, &clock_of(floor))) {
            self.world.broke(format!(
                "{}: {clock:?} is below {floor:?}",
                self.by(site, "was answered")
            ));
        }
    }

    fn observed(&self, site: &Site, how: &str, at: VectorClock, said: Said, is_named: bool) {
        let by = self.by(site, how);
        self.world.journal(|| format!("{by}: {said:?} at {at:?}"));
        self.world.observed().answers.push(Answer { at, said, is_named, by });
    }

    /// A read failed: was it right to?
    fn failed(&self, site: &Site, token: Option<&RevisionToken>, error: &ReadError) {
        let (Some(token), Some(running)) = (token, site.running()) else {
            return;
        };
        let clock = clock_of(token);
        let is_right = match error {
            ReadError::Timeout { behind, .. } => {
                self.world.note("a timeout");
                !behind.nodes().is_empty() && !covers(&running.node.clock(), &clock)
            }
            ReadError::Revision(RevisionError::SnapshotExpired { .. }) => {
                self.world.note("an expired snapshot");
                !covers(&clock, &running.node.trim_clock())
            }
            _ => false,
        };
        if !is_right {
            self.world
                .broke(format!("{}: {error} for {token:?}", self.by(site, "asks")));
        }
    }
}

fn name_of(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Any => "any",
        Consistency::AtLeast => "at least",
        Consistency::Exact => "exact",
        Consistency::Full => "full",
        Consistency::Within(_) => "bounded",
    }
}

fn readers(doc: u8) -> Filter {
    Filter::of_type("doc").id(doc.to_string())
}

/// Whether one clock is at or after the other.
pub(crate) fn covers(clock: &VectorClock, other: &VectorClock) -> bool {
    clock >= other
}

pub(crate) fn clock_of(token: &RevisionToken) -> VectorClock {
    token
        .vector_clock
        .iter()
        .map(|(node, number)| (node.as_str(), *number))
        .collect()
}
