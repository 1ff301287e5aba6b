use std::collections::HashMap;
use std::convert::Infallible;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tower::{Layer, ServiceExt, service_fn};
use tower_zookie::ZookieLayer;
use tower_zookie::cache::{Fingerprint, FingerprintBuilder, Keyer};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::Kind;

use crate::conformance::Wrong;
use crate::conformance::api::{Api, Asks, Fresh};
use crate::conformance::carried::sent;
use crate::conformance::methods::call;

/// A request, and what it is.
type Named = (String, Request<Bytes>);

/// Everything that changes the answer is in the key, and the tokens are not: in the keys that the protocol makes, and in
/// what the layer answers from the cache.
///
/// # Errors
///
/// Two requests that may have different answers and share a key, or one request with two keys.
pub fn keys<A: Api>(api: &A) -> Result<(), Wrong> {
    let base = Keyer::random().question("conformance");
    let others = others(api)?;
    let mut seen: HashMap<Fingerprint, String> = HashMap::new();
    for (name, request) in &others {
        if let Some(key) = key(api, request, &base)
            && let Some(before) = seen.insert(key, name.clone())
        {
            return Err(format!("rule 10: {before} and {name} share a key"));
        }
    }
    for question in 0..A::QUESTIONS {
        for fresh in freshnesses(api) {
            let plain = api
                .request(&Asks::Check(question), &Fresh::default())
                .ok_or("a protocol has checks")?;
            let request = api
                .request(&Asks::Check(question), &fresh)
                .ok_or("a protocol has checks")?;
            let usual = key(api, &plain, &base).ok_or("rule 10: a check has no key")?;
            if key(api, &request, &base).is_some_and(|key| key != usual) {
                return Err(format!("rule 10: the freshness is in the key: {fresh:?}"));
            }
            if key(api, &request, &Keyer::random().question("conformance")) == Some(usual) {
                return Err("rule 10: the key does not begin with `Key::base`".to_owned());
            }
        }
    }
    shared_by_the_layer(api, &others)
}

/// All freshnesses that a request can state.
fn freshnesses<A: Api>(api: &A) -> Vec<Fresh> {
    let with = |token: Option<String>, consistency| Fresh { token, consistency };
    vec![
        with(None, None),
        with(Some(api.token(1)), None),
        with(Some(api.token(2)), None),
        with(Some(api.token(2)), Some(Consistency::AtExactSnapshot)),
        with(None, Some(Consistency::FullyConsistent)),
    ]
}

fn key<A: Api>(api: &A, request: &Request<Bytes>, base: &FingerprintBuilder) -> Option<Fingerprint> {
    match call(&api.protocol(), request, base)?.1.kind {
        Kind::Check(question) => Some(question),
        _ => None,
    }
}

/// Requests that may all have different answers.
fn others<A: Api>(api: &A) -> Result<Vec<Named>, Wrong> {
    let mut others: Vec<Named> = Vec::new();
    for question in 0..A::QUESTIONS {
        let request = api
            .request(&Asks::Check(question), &Fresh::default())
            .ok_or("a protocol has checks")?;
        others.push((format!("question {question}"), request));
    }
    let variations = api.variations().into_iter().enumerate();
    others.extend(variations.map(|(nth, request)| (format!("variation {nth}: {request:?}"), request)));
    let plain = &others[0].1;
    let mut mutated: Vec<Named> = Vec::new();
    if let Ok(message @ Value::Object(_)) = serde_json::from_slice(plain.body()) {
        for message in mutations(&message, &api.freshness_members()) {
            let meaning = api.meaning(&message);
            let known = |(_, known): &Named| {
                serde_json::from_slice(known.body()).is_ok_and(|known| api.meaning(&known) == meaning)
            };
            if others.iter().chain(&mutated).any(known) {
                continue;
            }
            let message = message.to_string();
            mutated.push((message.clone(), plain.clone().map(|_| message.into())));
        }
    }
    for parameter in ["unknown=1", "unknown=2"] {
        let mut request = plain.clone();
        let before = if request.uri().query().is_some() { '&' } else { '?' };
        let uri: Uri = format!("{}{before}{parameter}", request.uri())
            .parse()
            .map_err(|_| "a path and a query")?;
        *request.uri_mut() = uri;
        mutated.push((format!("the query {parameter}"), request));
    }
    if let Some(content_type) = plain.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        let mut request = plain.clone();
        let value = HeaderValue::from_str(&format!("{content_type}; version=2")).map_err(|error| error.to_string())?;
        request.headers_mut().insert(CONTENT_TYPE, value);
        mutated.push(("a parameter of the content type".to_owned(), request));
    }
    others.extend(mutated);
    Ok(others)
}

