//! One request, and what its reply must satisfy in addition to the judge's rules.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use gateway::checker::{ConsistencyLevel, Question, Reply, revision_of};
use serde_json::Value;
use tokio::time::timeout;
use tower_zookie::token::RevisionToken;

use crate::bypass::{Bypass, with_header};
use crate::plan::{Ask, Form, Kind, Place};
use crate::requests::{Parts, request};
use crate::schema::question;
use crate::world::{Answer, World};

/// A token as it is sent.
#[derive(Debug)]
struct Token {
    place: Place,
    text: String,
    /// `None` for a token that is not of this store.
    revision: Option<u64>,
    /// A token of this store and of another one: no revision here covers it.
    concurrent: bool,
}

#[derive(Debug)]
struct Asking {
    form: Form,
    questions: Vec<Arc<Question>>,
    consistency: Option<ConsistencyLevel>,
    no_cache: bool,
    tokens: Vec<Token>,
    bypass: Option<Bypass>,
    /// The id by which the service recognizes the request, if it is bypassed.
    id: Option<String>,
    sent: Duration,
    head: u64,
}

impl World {
    pub(crate) async fn ask(&self, ask: &Ask) {
        let chained = self.take_session(ask);
        let session = ask.session.filter(|_| chained.is_some()).map(|(client, _)| client);
        let asking = self.asking(ask, chained.flatten());
        let sending = self.send(asking.request());
        let answer = match ask.gives_up_after {
            None => Some(sending.await),
            Some(gives_up_after) => timeout(gives_up_after, sending).await.ok(),
        };
        let answered = answer.map(|answer| {
            let replies = self.expect(&asking, &answer);
            (replies, answer)
        });
        let mut record = self.record();
        let session = session.and_then(|client| Some((client, record.sessions.get_mut(&client)?)));
        let number = session.map(|(client, session)| {
            session.waits = false;
            session.replies += 1;
            if let Some((Ok(replies), answer)) = &answered
                && let (Some(reply), Some(zookie)) = (replies.first(), answer.header("zookie"))
                && asking.consistency != Some(ConsistencyLevel::Exact)
            {
                session.last = Some((reply.revision, zookie.to_owned()));
            }
            (client, session.replies)
        });
        match answered {
            None => {}
            Some((Ok(replies), _)) => record.replies.extend(replies.into_iter().map(|reply| Reply {
                session: number,
                ..reply
            })),
            Some((Err(why), answer)) => record.broken.push(format!("{why}: {answer:?}\n    to {asking:#?}")),
        }
    }

    /// The client's last zookie, or `None` if the client does not chain zookies, or still waits for a reply.
    fn take_session(&self, ask: &Ask) -> Option<Option<(Place, u64, String)>> {
        let (client, place) = ask.session?;
        let mut record = self.record();
        let session = record.sessions.entry(client).or_default();
        if session.waits {
            return None;
        }
        session.waits = true;
        Some(session.last.clone().map(|(revision, zookie)| (place, revision, zookie)))
    }

    fn asking(&self, ask: &Ask, chained: Option<(Place, u64, String)>) -> Asking {
        let mut tokens: Vec<_> = ask
            .tokens
            .iter()
            .map(|&(place, kind)| {
                let (text, revision) = self.token(kind);
                let revision = revision.filter(|_| !kind.is_bad());
                Token {
                    place,
                    text,
                    revision,
                    concurrent: matches!(kind, Kind::Concurrent(_)),
                }
            })
            .collect();
        if let Some((place, revision, text)) = chained.filter(|_| ask.consistency != Some(ConsistencyLevel::Exact)) {
            let revision = Some(revision);
            tokens.push(Token {
                place,
                text,
                revision,
                concurrent: false,
            });
        }
        let questions = match ask.form {
            Form::Evaluations { .. } => &*ask.questions,
            _ => &ask.questions[..1],
        };
        let bypass = ask.bypass.map(|number| Bypass::of(number, ask.form.posts()));
        self.note(bypass.map(|bypass| format!("honest {}", bypass.name())));
        self.note(["honest: all requests".to_owned()]);
        Asking {
            form: ask.form,
            questions: questions.iter().map(|&number| Arc::new(question(number))).collect(),
            consistency: ask.consistency,
            no_cache: ask.no_cache,
            tokens,
            id: bypass.map(|_| self.next_id()),
            bypass,
            sent: self.now(),
            head: self.store.current_revision(),
        }
    }

