//! The contract's rules, and that the suite knows this API: its server's replies are those of the suite's model.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use own_protocol::OwnProtocol;
use serde_json::{Value, json};
use tower_zookie::consistency::Consistency;
use tower_zookie_testing::conformance::{Answer, Api, Asks, Fresh};

#[derive(Clone, Debug)]
struct Own;

tower_zookie_testing::conformance!(own, Own);

impl Api for Own {
    type Protocol = OwnProtocol;

    fn protocol(&self) -> OwnProtocol {
        OwnProtocol::new()
    }

    fn token(&self, revision: u64) -> String {
        revision.to_string()
    }

    fn has_token_in_messages(&self) -> bool {
        true
    }

    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>> {
        let check = |question: &usize| json!({"subject": "u1", "action": "read", "resource": question.to_string()});
        let (path, mut message) = match asks {
            Asks::Check(question) => ("/v1/check", check(question)),
            Asks::Bulk(questions) => (
                "/v1/check-all",
                json!({"checks": questions.iter().map(check).collect::<Value>()}),
            ),
            Asks::Write { question, allowed } => {
                let mut grant = check(question);
                grant["allowed"] = (*allowed).into();
                ("/v1/grants", grant)
            }
        };
        if let Some(token) = &fresh.token {
            message["at"] = token.as_str().into();
        }
        match fresh.consistency {
            Some(Consistency::FullyConsistent) => message["read"] = "latest".into(),
            Some(Consistency::AtExactSnapshot) => message["read"] = "exactly".into(),
            _ => {}
        }
        let request = Request::post(path).header("content-type", "application/json");
        request.body(message.to_string().into()).ok()
    }

    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)> {
        let message: Value = serde_json::from_slice(request.body()).ok()?;
        let question = |check: &Value| check["resource"].as_str()?.parse().ok();
        let asks = match request.uri().path() {
            "/v1/check" => Asks::Check(question(&message)?),
            "/v1/check-all" => Asks::Bulk(
                message["checks"]
                    .as_array()?
                    .iter()
                    .map(question)
                    .collect::<Option<_>>()?,
            ),
            _ => Asks::Write {
                question: question(&message)?,
                allowed: message["allowed"].as_bool()?,
            },
        };
        let fresh = Fresh {
            token: message["at"].as_str().map(str::to_owned),
            consistency: match message["read"].as_str() {
                Some("latest") => Some(Consistency::FullyConsistent),
                Some("exactly") => Some(Consistency::AtExactSnapshot),
                _ => None,
            },
        };
        Some((asks, fresh))
    }

    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes> {
        let mut body = json!({"revision": revision.to_string()});
        match asks {
            Asks::Check(_) => body["allowed"] = verdicts[0].into(),
            Asks::Bulk(_) => body["results"] = verdicts.iter().map(|allowed| json!({ "allowed": allowed })).collect(),
            Asks::Write { .. } => {}
        }
        let reply = Response::builder().header("content-type", "application/json");
        reply.body(body.to_string().into()).expect("a reply")
    }

    fn refuse(&self) -> Response<Bytes> {
        let mut reply = Response::new(Bytes::from_static(br#"{"error":"the revision is not reached"}"#));
        *reply.status_mut() = StatusCode::CONFLICT;
        reply
    }

    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer> {
        if reply.status() != StatusCode::OK {
            return None;
        }
        let body: Value = serde_json::from_slice(reply.body()).ok()?;
        let verdicts = match asks {
            Asks::Check(_) => vec![body["allowed"].as_bool()],
            Asks::Bulk(_) => body["results"]
                .as_array()?
                .iter()
                .map(|result| result["allowed"].as_bool())
                .collect(),
            Asks::Write { .. } => Vec::new(),
        };
        Some(Answer {
            verdicts,
            token: Some(body["revision"].as_str()?.to_owned()),
        })
    }

    fn freshness_members(&self) -> Vec<&'static str> {
        vec!["at", "read"]
    }
}
