//! Your own HTTP paths.

mod body;
mod declare;
mod objects;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};

use self::declare::{Declared, What};
use crate::cache::{Capabilities, Named, Part, ReadAt};
use crate::changes::Question;
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Endpoint, Key, Kind, Received, Route, Unreadable};
use crate::protocol::invalid_route::InvalidRoute;
use crate::protocol::kit::json::Digest;
use crate::protocol::kit::parts;
use crate::protocol::object::Object;
use crate::protocol::reply::{Reply, ReplyItem, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::{TokenFormat, Zookie};

pub use self::declare::{CheckRoute, Verdict, WriteRoute};
pub use self::objects::{ObjectAt, TextAt};

/// An HTTP API of your own: which of its paths are checks, and which are writes.
///
/// A path has literal segments, captures (`/v1/{tenant}/check`) and optionally `{*rest}` at its end. The route that is
/// declared first wins. Paths are compared with their escapes. Empty segments, dot segments and escaped slashes never
/// match. A request that matches no route passes untouched.
///
/// **In the key:** the method; the path and the query with their escapes (the order of parameters matters; the
/// carriers' tokens are left out); the headers named by [`key_header`](CheckRoute::key_header); and for a POST the
/// body, its type and its encoding. The body is keyed byte for byte, or by its JSON value if it holds a
/// [token](CheckRoute::request_token). A request that repeats a parameter is forwarded unmodified.
///
/// **Rejecting a revision:** a status of 409, 410 or 412 means that the service rejects the revision of the request's
/// token. If the layer asked with a newer token than the caller's, it asks once more with the caller's own token.
///
/// **Stored:** replies with a verdict, as declared by [`Verdict`]. Other replies, and replies with a content encoding,
/// are not stored.
///
/// ```
/// use tower_zookie::protocol::{CheckRoute, InvalidRoute, Routes, Verdict, WriteRoute};
/// use tower_zookie::token::TokenFormat;
///
/// fn api(format: impl TokenFormat) -> Result<Routes, InvalidRoute> {
///     Routes::builder(format)
///         .check(CheckRoute::get("/check").verdict(Verdict::json("allowed")))
///         .check(CheckRoute::post("/v1/{tenant}/allow").verdict(Verdict::status(200, 403)))
///         .write(WriteRoute::post("/relationships").reply_token("zookie"))
///         .write(WriteRoute::put("/schema").schema())
///         .build()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Routes {
    format: Arc<dyn TokenFormat>,
    capabilities: Capabilities,
    routes: Vec<Declared>,
}

impl Routes {
    /// Starts an API with tokens of this format.
    pub fn builder(format: impl TokenFormat) -> RoutesBuilder {
        RoutesBuilder {
            format: Arc::new(format),
            capabilities: Capabilities::unknown(),
            routes: Vec::new(),
        }
    }

    fn declared(&self, Route(index): Route) -> Option<&Declared> {
        self.routes.get(index)
    }
}

/// Declares [`Routes`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RoutesBuilder {
    format: Arc<dyn TokenFormat>,
    capabilities: Capabilities,
    routes: Vec<Result<Declared, InvalidRoute>>,
}

impl RoutesBuilder {
    /// Adds a path that answers a check.
    pub fn check(mut self, route: CheckRoute) -> Self {
        self.routes.push(route.compile());
        self
    }

    /// Adds a path that changes relationships or the schema.
    pub fn write(mut self, route: WriteRoute) -> Self {
        self.routes.push(route.compile());
        self
    }

    /// What holds for the store behind the API. By default [`Capabilities::unknown`].
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Builds the API.
    ///
    /// # Errors
    ///
    /// [`InvalidRoute`]: the first route that is malformed, has no verdict, or never matches, because one that is declared
    /// before it matches the same paths.
    pub fn build(self) -> Result<Routes, InvalidRoute> {
        let routes = self.routes.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (index, route) in routes.iter().enumerate() {
            let shadows = |other: &&Declared| other.method == route.method && other.pattern.covers(&route.pattern);
            if let Some(other) = routes[..index].iter().find(shadows) {
                let problem = if other.pattern == route.pattern {
                    format!(
                        "the route is declared twice, first as `{}`; remove one of them",
                        other.name
                    )
                } else {
                    format!(
                        "the route never matches, because `{}` is declared before it and matches the same paths; declare it first",
                        other.name
                    )
                };
                return Err(InvalidRoute::new(&route.name, problem));
            }
        }
        Ok(Routes {
            format: self.format,
            capabilities: self.capabilities,
            routes,
        })
    }
}

impl Protocol for Routes {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn has_checks(&self) -> bool {
        let is_check = |route: &Declared| matches!(route.what, What::Check { .. });
        self.routes.iter().any(is_check)
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        Arc::clone(&self.format)
    }