    pub(crate) fn token(&self, kind: Kind) -> (String, Option<u64>) {
        let head = self.store.current_revision();
        let own = |revision| {
            (
                RevisionToken::new(self.store.node_id(), revision).encode(),
                Some(revision),
            )
        };
        match kind {
            Kind::Old(number) => own(1 + u64::from(number) % head),
            Kind::Newest => own(head),
            Kind::Behind => own(self.record().behind),
            Kind::Future(lead) => own(head + lead),
            Kind::Foreign => (RevisionToken::new("elsewhere", head).encode(), None),
            Kind::Concurrent(number) => {
                let (own, revision) = (self.store.node_id(), 1 + u64::from(number) % head);
                let clock = [(own, revision), ("elsewhere", 3)];
                (RevisionToken::with_vector_clock(own, revision, clock).encode(), None)
            }
            Kind::Malformed(text) => (text.to_owned(), None),
            Kind::Zero => own(0),
        }
    }

    /// The replies for the judge, or the error in this one.
    fn expect(&self, asking: &Asking, answer: &Answer) -> Result<Vec<Reply>, &'static str> {
        let status = answer.status;
        let exact = asking.consistency == Some(ConsistencyLevel::Exact);
        let (explicit, cookies): (Vec<_>, Vec<_>) =
            asking.tokens.iter().partition(|token| token.place != Place::Cookie);
        let unreached = status == StatusCode::SERVICE_UNAVAILABLE;
        if unreached {
            self.expect_rejection(answer)?;
        }
        let counted = || explicit.iter().chain(cookies.iter().filter(|_| !exact));
        if explicit.iter().any(|token| token.revision.is_none()) || (exact && explicit.len() != 1) {
            // A rejection because the service has not reached the revision is correct too: no revision of this store
            // will ever cover that one.
            let concurrent = unreached && !exact && counted().any(|token| token.concurrent);
            return match status.is_client_error() || concurrent {
                true => Ok(Vec::new()),
                false => Err("tokens that have to be rejected were not"),
            };
        }
        if counted().any(|token| token.concurrent) {
            return match status.is_client_error() || unreached {
                true => Ok(Vec::new()),
                false => Err("no revision here covers the cookie"),
            };
        }
        if exact && asking.no_cache {
            return match status.is_client_error() {
                true => Ok(Vec::new()),
                false => Err("an exact read beside no-cache has to be rejected"),
            };
        }
        let bad_cookie = !exact && cookies.iter().any(|cookie| cookie.revision.is_none());
        let floors: Vec<u64> = counted().filter_map(|token| token.revision).collect();
        let consistency = match asking.consistency {
            Some(ConsistencyLevel::Exact) => ConsistencyLevel::Exact,
            _ if bad_cookie || asking.no_cache => ConsistencyLevel::Full,
            consistency => consistency.unwrap_or(ConsistencyLevel::Any),
        };
        let stated = asking.id.as_ref().map(|id| self.stated(id)).unwrap_or_default();
        if !stated.is_empty() && !stated.iter().any(|stated| stated.says(consistency, &floors)) {
            return Err("the service was not sent what the bypassed request demands");
        }
        let is_hit = answer
            .header("cache-status")
            .is_some_and(|status| status.ends_with("; hit"));
        if asking.id.is_some() && stated.is_empty() && status == StatusCode::OK && !is_hit {
            return Err("a bypassed request was answered by another's call");
        }
        let ahead = floors.iter().any(|floor| *floor > asking.head);
        let expired = exact && floors.iter().any(|floor| *floor < self.store.oldest_revision());
        let rejected = asking.bypass.is_some_and(Bypass::is_rejected);
        match status {
            StatusCode::OK if !rejected => self.read(asking, answer, floors, consistency),
            StatusCode::CONFLICT | StatusCode::GATEWAY_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE if ahead => {
                Ok(Vec::new())
            }
            StatusCode::GONE if expired => Ok(Vec::new()),
            _ if rejected && status.is_client_error() && !stated.is_empty() => Ok(Vec::new()),
            _ => Err("a good request was not answered"),
        }
    }

    /// A rejection because the store is behind states when to ask again, and sets no cookie that is ahead of the store.
    fn expect_rejection(&self, answer: &Answer) -> Result<(), &'static str> {
        if answer.header("retry-after").is_none() {
            return Err("the rejection does not say when to ask again");
        }
        match answer.cookie() {
            None => Ok(()),
            Some(Some(cookie)) if cookie <= self.store.current_revision() => Ok(()),
            Some(_) => Err("the rejection's cookie is none of the store's"),
        }
    }

    fn read(
        &self,
        asking: &Asking,
        answer: &Answer,
        floors: Vec<u64>,
        consistency: ConsistencyLevel,
    ) -> Result<Vec<Reply>, &'static str> {
        let revision = answer.header("zookie").and_then(revision_of);
        let revision = revision.ok_or("the reply's zookie can't be read")?;
        if answer.header("cache-control") != Some("no-store") {
            return Err("other caches may store the reply");
        }
        let decisions = asking
            .decisions(&answer.body)
            .ok_or("the reply's decisions can't be read")?;
        if answer.header("zookie") != Some(&*self.spelled(revision)) {
            return Err("the reply's zookie is not spelled as the store does");
        }
        let cookies = asking.tokens.iter().filter(|token| token.place == Place::Cookie);
        let mut useless = cookies.filter(|cookie| cookie.revision.is_none_or(|revision| revision > asking.head));
        match answer.cookie_text() {
            None => {}
            Some(_) if consistency == ConsistencyLevel::Exact => return Err("an exact reply sets a cookie"),
            Some(_) if useless.next().is_none() => return Err("a read takes a good cookie's place"),
            Some(cookie) if (revision..=self.store.current_revision()).any(|said| cookie == self.spelled(said)) => {}
            Some(_) => return Err("the reply's cookie is not what the store said"),
        }
        let reply = Reply {
            sent: asking.sent,
            consistency,
            tokens: floors,
            revision,
            decisions: asking.questions.iter().cloned().zip(decisions).collect(),
            session: None,
            note: answer.header("cache-status").unwrap_or("no layer").into(),
        };
        let in_body = answer.body["revision"].as_u64().filter(|other| *other != revision);
        let other = in_body.map(|revision| Reply {
            revision,
            ..reply.clone()
        });
        Ok([reply].into_iter().chain(other).collect())
    }
}

