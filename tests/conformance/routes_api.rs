use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower_zookie::cache::Capabilities;
use tower_zookie::protocol::{CheckRoute, Routes, Verdict, WriteRoute};
use tower_zookie::token::CounterTokens;
use tower_zookie_testing::conformance::{Answer, Api, Asks, Fresh, in_headers, stated};

/// Declared paths, in two styles.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RoutesApi {
    /// The question and the token in the body.
    Body,
    /// The question in the path and the query, the token in a header.
    Path,
}

impl RoutesApi {
    fn has_body(self) -> bool {
        matches!(self, Self::Body)
    }
}

impl Api for RoutesApi {
    type Protocol = Routes;

    fn protocol(&self) -> Routes {
        let verdict = || Verdict::json("/result/allowed");
        let check = match self {
            Self::Body => CheckRoute::post("/check").request_token("zookie").reply_token("zookie"),
            Self::Path => CheckRoute::get("/{doc}/check"),
        };
        let write = match self {
            Self::Body => WriteRoute::post("/relationships").reply_token("zookie"),
            Self::Path => WriteRoute::post("/relationships"),
        };
        Routes::builder(CounterTokens::new("conformance"))
            .capabilities(Capabilities::versioned())
            .check(
                check
                    .verdict(verdict())
                    .key_header(http::HeaderName::from_static("x-tenant")),
            )
            .write(write)
            .build()
            .expect("routes")
    }

    fn token(&self, revision: u64) -> String {
        revision.to_string()
    }

    fn has_token_in_messages(&self) -> bool {
        self.has_body()
    }

    fn request(&self, asks: &Asks, fresh: &Fresh) -> Option<Request<Bytes>> {
        let mut in_header = fresh.clone();
        let mut request = match (asks, self) {
            (Asks::Check(question), Self::Body) => {
                let mut message = json!({"doc": question, "who": {"id": "u1", "level": 1.0}, "list": [1, "a"]});
                if let Some(token) = in_header.token.take() {
                    message["zookie"] = token.into();
                }
                Request::post("/check")
                    .header("content-type", "application/json")
                    .body(message.to_string().into())
            }
            (Asks::Check(question), Self::Path) => Request::get(format!("/{question}/check?who=u1")).body(Bytes::new()),
            (Asks::Write { question, allowed }, _) => {
                let message = json!({"doc": question, "allowed": allowed}).to_string();
                Request::post("/relationships").body(message.into())
            }
            (Asks::Bulk(_), _) => return None,
        }
        .ok()?;
        in_headers(&mut request, &in_header);
        Some(request)
    }

    fn receive(&self, request: &Request<Bytes>) -> Option<(Asks, Fresh)> {
        let message: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let number = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let asks = match request.uri().path() {
            "/relationships" => Asks::Write {
                question: number(&message["doc"])?,
                allowed: message["allowed"].as_bool()?,
            },
            "/check" => Asks::Check(number(&message["doc"])?),
            path => Asks::Check(path.strip_prefix('/')?.strip_suffix("/check")?.parse().ok()?),
        };
        let stated = stated(request);
        let token = message["zookie"].as_str().map(str::to_owned).or(stated.token);
        Some((asks, Fresh { token, ..stated }))
    }

    fn reply(&self, asks: &Asks, verdicts: &[bool], revision: u64) -> Response<Bytes> {
        let mut body = json!({"result": {"allowed": verdicts.first()}});
        let mut reply = Response::builder().header("content-type", "application/json");
        if self.has_body() {
            body["zookie"] = revision.to_string().into();
        } else {
            reply = reply.header("zookie", revision);
        }
        if matches!(asks, Asks::Write { .. }) {
            reply = reply.status(201);
        }
        reply.body(body.to_string().into()).expect("a reply")
    }

    fn refuse(&self) -> Response<Bytes> {
        let mut reply = Response::new(Bytes::from_static(b"{\"error\":\"gone\"}"));
        *reply.status_mut() = StatusCode::GONE;
        reply
    }

    fn answer(&self, asks: &Asks, reply: &Response<Bytes>) -> Option<Answer> {
        if !reply.status().is_success() {
            return None;
        }
        let body: Value = serde_json::from_slice(reply.body()).ok()?;
        let token = match self {
            Self::Body => body["zookie"].as_str()?.to_owned(),
            Self::Path => reply.headers().get("zookie")?.to_str().ok()?.to_owned(),
        };
        let verdicts = match asks {
            Asks::Write { .. } => Vec::new(),
            _ => vec![body["result"]["allowed"].as_bool()],
        };
        Some(Answer {
            verdicts,
            token: Some(token),
        })
    }

    fn freshness_members(&self) -> Vec<&'static str> {
        vec!["zookie"]
    }

    fn variations(&self) -> Vec<Request<Bytes>> {
        let plain = || self.request(&Asks::Check(0), &Fresh::default()).expect("a check");
        let mut variations = Vec::new();
        for tenant in ["a", "b", ""] {
            let mut request = plain();
            request
                .headers_mut()
                .insert("x-tenant", tenant.parse().expect("a header's value"));
            variations.push(request);
        }
        if !self.has_body() {
            for path in [
                "/0/check",
                "/0/check?who=u2",
                "/0/check?who=u1&who2=u1",
                "/%30/check?who=u1",
            ] {
                variations.push(Request::get(path).body(Bytes::new()).expect("a request"));
            }
        }
        variations
    }
}
