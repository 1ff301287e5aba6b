use std::borrow::Cow;

use http::{HeaderName, Method, StatusCode};

use crate::changes;
use crate::protocol::invalid_route::InvalidRoute;
use crate::protocol::kit::json::Pointer;
use crate::protocol::kit::path::Pattern;
use crate::protocol::routes::objects::{Asks, ObjectAt, TextAt};

/// Where a reply has its verdict.
#[derive(Clone, Debug)]
pub struct Verdict(Says);

#[derive(Clone, Debug)]
enum Says {
    Json(String),
    Status(u16, u16),
}

impl Verdict {
    /// A JSON boolean in a reply with status 200, at a member's name or at a JSON pointer such as `/result/allowed` through
    /// objects.
    pub fn json(pointer: impl Into<String>) -> Self {
        Self(Says::Json(pointer.into()))
    }

    /// One status for allowed and another for denied, each a 2xx or a 4xx, and none that says something else: 401, 407, 408,
    /// 409, 410, 412, 425 and 429 are about the request, not about the question.
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
    objects: Vec<ObjectAt>,
    asks: Option<Asks>,
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
            objects: Vec::new(),
            asks: None,
        }
    }

    /// Where the request names its resource, the permission or relation that it asks for, and its subject: so that changes of
    /// a [followed](crate::Handle::follow) feed can be told apart from those that do not concern the answer. Resource and
    /// subject count as named by [`object`](Self::object) too.
    ///
    /// ```
    /// use tower_zookie::protocol::{CheckRoute, ObjectAt, TextAt, Verdict};
    ///
    /// // `/check?resource=repo:rust&permission=push&subject=user:ann`
    /// let check = CheckRoute::get("/check")
    ///     .asks(ObjectAt::query("resource"), TextAt::query("permission"), ObjectAt::query("subject"))
    ///     .verdict(Verdict::json("allowed"));
    /// # let _ = check;
    /// ```
    pub fn asks(mut self, resource: ObjectAt, permission: TextAt, subject: ObjectAt) -> Self {
        self.objects.extend([resource.clone(), subject.clone()]);
        self.asks = Some(Asks {
            resource,
            permission,
            subject,
        });
        self
    }

    /// Where the request names an object that its answer depends on: its resource or its subject. Name both, so that the layer
    /// can [remember tokens per object](crate::objects).
    pub fn object(mut self, at: ObjectAt) -> Self {
        self.objects.push(at);
        self
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

    /// Where a POST's JSON body holds the caller's token: a member's name or a JSON pointer. The layer then keys the body by
    /// its JSON value without the token, and forwards it with the token of the revision that it asks at. An object on the
    /// way that holds only the token is left out with it. If a body has a member whose name differs only in case from one
    /// on the way, the layer forwards it unmodified and stores nothing, because some decoders read that member as the token.
    pub fn request_token(mut self, pointer: impl Into<String>) -> Self {
        self.request_token = Some(pointer.into());
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
            let problem = "a GET check has no body to hold a token; use a query parameter or a header, and leave out `request_token`";
            return Err(invalid(problem.into()));
        }
        let verdict = self
            .verdict
            .ok_or("the route has no verdict; declare where the reply has it, with `.verdict(…)`".into())
            .and_then(Verdict::compile)
            .map_err(invalid)?;
        if let (Some(status), Some(_)) = (verdict.without_body(), &self.reply_token) {
            let problem = format!(
                "a {} has no body, so `reply_token` would never be found there; reply with 200, or name the token in the header",
                status.as_u16()
            );
            return Err(invalid(problem.into()));
        }
        let has_body = self.method == Method::POST;
        let problem = |at: &ObjectAt| at.problem(&self.path, "object", has_body);
        if let Some(problem) = self.objects.iter().find_map(problem) {
            return Err(invalid(problem.into()));
        }
        let problem = |asks: &Asks| asks.permission.problem(&self.path, "asks", has_body);
        if let Some(problem) = self.asks.as_ref().and_then(problem) {
            return Err(invalid(problem.into()));
        }
        Ok(Declared {
            pattern: Pattern::parse(&self.path).map_err(|error| invalid(error.problem().to_owned().into()))?,
            reply_token: pointer("reply_token", self.reply_token).map_err(invalid)?,
            objects: self.objects,
            asks: self.asks,
            what: What::Check {
                verdict,
                key_headers: self.key_headers,
                request_token: pointer("request_token", self.request_token).map_err(invalid)?,
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
    objects: Vec<ObjectAt>,
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
            objects: Vec::new(),
        }
    }

    /// Where the request names an object that it touches: the resource or the subject of what it changes. Name all of them. A
    /// write of which none is named, or in which one can't be found, counts for the whole store: see
    /// [`objects`](crate::objects).
    pub fn touches(mut self, at: ObjectAt) -> Self {
        self.objects.push(at);
        self
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
        let problem = |at: &ObjectAt| at.problem(&self.path, "touches", true);
        if let Some(problem) = self.objects.iter().find_map(problem) {
            return Err(invalid(problem.into()));
        }
        Ok(Declared {
            asks: None,
            objects: self.objects,
            pattern: Pattern::parse(&self.path).map_err(|error| invalid(error.problem().to_owned().into()))?,
            reply_token: pointer("reply_token", self.reply_token).map_err(invalid)?,
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
    /// Where its requests name objects.
    pub(super) objects: Vec<ObjectAt>,
    /// Where its requests name what they ask.
    pub(super) asks: Option<Asks>,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Check {
        verdict: Rule,
        key_headers: Vec<HeaderName>,
        request_token: Option<Pointer>,
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
    /// What a reply says that has a verdict.
    pub(super) fn says(&self, status: StatusCode, body: &[u8]) -> changes::Verdict {
        let allowed = match self {
            Self::Json(pointer) => matches!(pointer.find(body), Ok(Some("true"))),
            Self::Status(allowed, _) => status == *allowed,
        };
        if allowed {
            changes::Verdict::Yes
        } else {
            changes::Verdict::No
        }
    }

    /// Whether a reply has a verdict.
    pub(super) fn is_met(&self, status: StatusCode, body: &[u8]) -> bool {
        match self {
            Self::Json(pointer) => status == StatusCode::OK && matches!(pointer.find(body), Ok(Some("true" | "false"))),
            Self::Status(allowed, denied) => status == *allowed || status == *denied,
        }
    }

    /// The status of a verdict whose reply has no body.
    fn without_body(&self) -> Option<StatusCode> {
        let has_none = |status: &StatusCode| matches!(*status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        match self {
            Self::Json(_) => None,
            Self::Status(allowed, denied) => [*allowed, *denied].into_iter().find(has_none),
        }
    }
}

impl Verdict {
    fn compile(self) -> Result<Rule, Problem> {
        let (allowed, denied) = match self.0 {
            Says::Json(text) => {
                let pointer =
                    Pointer::parse(&text).map_err(|error| format!("the pointer of `Verdict::json` {error}"))?;
                return Ok(Rule::Json(pointer));
            }
            Says::Status(allowed, denied) => (status(allowed)?, status(denied)?),
        };
        if allowed == denied {
            return Err("allowed and denied have the same status; use two different ones".into());
        }
        Ok(Rule::Status(allowed, denied))
    }
}

type Problem = Cow<'static, str>;

/// A status that can be a verdict.
fn status(code: u16) -> Result<StatusCode, Problem> {
    let is_no_verdict = match (code, StatusCode::from_u16(code)) {
        (401 | 407, _) => "is about the caller's credential",
        (408 | 425 | 429, _) => "asks to send the request again",
        (409 | 410 | 412, _) => "rejects the revision of the request's token",
        (_, Ok(status)) if status.is_success() || status.is_client_error() => return Ok(status),
        _ => "is neither a 2xx nor a 4xx",
    };
    Err(format!("the status {code} {is_no_verdict}, and is no verdict; use others, such as 200 and 403").into())
}

fn pointer(setting: &str, text: Option<String>) -> Result<Option<Pointer>, Problem> {
    let parse = |text: String| Pointer::parse(&text).map_err(|error| format!("`{setting}` {error}").into());
    text.map(parse).transpose()
}
