//! Runs a case: a store, the service, the layer before it, their callers, and the record for the judge.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use gateway::checker::{Bounds, Change, Judge, Reply, Tuple, Write, revision_of};
use gateway::layer::{self, Settings};
use gateway::service;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_zookie::consistency::Staleness;
use tower_zookie::store::{Relationship, Schema, Store, Update};
use tower_zookie::token::RevisionToken;
use tower_zookie::{Handle, ZookieService};
use tower_zookie_testing::model::paused;

use crate::adversary::BAD_CREDENTIALS;
use crate::plan::{Action, Case, Kind, Place};
use crate::requests::carry;
use crate::schema::Fragment;
use crate::stated::Stated;
use crate::tally::Tally;

pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    schema: Fragment,
    service: ZookieService<Router, layer::Api>,
    handle: Handle<layer::Api>,
    began: Instant,
    record: Mutex<Record>,
    stated: AllStated,
    requests: AtomicUsize,
}

/// What bypassed requests stated to the service, by their ids.
type AllStated = Arc<Mutex<HashMap<String, Vec<Stated>>>>;

/// What was done and observed.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) writes: Vec<Write>,
    pub(crate) replies: Vec<Reply>,
    /// Errors that the judge does not look for.
    pub(crate) broken: Vec<String>,
    pub(crate) sessions: HashMap<u32, Session>,
    /// The revision of the last write behind the layer's back.
    pub(crate) behind: u64,
    notes: Vec<Box<str>>,
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) last: Option<(u64, String)>,
    pub(crate) replies: u32,
    /// It asks one thing after the other.
    pub(crate) waits: bool,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The cookie that the reply sets.
    pub(crate) fn cookie_text(&self) -> Option<String> {
        let cookie = self.header("set-cookie")?.split(';').next()?.replace('+', "%2B");
        let mut pairs = form_urlencoded::parse(cookie.as_bytes());
        pairs.next().map(|(_, zookie)| zookie.into_owned())
    }

    /// Its revision.
    pub(crate) fn cookie(&self) -> Option<Option<u64>> {
        self.cookie_text().map(|zookie| revision_of(&zookie))
    }
}

/// One case, from an empty store to the judgement of all that was observed.
pub(crate) fn run(case: &Case, tally: &Tally) -> Result<(), Box<dyn Error>> {
    paused(async {
        let world = Arc::new(World::new(case)?);
        world.seed();
        for round in &case.rounds {
            sleep(round.pause).await;
            let mut under_way = JoinSet::new();
            for (offset, action) in round.actions.iter().cloned() {
                let world = Arc::clone(&world);
                under_way.spawn(async move {
                    sleep(offset).await;
                    world.act(action).await
                });
            }
            while let Some(done) = under_way.join_next().await {
                done?;
            }
        }
        world.judge(case, tally)
    })
}

fn settings(case: &Case) -> Settings {
    Settings {
        window: case.window.0,
        staleness: Staleness::percent(case.window.1),
    }
}

impl World {
    fn new(case: &Case) -> Result<Self, Box<dyn Error>> {
        let store = Arc::new(Store::new(Schema::parse(&case.schema.text())?));
        let layer = layer::build(settings(case)).map_err(|error| error.to_string())?;
        let delays = Arc::new(Mutex::new(VecDeque::from(case.delays.clone())));
        let stated = AllStated::default();
        let all_stated = Arc::clone(&stated);
        let slow = move |request: Request, next: Next| {
            if let Some(id) = request.headers().get("x-request-id") {
                let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
                let mut stated = all_stated.lock().unwrap_or_else(PoisonError::into_inner);
                stated.entry(id).or_default().push(Stated::of(&request));
            }
            late(Arc::clone(&delays), request, next)
        };
        let bare = service::router(service::Gateway::new(Arc::clone(&store), case.quantize)).layer(from_fn(slow));
        Ok(Self {
            service: layer.layer(bare),
            handle: layer.handle(),
            schema: case.schema.clone(),
            began: Instant::now(),
            record: Mutex::default(),
            stated,
            requests: AtomicUsize::new(0),
            store,
        })
    }