    fn claim(&self, method: &Method, uri: &Uri, _: &HeaderMap) -> Claim {
        let path = uri.path();
        let ours = |route: &Declared| route.method == *method && route.pattern.matches(path);
        let Some(index) = self.routes.iter().position(ours) else {
            return Claim::Pass;
        };
        match self.routes[index].what {
            What::Check { .. } if *method == Method::POST => Claim::Body(Route(index)),
            What::Check { .. } | What::Write { .. } => Claim::Parts(Route(index)),
        }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let declared = self.routes.iter().enumerate();
        declared
            .map(|(index, route)| {
                let (_, path) = route.name.split_once(' ').unwrap_or_default();
                Endpoint::new(Route(index), route.method.clone(), path)
            })
            .collect()
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        let declared = self.declared(route).ok_or(Unreadable("the route is unknown"))?;
        let (key_headers, request_token) = match &declared.what {
            What::Write { schema } => {
                return Ok(Call::new(Kind::Write {
                    schema: *schema,
                    stream: false,
                }));
            }
            What::Check {
                key_headers,
                request_token,
                ..
            } => (key_headers, request_token),
        };
        if parts.method != Method::POST && parts::announces_body(parts) {
            return Err(Unreadable("a request with this method has an unexpected body"));
        }
        let mut fingerprint = key.base.clone().text(Part::System, "routes");
        fingerprint.note(Named::Endpoint, "method", parts.method.as_str().as_bytes());
        fingerprint.note(Named::Endpoint, "path", parts.uri.path().as_bytes());
        fingerprint.add(Part::Method, parts.method.as_str().as_bytes());
        fingerprint.add(Part::Method, parts.uri.path().as_bytes());
        parts::query(&mut fingerprint, &parts.uri, &key)?;
        for name in key_headers {
            parts::header(&mut fingerprint, &parts.headers, name);
        }
        let mut token = None;
        if let Some(field) = request_token {
            let parameters = parts::json_parameters(&parts.headers)?;
            fingerprint.note(Named::Header, "content-type", parameters.as_bytes());
            fingerprint.add(Part::Header, parameters.as_bytes());
            token = body::key(&mut fingerprint, message, field, &Digest::new(&key.base))?;
        } else if parts.method == Method::POST {
            parts::header(&mut fingerprint, &parts.headers, &CONTENT_TYPE);
            parts::header(&mut fingerprint, &parts.headers, &CONTENT_ENCODING);
            fingerprint.note(Named::Member, "the whole body", message);
            fingerprint.add(Part::Body, message);
        }
        Ok(Call {
            token: token.map(Bytes::from),
            ..Call::new(Kind::Check(fingerprint.finish()))
        })
    }

    fn has_objects(&self) -> bool {
        let is_known = |route: &Declared| matches!(route.what, What::Write { .. }) || !route.objects.is_empty();
        self.routes.iter().all(is_known)
    }

    fn names_touched(&self, route: Route) -> bool {
        let declared = self.declared(route);
        declared.is_some_and(|route| {
            matches!(route.what, What::Write { schema: false }) && route.objects.iter().any(ObjectAt::is_in_body)
        })
    }

    fn objects(
        &self,
        received: Received<'_>,
        parts: &Parts,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), Unreadable> {
        let declared = self
            .declared(received.route)
            .ok_or(Unreadable("the route is unknown"))?;
        if let What::Write { schema: true } = declared.what {
            return Err(Unreadable("a schema concerns all objects"));
        }
        let (_, pattern) = declared.name.split_once(' ').unwrap_or_default();
        objects::visit_all(&declared.objects, pattern, parts, received.message, each)
    }

    fn questions(&self, received: Received<'_>, parts: &Parts, each: &mut dyn FnMut(Option<Question>)) {
        let asked = self.declared(received.route).and_then(|declared| {
            let (_, pattern) = declared.name.split_once(' ').unwrap_or_default();
            declared.asks.as_ref()?.question(pattern, parts, received.message)
        });
        each(asked);
    }

    fn restate(&self, route: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        let body = match &self.declared(route)?.reply_token {
            Some(field) => body::with_token(&stored.body, field.names(), Some(zookie.as_str())).ok()?,
            None => stored.body.clone(),
        };
        Some(StoredResponse {
            body,
            zookie: Some(zookie.clone()),
            ..stored.clone()
        })
    }

    fn ask(&self, received: Received<'_>, _: &[usize], _: &ReadAt, zookie: Option<&Zookie>) -> Option<Bytes> {
        let What::Check {
            request_token: Some(field),
            ..
        } = &self.declared(received.route)?.what
        else {
            return None;
        };
        let token = zookie.map(Zookie::as_str);
        if token.map(str::as_bytes) == received.call.token.as_deref() {
            return None;
        }
        body::with_token(received.message, field.names(), token).ok()
    }

    fn learn(&self, received: Received<'_>, _: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        let Some(declared) = self.declared(received.route) else {
            return ReplyOutcome::Nothing;
        };
        let token = || {
            let found = declared.reply_token.as_ref()?.find(reply.body).ok()??;
            serde_json::from_str(found).ok()
        };
        match &declared.what {
            What::Write { schema } if reply.status.is_success() => ReplyOutcome::Wrote {
                token: token(),
                schema: *schema,
            },
            What::Write { .. } => ReplyOutcome::Nothing,
            What::Check { verdict, .. } if verdict.is_met(reply.status, reply.body) => {
                if parts::is_encoded(reply.headers) {
                    return ReplyOutcome::Nothing;
                }
                let body = Bytes::copy_from_slice(reply.body);
                let stored = StoredResponse::of(reply.status, reply.headers, body);
                ReplyOutcome::Answers {
                    items: vec![ReplyItem::decision(stored).verdict(verdict.says(reply.status, reply.body))],
                    token: token(),
                }
            }
            What::Check { .. } => match reply.status {
                StatusCode::CONFLICT | StatusCode::GONE | StatusCode::PRECONDITION_FAILED => {
                    ReplyOutcome::RevisionRejected
                }
                _ => ReplyOutcome::Nothing,
            },
        }
    }

    fn merge(&self, _: Received<'_>, answers: &[Option<&StoredResponse>], _: Option<&Zookie>) -> StoredResponse {
        match answers {
            [Some(answer), ..] => (*answer).clone(),
            _ => StoredResponse::unanswered(),
        }
    }
}
