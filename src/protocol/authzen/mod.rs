//! OpenID AuthZEN.

mod reply;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

use self::request::{Asked, Semantic};
use crate::cache::{Capabilities, Named, Part, ReadAt};
use crate::changes::Question;
use crate::protocol::api::Protocol;
use crate::protocol::call::{Call, Claim, Endpoint, Key, Kind, Received, Route, Unreadable};
use crate::protocol::invalid_route::InvalidRoute;
use crate::protocol::kit::json::Digest;
use crate::protocol::kit::parts;
use crate::protocol::kit::path::Pattern;
use crate::protocol::object::Object;
use crate::protocol::reply::{Reply, ReplyOutcome};
use crate::protocol::stored_response::StoredResponse;
use crate::token::{TokenFormat, Zookie};

const EVALUATION: Route = Route(0);
const EVALUATIONS: Route = Route(1);

/// The endpoints' paths.
const ONE: &str = "/access/v1/evaluation";
const SEVERAL: &str = "/access/v1/evaluations";

/// The OpenID [Authorization API 1.0](https://openid.net/specs/authorization-api-1_0.html) (AuthZEN): its evaluation
/// and evaluations endpoints. The search endpoints pass untouched.
///
/// A question is a subject, an action, a resource and a context, each keyed by its whole JSON value. Members that the
/// specification does not define belong to the question too. A question has the same answer at both endpoints. The API
/// has no consistency, so tokens travel in headers.
///
/// The layer forwards some requests unmodified and stores nothing of them: those with a body that is not strict JSON (a
/// repeated name, over 128 levels), with over 10,000 evaluations, with options other than `evaluations_semantic`, or
/// with an evaluation without a subject, action or resource. A decision with an `error` in its context is for its
/// caller only.
///
/// A status of 409, 410 or 412 means that the service rejects the revision of the request's token. If the layer asked
/// with a newer token than the caller's, it asks once more with the caller's own token.
///
/// ```
/// use tower_zookie::protocol::{AuthZen, InvalidRoute};
/// use tower_zookie::token::TokenFormat;
///
/// /// One API for many stores, each under a path of its own.
/// fn api(format: impl TokenFormat) -> Result<AuthZen, InvalidRoute> {
///     AuthZen::new(format).base_path("/stores/{store}")
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthZen {
    format: Arc<dyn TokenFormat>,
    capabilities: Capabilities,
    base: Option<Pattern>,
    base_path: Option<String>,
    asks: Option<Asks>,
}

/// How the store's change feed names a question.
#[derive(Clone)]
struct Asks(Arc<dyn Fn(Question) -> Option<Question> + Send + Sync>);

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asks").finish_non_exhaustive()
    }
}

impl AuthZen {
    /// The API at its well-known paths, with tokens of this format.
    pub fn new(format: impl TokenFormat) -> Self {
        Self {
            format: Arc::new(format),
            capabilities: Capabilities::unknown(),
            base: None,
            base_path: None,
            asks: None,
        }
    }

    /// What holds for the store behind the API. By default [`Capabilities::unknown`].
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// How the change feed of the store names what is asked, so that changes of the store can be told apart from those that do
    /// not concern it. `named` gets a question with the names of the request: the subject, the action as the permission, and
    /// the resource.
    ///
    /// If the service stores other ids than its callers send, `named` has to return those that it stores, and `None` for what
    /// the feed can't name. A decision has to follow from the schema and the relationships of the feed. By default no question
    /// has a name there, and every change concerns each of them.
    ///
    /// ```
    /// use tower_zookie::protocol::AuthZen;
    /// use tower_zookie::token::CounterTokens;
    ///
    /// // The feed has the names that the callers use.
    /// let api = AuthZen::new(CounterTokens::new("decisions")).asks(Some);
    /// ```
    pub fn asks(mut self, named: impl Fn(Question) -> Option<Question> + Send + Sync + 'static) -> Self {
        self.asks = Some(Asks(Arc::new(named)));
        self
    }

    /// Sets the path before `/access/v1/…`, such as `/pdp`. In it `{name}` matches any one segment.
    ///
    /// # Errors
    ///
    /// [`InvalidRoute`] if it is not such a path.
    pub fn base_path(mut self, path: &str) -> Result<Self, InvalidRoute> {
        if path == "/" {
            return Err(InvalidRoute::new(
                path,
                "a base path needs a segment; omit the base path if the API is at the root",
            ));
        }
        if path.contains("/access/v1") {
            return Err(InvalidRoute::new(
                path,
                "`/access/v1` follows the base path anyway; leave it out",
            ));
        }
        self.base = Some(Pattern::parse(path)?);
        self.base_path = Some(path.to_owned());
        Ok(self)
    }

    fn route<'a>(&self, path: &'a str) -> Option<(Route, &'a str)> {
        let (route, base) = match path.strip_suffix(ONE) {
            Some(base) => (EVALUATION, base),
            None => (EVALUATIONS, path.strip_suffix(SEVERAL)?),
        };
        let ours = match &self.base {
            Some(pattern) => pattern.matches(base),
            None => base.is_empty(),
        };
        ours.then_some((route, base))
    }
}