    /// A relationship that exists from the start, and that the first writes may delete.
    fn seed(&self) {
        (0..6).for_each(|number| self.write_behind(&[("touch", number * 37)]));
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, notes: impl IntoIterator<Item = String>) {
        self.record()
            .notes
            .extend(notes.into_iter().map(String::into_boxed_str));
    }

    pub(crate) fn service(&self) -> ZookieService<Router, layer::Api> {
        self.service.clone()
    }

    pub(crate) fn next_id(&self) -> String {
        self.requests.fetch_add(1, Relaxed).to_string()
    }

    /// What the forwarded forms of a request stated.
    pub(crate) fn stated(&self, id: &str) -> Vec<Stated> {
        let stated = self.stated.lock().unwrap_or_else(PoisonError::into_inner);
        stated.get(id).cloned().unwrap_or_default()
    }

    /// How the store spells a revision.
    pub(crate) fn spelled(&self, revision: u64) -> String {
        RevisionToken::new(self.store.node_id(), revision).encode()
    }

    async fn act(&self, action: Action) {
        match action {
            Action::Ask(ask) => self.ask(&ask).await,
            Action::Forge(forge) => self.forge(&forge).await,
            Action::Write {
                behind: true, changes, ..
            } => self.write_behind(&changes),
            Action::Write { changes, tokens, .. } => self.write(&changes, &tokens).await,
            Action::Collect { retained } => {
                let head = self.store.current_revision();
                self.store.garbage_collect(head.saturating_sub(retained));
            }
            Action::Purge => self.handle.purge(),
        }
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        let sent = self.service.clone().oneshot(request).await;
        let (parts, body) = match sent {
            Ok(reply) => reply.into_parts(),
            Err(never) => match never {},
        };
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return self.unreadable(&error.to_string()),
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let status = answer.header("cache-status").unwrap_or_default();
        let note = format!("{} {status}", answer.status.as_u16());
        self.record().notes.push(note.into());
        answer
    }