impl Asking {
    fn request(&self) -> Request {
        let consistency = self.consistency.map(|consistency| match consistency {
            ConsistencyLevel::Any if self.tokens.is_empty() => "minimize-latency".to_owned(),
            ConsistencyLevel::Any => "at-least-as-fresh".to_owned(),
            ConsistencyLevel::Exact => "at-exact-snapshot".to_owned(),
            ConsistencyLevel::Full => "fully-consistent".to_owned(),
            ConsistencyLevel::Bounded(bound) => format!("bounded-staleness={}ms", bound.as_millis()),
        });
        let tokens = self.tokens.iter().map(|token| (token.place, token.text.clone()));
        let request = request(Parts {
            form: self.form,
            questions: self
                .questions
                .iter()
                .map(|question| Question::clone(question))
                .collect(),
            consistency,
            no_cache: self.no_cache,
            tokens: tokens.collect(),
            bypass: self.bypass,
        });
        match &self.id {
            Some(id) => with_header(request, "x-request-id", id),
            None => request,
        }
    }

    /// As many as the request has to get.
    fn decisions(&self, body: &Value) -> Option<Vec<bool>> {
        let decisions: Vec<bool> = match self.form {
            Form::Check => vec![body["allowed"].as_bool()?],
            Form::Evaluation => vec![body["decision"].as_bool()?],
            Form::Evaluations { .. } => {
                let items = body["evaluations"].as_array()?.iter();
                items.map(|item| item["decision"].as_bool()).collect::<Option<_>>()?
            }
        };
        let due = match self.form {
            Form::Evaluations { until: Some(until) } => {
                let end = decisions.iter().position(|decision| *decision == until);
                end.map_or(self.questions.len(), |end| end + 1)
            }
            _ => self.questions.len(),
        };
        (decisions.len() == due).then_some(decisions)
    }
}
