use http::{HeaderName, Method, StatusCode};

use crate::protocol::invalid_route::InvalidRoute;
use crate::protocol::kit::json::Pointer;
use crate::protocol::kit::path::Pattern;

/// Where a reply has its verdict.
#[derive(Clone, Debug)]
pub struct Verdict(Says);

#[derive(Clone, Debug)]
enum Says {
    Json(String),
    Status(u16, u16),
}

impl Verdict {
    /// A JSON boolean in a reply with status 200. `field` is a member's name, or a JSON pointer such as
    /// `/result/allowed` through objects.
    pub fn json(pointer: impl Into<String>) -> Self {
        Self(Says::Json(pointer.into()))
    }

    /// One status for allowed and another for denied, each a 2xx or a 4xx.
    pub fn status(allowed: u16, denied: u16) -> Self {
        Self(Says::Status(allowed, denied))
    }
}

/// A path that answers checks.
#[derive(Clone, Debug)]
#[must_use]
pub struct CheckRoute {
    method: Method,
    path: String,
    verdict: Option<Verdict>,
    key_headers: Vec<HeaderName>,
    request_token: Option<String>,
    reply_token: Option<String>,
}

impl CheckRoute {
    /// A check whose question is in the path and the query.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    /// A check whose question is in the body.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            verdict: None,
            key_headers: Vec::new(),
            request_token: None,
            reply_token: None,
        }
    }

    /// Where the reply has its verdict. Required.
    pub fn verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    /// A request header that the answer depends on, such as a tenant's.
    pub fn key_header(mut self, name: HeaderName) -> Self {
        self.key_headers.push(name);
        self
    }

    /// The member of a POST's JSON body that holds the caller's token. The layer then keys the body by its JSON value
    /// without that member, and forwards it with the token of the revision that it asks at. If a body has a member
    /// whose name differs only in case, the layer forwards it unmodified and stores nothing, because some decoders read
    /// that member as the token.
    pub fn request_token(mut self, member: impl Into<String>) -> Self {
        self.request_token = Some(member.into());
        self
    }

    /// Where the JSON reply holds its token, if not in the header: a member's name or a JSON pointer.
    pub fn reply_token(mut self, pointer: impl Into<String>) -> Self {
        self.reply_token = Some(pointer.into());
        self
    }

    pub(super) fn compile(self) -> Result<Declared, InvalidRoute> {
        let name = format!("{} {}", self.method, self.path);
        let invalid = |problem| InvalidRoute::new(&name, problem);
        if self.request_token.is_some() && self.method == Method::GET {
            return Err(invalid(
                "a GET check has no body to hold a token; use a query parameter or a header",
            ));
        }
        if self.request_token.as_deref() == Some("") {
            return Err(invalid("the token's member has an empty name; give its name"));
        }
        let verdict = match self.verdict {
            Some(verdict) => verdict.compile().map_err(invalid)?,
            None => {
                return Err(invalid(
                    "the route has no verdict; declare where the reply has it, with `.verdict(…)`",
                ));
            }
        };
        Ok(Declared {
            pattern: Pattern::parse(&self.path).map_err(|error| invalid(error.problem()))?,
            reply_token: pointer(self.reply_token).map_err(invalid)?,
            what: What::Check {
                verdict,
                key_headers: self.key_headers,
                request_token: self.request_token,
            },
            method: self.method,
            name,
        })
    }
}

/// A path that changes relationships or the schema.
#[derive(Clone, Debug)]
#[must_use]
pub struct WriteRoute {
    method: Method,
    path: String,
    reply_token: Option<String>,
    schema: bool,
}

impl WriteRoute {
    /// A write by POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    /// A write by PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into())
    }

    /// A write by PATCH.
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path.into())
    }

    /// A write by DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            reply_token: None,
            schema: false,
        }
    }

    /// Where the JSON reply holds its token, if not in the header: a member's name or a JSON pointer.
    pub fn reply_token(mut self, pointer: impl Into<String>) -> Self {
        self.reply_token = Some(pointer.into());
        self
    }

    /// It changes the schema, and with it every answer.
    pub fn schema(mut self) -> Self {
        self.schema = true;
        self
    }

    pub(super) fn compile(self) -> Result<Declared, InvalidRoute> {
        let name = format!("{} {}", self.method, self.path);
        let invalid = |problem| InvalidRoute::new(&name, problem);
        Ok(Declared {
            pattern: Pattern::parse(&self.path).map_err(|error| invalid(error.problem()))?,
            reply_token: pointer(self.reply_token).map_err(invalid)?,
            what: What::Write { schema: self.schema },
            method: self.method,
            name,
        })
    }
}

/// A route that was checked.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) method: Method,
    pub(super) pattern: Pattern,
    pub(super) reply_token: Option<Pointer>,
    pub(super) what: What,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Check {
        verdict: Rule,
        key_headers: Vec<HeaderName>,
        request_token: Option<String>,
    },
    Write {
        schema: bool,
    },
}

/// A verdict that was checked.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Json(Pointer),
    Status(StatusCode, StatusCode),
}

impl Rule {
    /// Whether a reply has a verdict.
    pub(super) fn is_met(&self, status: StatusCode, body: &[u8]) -> bool {
        match self {
            Self::Json(pointer) => status == StatusCode::OK && matches!(pointer.find(body), Ok(Some("true" | "false"))),
            Self::Status(allowed, denied) => status == *allowed || status == *denied,
        }
    }
}

impl Verdict {
    fn compile(self) -> Result<Rule, &'static str> {
        match self.0 {
            Says::Json(text) => {
                let pointer = Pointer::parse(&text)
                    .ok_or("the verdict's JSON pointer is malformed; use a member's name or `/a/b`")?;
                Ok(Rule::Json(pointer))
            }
            Says::Status(allowed, denied) if allowed == denied => {
                Err("allowed and denied have the same status; use two different ones")
            }
            Says::Status(allowed, denied) => {
                let status = |code| {
                    let status = StatusCode::from_u16(code).ok();
                    status
                        .filter(|status| status.is_success() || status.is_client_error())
                        .ok_or("a verdict's status must be a 2xx or a 4xx")
                };
                Ok(Rule::Status(status(allowed)?, status(denied)?))
            }
        }
    }
}

fn pointer(text: Option<String>) -> Result<Option<Pointer>, &'static str> {
    text.map(|text| Pointer::parse(&text).ok_or("the token's JSON pointer is malformed; use a member's name or `/a/b`"))
        .transpose()
}