    fn unreadable(&self, error: &str) -> Answer {
        self.record().broken.push(format!("a reply's body broke off: {error}"));
        Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            headers: HeaderMap::new(),
            body: Value::Null,
        }
    }

    /// What the numbers of a write stand for. Only existing relationships are deleted, because otherwise most writes
    /// would fail.
    fn changes(&self, numbers: &[(&'static str, u16)]) -> Vec<(&'static str, Tuple)> {
        let mut existing: Vec<Tuple> = Vec::new();
        for Change { exists, tuple } in self.record().writes.iter().flat_map(|write| &write.changes) {
            existing.retain(|other| other != tuple);
            existing.extend(exists.then(|| tuple.clone()));
        }
        let changes = numbers.iter().map(|&(verb, number)| match (verb, existing.len()) {
            ("delete", 1..) => (verb, existing.swap_remove(usize::from(number) % existing.len())),
            _ => (verb, self.schema.tuple(number)),
        });
        changes.collect()
    }

    fn write_behind(&self, numbers: &[(&'static str, u16)]) {
        let changes = self.changes(numbers);
        let updates = changes.iter().map(|(verb, tuple)| {
            let Tuple {
                resource,
                relation,
                subject,
            } = tuple;
            let relationship: Relationship = format!("{resource}#{relation}@{subject}").parse().unwrap();
            match *verb {
                "touch" => Update::touch(relationship),
                "create" => Update::create(relationship),
                _ => Update::delete(relationship),
            }
        });
        if let Ok(revision) = self.store.write(updates) {
            self.record().behind = revision;
            self.wrote(revision, changes);
        }
    }

    async fn write(&self, numbers: &[(&'static str, u16)], tokens: &[(Place, Kind)]) {
        let changes = self.changes(numbers);
        let updates = changes.iter().map(|(verb, tuple)| {
            let Tuple {
                resource,
                relation,
                subject,
            } = tuple;
            json!({"operation": verb, "resource": resource, "relation": relation, "subject": subject})
        });
        let body = json!({"updates": updates.collect::<Vec<_>>()}).to_string();
        let tokens: Vec<_> = tokens.iter().map(|&(place, kind)| (place, self.token(kind))).collect();
        let floors = tokens.iter().filter_map(|(_, (_, revision))| *revision).max();
        let head = self.store.current_revision();
        let texts: Vec<_> = tokens.into_iter().map(|(place, (text, _))| (place, text)).collect();
        let answer = self.send(write_request(&texts, body)).await;
        let revision = answer.body["revision"].as_u64();
        match (answer.status, revision) {
            (StatusCode::OK, Some(revision)) => {
                self.wrote(revision, changes);
                let zookie = answer.header("zookie");
                let cookie = answer.cookie_text();
                // A token that is ahead of the store may be rejected, or believed.
                let joined = floors.filter(|floor| *floor > head).unwrap_or_default().max(revision);
                let is_right = [revision, joined].map(|joined| cookie == Some(self.spelled(joined)));
                if zookie != Some(&*self.spelled(revision)) || !is_right.contains(&true) {
                    let broken = format!("write {revision} has the zookie {zookie:?} and the cookie {cookie:?}");
                    self.record().broken.push(broken);
                }
            }
            (status, _) if status.is_client_error() => {}
            // The write waited for a token that is ahead of the store.
            (StatusCode::SERVICE_UNAVAILABLE, _) if floors > Some(head) => {}
            _ => self.record().broken.push(format!("a write's reply: {answer:?}")),
        }
    }

    fn wrote(&self, revision: u64, changes: Vec<(&'static str, Tuple)>) {
        let changes = changes.into_iter().map(|(verb, tuple)| Change {
            exists: verb != "delete",
            tuple,
        });
        self.record().writes.push(Write {
            revision,
            acknowledged: self.now(),
            changes: changes.collect(),
        });
    }

    fn judge(&self, case: &Case, tally: &Tally) -> Result<(), Box<dyn Error>> {
        let mut record = self.record();
        let bounds = Bounds {
            layer: settings(case).bound(),
            store: case.quantize,
        };
        let judge = Judge::new(&case.schema.text(), record.writes.clone(), bounds)?;
        let replies = std::mem::take(&mut record.replies);
        let violations = judge.judge(replies);
        let all = violations.iter().map(ToString::to_string);
        let all: Vec<_> = all.chain(record.broken.drain(..)).collect();
        if all.is_empty() {
            record.notes.iter().for_each(|note| tally.add(note));
            return Ok(());
        }
        let text = format!(
            "{}\nof {}\nafter {:#?}",
            all.join("\n"),
            case.schema.text(),
            record.writes
        );
        Err(text.into())
    }
}

fn write_request(tokens: &[(Place, String)], body: String) -> Request {
    let (mut headers, mut query) = (Vec::new(), form_urlencoded::Serializer::new(String::new()));
    let cookies = carry(tokens, &mut headers, &mut query);
    headers.extend(cookies.map(|cookies| ("cookie", cookies)));
    let request = Request::post(format!("/relationships?{}", query.finish()));
    let request = headers
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    request.body(Body::from(body)).unwrap()
}

type Delays = Arc<Mutex<VecDeque<(Duration, Duration)>>>;

async fn late(delays: Delays, request: Request, next: Next) -> Response {
    let delay = delays.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let (before, after) = delay.unwrap_or_default();
    let unknown = request
        .headers()
        .get("authorization")
        .is_some_and(|value| value == BAD_CREDENTIALS);
    // A sleep of zero length still ends only at the next tick.
    if !before.is_zero() {
        sleep(before).await;
    }
    let response = if unknown {
        StatusCode::UNAUTHORIZED.into_response()
    } else {
        next.run(request).await
    };
    if !after.is_zero() {
        sleep(after).await;
    }
    response
}
