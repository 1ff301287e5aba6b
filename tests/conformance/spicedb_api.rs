use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower_zookie::consistency::Consistency;
use tower_zookie::protocol::SpiceDb;
use tower_zookie::protocol::spicedb::Engine;
use tower_zookie_testing::conformance::{Answer, Api, Asks, Fresh};
use tower_zookie_testing::frame::written;

/// SpiceDB through its HTTP gateway, on CockroachDB.
#[derive(Clone, Debug)]
pub(crate) struct SpiceDbApi;

fn question(question: usize) -> Value {
    json!({
        "resource": {"objectType": "document", "objectId": question.to_string()},
        "permission": "view",
        "subject": {"object": {"objectType": "user", "objectId": "u1"}, "optionalRelation": "member"},
        "context": {"at": "home", "level": 2, "roles": ["a", true]},
    })
}

fn question_of(message: &Value) -> Option<usize> {
    message["resource"]["objectId"].as_str()?.parse().ok()
}

fn item(allowed: bool) -> Value {
    let has = if allowed { "HAS" } else { "NO" };
    json!({"permissionship": format!("PERMISSIONSHIP_{has}_PERMISSION")})
}

fn verdict(item: &Value) -> Option<bool> {
    match item["permissionship"].as_str()? {
        "PERMISSIONSHIP_HAS_PERMISSION" => Some(true),
        "PERMISSIONSHIP_NO_PERMISSION" => Some(false),
        _ => None,
    }
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let reply = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    reply.body(body.to_string().into()).expect("a reply")
}

impl Api for SpiceDbApi {
    type Protocol = SpiceDb;

    fn protocol(&self) -> SpiceDb {
        SpiceDb::new(Engine::CockroachDb)
    }

    fn token(&self, revision: u64) -> String {
        let revision = format!("{}.0000000000", 1_700_000_000_000_000_000 + revision);
        STANDARD.encode(written(3, &written(1, revision.as_bytes())))
    }

    fn has_token_in_messages(&self) -> bool {
        true
    }

    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>> {
        let (path, mut message) = match asks {
            Asks::Check(number) => ("permissions/check", question(*number)),
            Asks::Bulk(numbers) => {
                let items: Value = numbers.iter().map(|number| question(*number)).collect();
                ("permissions/checkbulk", json!({ "items": items }))
            }
            Asks::Write {
                question: number,
                allowed,
            } => {
                let operation = if *allowed {
                    "OPERATION_TOUCH"
                } else {
                    "OPERATION_DELETE"
                };
                let update = json!({"operation": operation, "relationship": question(*number)});
                ("relationships/write", json!({"updates": [update]}))
            }
        };
        let token = fresh.token.as_ref().map(|token| json!({ "token": token }));
        match (token, fresh.consistency) {
            (_, Some(Consistency::FullyConsistent)) => message["consistency"] = json!({"fullyConsistent": true}),
            (Some(token), Some(Consistency::AtExactSnapshot)) => {
                message["consistency"] = json!({ "atExactSnapshot": token });
            }
            (Some(token), _) => message["consistency"] = json!({ "atLeastAsFresh": token }),
            (None, _) => {}
        }
        let request = Request::post(format!("/v1/{path}")).header("content-type", "application/json");
        request.body(message.to_string().into()).ok()
    }

    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)> {
        let message: Value = serde_json::from_slice(request.body()).ok()?;
        let asks = match request.uri().path() {
            "/v1/permissions/check" => Asks::Check(question_of(&message)?),
            "/v1/permissions/checkbulk" => Asks::Bulk(
                message["items"]
                    .as_array()?
                    .iter()
                    .map(question_of)
                    .collect::<Option<_>>()?,
            ),
            _ => Asks::Write {
                question: question_of(&message["updates"][0]["relationship"])?,
                allowed: message["updates"][0]["operation"] == "OPERATION_TOUCH",
            },
        };
        let stated = &message["consistency"];
        let token = |name: &str| stated[name]["token"].as_str().map(str::to_owned);
        let consistency = match (&stated["fullyConsistent"], &stated["atExactSnapshot"]) {
            (Value::Bool(true), _) => Some(Consistency::FullyConsistent),
            (_, Value::Object(_)) => Some(Consistency::AtExactSnapshot),
            _ => None,
        };
        let token = token("atLeastAsFresh").or(token("atExactSnapshot"));
        Some((asks, Fresh { token, consistency }))
    }

    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes> {
        let token = json!({"token": self.token(revision)});
        let body = match asks {
            Asks::Check(_) => {
                let mut body = item(verdicts[0]);
                body["checkedAt"] = token;
                body
            }
            Asks::Bulk(numbers) => {
                let pairs = numbers.iter().zip(verdicts);
                let pairs =
                    pairs.map(|(number, allowed)| json!({"request": question(*number), "item": item(*allowed)}));
                json!({"checkedAt": token, "pairs": pairs.collect::<Value>()})
            }
            Asks::Write { .. } => json!({ "writtenAt": token }),
        };
        reply(StatusCode::OK, &body)
    }

    fn refuse(&self) -> Response<Bytes> {
        let why = json!({"code": 11, "message": "invalid zedtoken: the revision has expired", "details": []});
        reply(StatusCode::BAD_REQUEST, &why)
    }

    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer> {
        if reply.status() != StatusCode::OK {
            return None;
        }
        let body: Value = serde_json::from_slice(reply.body()).ok()?;
        let (verdicts, token) = match asks {
            Asks::Check(_) => (vec![verdict(&body)], &body["checkedAt"]),
            Asks::Bulk(_) => {
                let pairs = body["pairs"].as_array()?;
                (
                    pairs.iter().map(|pair| verdict(&pair["item"])).collect(),
                    &body["checkedAt"],
                )
            }
            Asks::Write { .. } => (Vec::new(), &body["writtenAt"]),
        };
        Some(Answer {
            verdicts,
            token: Some(token["token"].as_str()?.to_owned()),
        })
    }

    fn freshness_members(&self) -> Vec<&'static str> {
        vec!["consistency"]
    }

    /// A field that is null or empty text is one that is not there. Numbers of a context are doubles.
    fn meaning(&self, message: &Value) -> Value {
        let is_set = |value: &Value| !matches!(value, Value::Null) && value.as_str() != Some("");
        let mut message = message.clone();
        let Some(members) = message.as_object_mut() else {
            return message;
        };
        members.retain(|_, value| is_set(value));
        for (_, value) in members.iter_mut().filter(|(name, _)| *name != "context") {
            *value = self.meaning(value);
        }
        message
    }
}
