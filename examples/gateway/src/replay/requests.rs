//! One request: its question or questions, its consistency, its tokens, and where they travel.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, Request};
use bytes::Bytes;
use gateway::checker::{ConsistencyLevel, Question};
use gateway::service::ids::original;
use http_body_util::Full;
use rand::Rng;
use serde_json::{Value, json};

use super::{Scene, next_rank};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Check,
    Evaluation,
    /// All items are answered, or only those up to the first of this decision.
    Evaluations {
        until: Option<bool>,
    },
}

#[derive(Debug)]
pub(super) struct Asking {
    pub(super) form: Form,
    pub(super) questions: Vec<Arc<Question>>,
    pub(super) consistency: ConsistencyLevel,
    /// Revision, zookie and carrier of each token.
    pub(super) tokens: Vec<(u64, String, Carrier)>,
    /// The default consistency is stated explicitly.
    outspoken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Header,
    Cookie,
    /// The query parameter of this name.
    Query(&'static str),
}

impl Asking {
    /// The next request of a client; `chained` is the zookie of its own last reply, if it remembers one.
    pub(super) fn next(scene: &Scene, random: &mut impl Rng, chained: Option<&(u64, String)>) -> Self {
        let form = match random.random_range(0..100) {
            0..60 => Form::Check,
            60..85 => Form::Evaluation,
            85..95 => Form::Evaluations { until: None },
            _ => Form::Evaluations {
                until: Some(random.random()),
            },
        };
        let items = match form {
            Form::Evaluations { .. } => random.random_range(2..9),
            _ => 1,
        };
        let questions = (0..items)
            .map(|_| Arc::clone(scene.questions.of(next_rank(scene))))
            .collect();
        let mut consistency = match random.random_range(0..100) {
            0..3 => ConsistencyLevel::Exact,
            3..6 => ConsistencyLevel::Full,
            6..8 => ConsistencyLevel::Bounded(Duration::from_secs(1)),
            8..9 => ConsistencyLevel::Bounded(Duration::from_millis(100)),
            _ => ConsistencyLevel::Any,
        };
        let explicit = match random.random_range(0..10) {
            0..6 => Carrier::Header,
            6..9 => Carrier::Query("zookie"),
            _ => Carrier::Query("token"),
        };
        let mut tokens = Vec::new();
        if consistency == ConsistencyLevel::Exact || random.random_range(0..100) < 60 {
            let content = scene.tokens.of_some_content(random);
            tokens.extend(content.map(|content| (content.revision, content.zookie, explicit)));
        }
        if consistency == ConsistencyLevel::Exact && tokens.is_empty() {
            consistency = ConsistencyLevel::Any;
        }
        if let Some((revision, zookie)) = chained.filter(|_| consistency != ConsistencyLevel::Exact) {
            tokens.push((*revision, zookie.clone(), Carrier::Cookie));
        }
        Self {
            form,
            questions,
            consistency,
            tokens,
            outspoken: random.random_range(0..10) == 0,
        }
    }

    pub(super) fn request(&self, authority: &HeaderValue) -> Result<Request<Full<Bytes>>, axum::http::Error> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let (method, path, body) = match self.form {
            Form::Check => {
                let question = &self.questions[0];
                query.append_pair("resource", &question.resource);
                query.append_pair("permission", &question.permission);
                query.append_pair("subject", &question.subject);
                (Method::GET, "/check", None)
            }
            Form::Evaluation => (
                Method::POST,
                "/access/v1/evaluation",
                Some(evaluation(&self.questions[0])),
            ),
            Form::Evaluations { until } => (Method::POST, "/access/v1/evaluations", Some(self.evaluations(until))),
        };
        let mut headers = Vec::new();
        for (_, zookie, carrier) in &self.tokens {
            match carrier {
                Carrier::Header => headers.push(("zookie", zookie.clone())),
                Carrier::Cookie => headers.push(("cookie", format!("theme=dark; zookie={}", escaped(zookie)))),
                Carrier::Query(name) => drop(query.append_pair(name, zookie)),
            }
        }
        let consistency = match self.consistency {
            ConsistencyLevel::Any if !self.outspoken => None,
            ConsistencyLevel::Any if self.tokens.is_empty() => Some("minimize-latency".to_owned()),
            ConsistencyLevel::Any => Some("at-least-as-fresh".to_owned()),
            ConsistencyLevel::Exact => Some("at-exact-snapshot".to_owned()),
            ConsistencyLevel::Full => Some("fully-consistent".to_owned()),
            ConsistencyLevel::Bounded(bound) => Some(format!("bounded-staleness={}ms", bound.as_millis())),
        };
        headers.extend(consistency.map(|consistency| ("zookie-consistency", consistency)));

        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{path}{separator}{query}"))
            .header("host", authority);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match body {
            None => request.body(Full::default()),
            Some(body) => request
                .header("content-type", "application/json")
                .body(Full::from(body.to_string())),
        }
    }

    /// The first action is the default of all, as AuthZEN lets one say it.
    fn evaluations(&self, until: Option<bool>) -> Value {
        let action = &self.questions[0].permission;
        let items = self.questions.iter().map(|question| {
            let mut item = evaluation(question);
            if let (Some(members), true) = (item.as_object_mut(), question.permission == *action) {
                members.remove("action");
            }
            item
        });
        let semantic = match until {
            None => "execute_all",
            Some(false) => "deny_on_first_deny",
            Some(true) => "permit_on_first_permit",
        };
        json!({
            "action": {"name": action},
            "evaluations": items.collect::<Vec<_>>(),
            "options": {"evaluations_semantic": semantic},
        })
    }
}

fn evaluation(question: &Question) -> Value {
    json!({
        "subject": entity(&question.subject),
        "action": {"name": question.permission},
        "resource": entity(&question.resource),
    })
}

fn entity(object: &str) -> Value {
    let (object_type, id) = object.split_once(':').unwrap_or((object, ""));
    json!({"type": object_type, "id": original(id).as_deref().unwrap_or(id)})
}

fn escaped(zookie: &str) -> String {
    form_urlencoded::byte_serialize(zookie.as_bytes()).collect()
}