/// The message with one value changed, one member removed, or one member more.
fn mutations(message: &Value, free: &[&str]) -> Vec<Value> {
    let mut all = Vec::new();
    match message {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("unknown".to_owned(), json!("x"));
            all.push(more.into());
            for (name, value) in members.iter().filter(|(name, _)| !free.contains(&name.as_str())) {
                let mut less = members.clone();
                less.remove(name);
                all.push(less.into());
                for value in mutations(value, &[]) {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), value);
                    all.push(changed.into());
                }
            }
        }
        Value::Array(elements) => {
            all.push([&elements[..], &[Value::Null]].concat().into());
            for (nth, element) in elements.iter().enumerate() {
                for value in mutations(element, &[]) {
                    let mut changed = elements.clone();
                    changed[nth] = value;
                    all.push(changed.into());
                }
            }
        }
        Value::String(text) => all.extend([json!(format!("{text}x")), json!(null), json!({ "x": text })]),
        Value::Number(number) => all.extend([json!(number.to_string()), json!([number])]),
        Value::Bool(value) => all.extend([json!(!value), json!(value.to_string())]),
        Value::Null => all.push(json!("x")),
    }
    all
}

/// After one request, the cache answers it again, and none of the others.
fn shared_by_the_layer<A: Api>(api: &A, others: &[Named]) -> Result<(), Wrong> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let layer = ZookieLayer::builder(api.protocol())
            .build()
            .map_err(|error| error.to_string())?;
        let server = api.clone();
        let service = layer.layer(service_fn(move |request: Request<Full<Bytes>>| {
            let server = server.clone();
            async move {
                // It answers every check, also one that it does not know.
                let (asks, _) = match whole(request).await {
                    Some(request) => server.receive(&request).unwrap_or((Asks::Check(0), Fresh::default())),
                    None => (Asks::Check(0), Fresh::default()),
                };
                let verdicts: Vec<_> = asks.questions().iter().map(|_| true).collect();
                Ok::<_, Infallible>(sent(server.reply(&asks, &verdicts, 1)))
            }
        }));
        let is_hit = async |request: &Request<Bytes>| {
            let Ok(reply) = service.clone().oneshot(request.clone().map(Full::new)).await;
            // The reply is read to its end, as any client does.
            let status = reply
                .headers()
                .get("cache-status")
                .is_some_and(|status| status == "tower-zookie; hit");
            crate::conformance::carried::read(reply).await;
            status
        };
        for (name, request) in others {
            if is_hit(request).await {
                return Err(format!(
                    "rule 10: the cache answered {name} with the answer to another request"
                ));
            }
        }
        let (_, plain) = &others[0];
        if !is_hit(plain).await {
            return Err("rule 10: the same request is not answered from the cache".to_owned());
        }
        let mut by_another = plain.clone();
        by_another
            .headers_mut()
            .insert(AUTHORIZATION, HeaderValue::from_static("Bearer another"));
        if is_hit(&by_another).await {
            return Err("rule 10: two callers share an answer".to_owned());
        }
        Ok(())
    })
}

async fn whole(request: Request<Full<Bytes>>) -> Option<Request<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.ok()?;
    Some(Request::from_parts(parts, body.to_bytes()))
}