impl Protocol for AuthZen {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn format(&self) -> Arc<dyn TokenFormat> {
        Arc::clone(&self.format)
    }

    fn claim(&self, method: &Method, uri: &Uri, _: &HeaderMap) -> Claim {
        if *method != Method::POST {
            return Claim::Pass;
        }
        self.route(uri.path())
            .map_or(Claim::Pass, |(route, _)| Claim::Body(route))
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let base = self.base_path.as_deref().unwrap_or_default();
        [(EVALUATION, ONE), (EVALUATIONS, SEVERAL)]
            .map(|(route, path)| Endpoint::new(route, Method::POST, format!("{base}{path}")))
            .into()
    }

    fn read(&self, route: Route, parts: &Parts, message: &Bytes, key: Key<'_>) -> Result<Call, Unreadable> {
        let (_, base) = self
            .route(parts.uri.path())
            .ok_or(Unreadable("the path is not one of AuthZEN"))?;
        let parameters = parts::json_parameters(&parts.headers)?;
        let digest = Digest::new(&key.base);
        let mut prefix = key.base.clone().text(Part::System, "authzen").text(Part::Store, base);
        prefix.note(Named::Endpoint, "base path", base.as_bytes());
        prefix.note(Named::Header, "content-type", parameters.as_bytes());
        prefix.add(Part::Header, parameters.as_bytes());
        parts::query(&mut prefix, &parts.uri, &key)?;
        let kind = if route == EVALUATION {
            Kind::Check(request::single(message, &prefix, &digest)?)
        } else {
            match request::several(message, &prefix, &digest)? {
                Asked::One(question) => Kind::Check(question),
                Asked::Several(questions) => Kind::Bulk(questions),
            }
        };
        Ok(Call::new(kind))
    }

    fn needed(&self, received: Received<'_>, found: &[Option<&StoredResponse>]) -> Vec<usize> {
        let semantic = Semantic::of(received.message);
        let mut needed = Vec::new();
        for (index, stored) in found.iter().enumerate() {
            match stored {
                None => needed.push(index),
                Some(_) if semantic == Semantic::ExecuteAll => {}
                Some(stored) if reply::verdict(stored).is_some_and(|decision| semantic.stops_at(decision)) => break,
                Some(_) => {}
            }
        }
        needed
    }

    fn has_objects(&self) -> bool {
        true
    }

    fn objects(&self, received: Received<'_>, _: &Parts, each: &mut dyn FnMut(Object<'_>)) -> Result<(), Unreadable> {
        request::objects(received.message, each)
    }

    fn questions(&self, received: Received<'_>, _: &Parts, each: &mut dyn FnMut(Option<Question>)) {
        let count = received.call.kind.questions();
        match &self.asks {
            None => (0..count).for_each(|_| each(None)),
            Some(Asks(named)) => request::questions(received.message, count, &mut |question| {
                each(question.and_then(&**named))
            }),
        }
    }

    /// Tokens travel in headers.
    fn restate(&self, _: Route, stored: &StoredResponse, zookie: &Zookie) -> Option<StoredResponse> {
        Some(StoredResponse {
            zookie: Some(zookie.clone()),
            ..stored.clone()
        })
    }

    fn ask(&self, received: Received<'_>, open: &[usize], _: &ReadAt, _: Option<&Zookie>) -> Option<Bytes> {
        match &received.call.kind {
            Kind::Bulk(questions) if open.len() < questions.len() => request::only(received.message, open),
            _ => None,
        }
    }

    fn learn(&self, received: Received<'_>, asked: &[usize], reply: &Reply<'_>) -> ReplyOutcome {
        match reply.status {
            StatusCode::OK if !parts::is_encoded(reply.headers) => {}
            StatusCode::CONFLICT | StatusCode::GONE | StatusCode::PRECONDITION_FAILED => {
                return ReplyOutcome::RevisionRejected;
            }
            _ => return ReplyOutcome::Nothing,
        }
        let items = match received.call.kind {
            Kind::Check(_) => reply::single(reply.body).map(|item| vec![item]).ok(),
            Kind::Bulk(_) => reply::several(reply.body, asked.len(), Semantic::of(received.message)).ok(),
            _ => None,
        };
        items.map_or(ReplyOutcome::Nothing, |items| ReplyOutcome::Answers {
            items,
            token: None,
        })
    }

    fn merge(&self, received: Received<'_>, answers: &[Option<&StoredResponse>], _: Option<&Zookie>) -> StoredResponse {
        if let (Kind::Check(_), [Some(answer)]) = (&received.call.kind, answers) {
            return (*answer).clone();
        }
        let semantic = Semantic::of(received.message);
        reply::merge(answers, semantic)
    }

    fn echoed(&self, _: Route) -> &[HeaderName] {
        static REQUEST_ID: [HeaderName; 1] = [HeaderName::from_static("x-request-id")];
        &REQUEST_ID
    }
}
