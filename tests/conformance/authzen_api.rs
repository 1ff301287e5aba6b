use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower_zookie::cache::Capabilities;
use tower_zookie::protocol::AuthZen;
use tower_zookie::token::CounterTokens;
use tower_zookie_testing::conformance::{Answer, Api, Asks, Fresh, in_headers, stated};

/// AuthZEN, with tokens in the headers. It has no writes.
#[derive(Clone, Debug)]
pub(crate) struct AuthZenApi;

impl Api for AuthZenApi {
    type Protocol = AuthZen;

    fn protocol(&self) -> AuthZen {
        AuthZen::new(CounterTokens::new("conformance")).capabilities(Capabilities::versioned())
    }

    fn token(&self, revision: u64) -> String {
        revision.to_string()
    }

    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>> {
        let resource = |question: &usize| json!({"type": "doc", "id": question.to_string()});
        let mut message = json!({
            "subject": {"type": "user", "id": "u1", "properties": {"roles": ["a", "b"], "level": 3}},
            "action": {"name": "read"},
            "context": {"at": "home", "mfa": true, "nothing": null},
        });
        let path = match asks {
            Asks::Check(question) => {
                message["resource"] = resource(question);
                "/access/v1/evaluation"
            }
            Asks::Bulk(questions) => {
                let evaluations = questions.iter().map(|question| json!({"resource": resource(question)}));
                message["evaluations"] = evaluations.collect();
                "/access/v1/evaluations"
            }
            Asks::Write { .. } => return None,
        };
        let request = Request::post(path).header("content-type", "application/json");
        let mut request = request.body(message.to_string().into()).ok()?;
        in_headers(&mut request, fresh);
        Some(request)
    }

    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)> {
        let message: Value = serde_json::from_slice(request.body()).ok()?;
        let question = |value: &Value| value["resource"]["id"].as_str()?.parse().ok();
        let asks = match message["evaluations"].as_array() {
            Some(evaluations) => Asks::Bulk(evaluations.iter().map(question).collect::<Option<_>>()?),
            None => Asks::Check(question(&message)?),
        };
        Some((asks, stated(request)))
    }

    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes> {
        let decision = |decision: &bool| json!({"decision": decision, "context": {"reason": "x"}});
        let body = match asks {
            Asks::Bulk(_) => json!({"evaluations": verdicts.iter().map(decision).collect::<Value>()}),
            _ => verdicts.first().map(decision).unwrap_or_default(),
        };
        let reply = Response::builder()
            .header("content-type", "application/json")
            .header("zookie", revision);
        reply.body(body.to_string().into()).expect("a reply")
    }

    fn refuse(&self) -> Response<Bytes> {
        let mut reply = Response::new(Bytes::from_static(b"{\"error\":\"conflict\"}"));
        *reply.status_mut() = StatusCode::CONFLICT;
        reply
    }

    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer> {
        if reply.status() != StatusCode::OK {
            return None;
        }
        let body: Value = serde_json::from_slice(reply.body()).ok()?;
        let verdict = |item: &Value| match item["context"]["error"] {
            Value::Null => item["decision"].as_bool(),
            _ => None,
        };
        Some(Answer {
            verdicts: match asks {
                Asks::Bulk(_) => body["evaluations"].as_array()?.iter().map(verdict).collect(),
                _ => vec![verdict(&body)],
            },
            token: Some(reply.headers().get("zookie")?.to_str().ok()?.to_owned()),
        })
    }
}
