//! How requests are spelled.

use axum::body::Body;
use axum::extract::Request;
use gateway::checker::Question;
use serde_json::{Value, json};

use crate::bypass::{Bypass, with_header};
use crate::plan::{Form, Place};

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) form: Form,
    pub(crate) questions: Vec<Question>,
    pub(crate) consistency: Option<String>,
    pub(crate) no_cache: bool,
    pub(crate) tokens: Vec<(Place, String)>,
    pub(crate) bypass: Option<Bypass>,
}

pub(crate) fn request(parts: Parts) -> Request {
    let Parts {
        form,
        questions,
        consistency,
        no_cache,
        tokens,
        bypass,
    } = parts;
    let mut query = form_urlencoded::Serializer::new(String::new());
    let (path, body) = match form {
        Form::Check => {
            let question = &questions[0];
            query.append_pair("resource", &question.resource);
            query.append_pair("permission", &question.permission);
            query.append_pair("subject", &question.subject);
            ("/check", None)
        }
        Form::Evaluation => ("/access/v1/evaluation", Some(evaluation(&questions[0]))),
        Form::Evaluations { until } => {
            let semantic = match until {
                None => "execute_all",
                Some(false) => "deny_on_first_deny",
                Some(true) => "permit_on_first_permit",
            };
            let items: Vec<_> = questions.iter().map(evaluation).collect();
            let body = json!({"evaluations": items, "options": {"evaluations_semantic": semantic}});
            ("/access/v1/evaluations", Some(body))
        }
    };
    let mut headers = Vec::new();
    let cookies = carry(&tokens, &mut headers, &mut query);
    headers.extend(cookies.map(|cookies| ("cookie", cookies)));
    headers.extend(consistency.map(|consistency| ("zookie-consistency", consistency)));
    headers.extend(no_cache.then(|| ("cache-control", "no-cache".to_owned())));
    if let Some(bypass) = bypass {
        query.extend_pairs(bypass.parameters());
        headers.extend(bypass.header().map(|(name, value)| (name, value.to_owned())));
    }
    let uri = format!("{path}?{}", query.finish());
    let request = match body {
        None => Request::get(uri),
        Some(_) => Request::post(uri).header("content-type", "application/json"),
    };
    let body = match (bypass, body) {
        (Some(bypass), body) => bypass.body(body.as_ref()),
        (None, None) => Body::empty(),
        (None, Some(body)) => Body::from(body.to_string()),
    };
    let request = request.body(body).expect("all parts are ASCII");
    headers
        .into_iter()
        .fold(request, |request, (name, value)| with_header(request, name, &value))
}

/// Puts tokens into their places, and returns those of cookies as one line.
pub(crate) fn carry(
    tokens: &[(Place, String)],
    headers: &mut Vec<(&'static str, String)>,
    query: &mut form_urlencoded::Serializer<'_, String>,
) -> Option<String> {
    let mut cookies = Vec::new();
    for (place, text) in tokens {
        match place {
            Place::Header => headers.push(("zookie", text.clone())),
            Place::Cookie => {
                let value: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
                cookies.push(format!("zookie={value}"));
            }
            Place::Query(name) => drop(query.append_pair(name, text)),
        }
    }
    (!cookies.is_empty()).then(|| cookies.join("; "))
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
    json!({"type": object_type, "id": id})
}
