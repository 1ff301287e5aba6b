use std::sync::atomic::Ordering;

use http::{HeaderMap, Method, Uri};

use crate::layer::state::LayerState;
use crate::protocol::{Endpoint, Protocol, system_at};
use crate::warnings::Warning;

/// After so many of them, none of which is like a route, the layer says so.
const MANY: u64 = 128;

impl<P: Protocol> LayerState<P> {
    /// Notes a request that the protocol does not claim. Until one is claimed, it may be that none ever will.
    pub(in crate::layer) fn note_passed(&self, method: &Method, uri: &Uri, headers: &HeaderMap) {
        self.cache.counters().passed();
        if self.seen.route.is_set() {
            return;
        }
        let count = self.seen.unmatched.fetch_add(1, Ordering::Relaxed) + 1;
        // More and more seldom, because the layer may well see nothing but other requests.
        if count.is_power_of_two() {
            self.look_for_a_cause(method, uri.path(), headers, count);
        }
    }

    fn look_for_a_cause(&self, method: &Method, path: &str, headers: &HeaderMap, count: u64) {
        let endpoints = self.protocol.endpoints();
        let own = |system| {
            endpoints
                .iter()
                .any(|endpoint| system_at(&endpoint.path) == Some(system))
        };
        if let Some(system) = system_at(path).filter(|system| !own(*system)) {
            self.warnings.give(Warning::OtherSystem.name(), || {
                tracing::warn!(
                    system,
                    example = shown(path, headers, &endpoints),
                    "requests for another authorization system pass, and none is answered from the cache; configure the layer \
                     for this system (sidecar: `--system`)"
                );
            });
            return;
        }
        if let Some((endpoint, why)) = closest(&endpoints, method, path, headers) {
            self.warnings.give(Warning::NoRoute.name(), || {
                tracing::warn!(
                    requests = count,
                    example = format!("{method} {}", shown(path, headers, &endpoints)),
                    closest = format!("{} {}", endpoint.method, endpoint.path),
                    "no request has matched a route so far: {why}"
                );
            });
        } else if count >= MANY {
            self.warnings.give(Warning::NoRoute.name(), || {
                let declared: Vec<_> = endpoints
                    .iter()
                    .take(3)
                    .map(|endpoint| format!("{} {}", endpoint.method, endpoint.path))
                    .collect();
                tracing::warn!(
                    requests = count,
                    example = format!("{method} {}", shown(path, headers, &endpoints)),
                    declared = declared.join(", "),
                    "no request has matched a route so far; check the routes or the protocol that the layer is built with, \
                     and whether the checks come this way at all"
                );
            });
        }
    }
}

/// The route that a request is like, and why it does not match.
pub(super) fn closest<'e>(
    endpoints: &'e [Endpoint],
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Option<(&'e Endpoint, &'static str)> {
    endpoints
        .iter()
        .find_map(|endpoint| Some((endpoint, why_not(endpoint, method, path, headers)?)))
}

/// Why a request does not match a route that it is like, and what to do.
fn why_not(endpoint: &Endpoint, method: &Method, path: &str, headers: &HeaderMap) -> Option<&'static str> {
    let (pattern, path) = (segments(&endpoint.path), segments(path));
    let trimmed = path.strip_suffix(&[""]).unwrap_or(&path);
    if matches(&pattern, &path, str::eq) {
        let is_method = pattern.len() == 2 && pattern[0].contains('.');
        return Some(match (endpoint.method == *method, is_method && !is_grpc(headers)) {
            (false, _) => "the path is that of a route with another method; declare this method, or change the request",
            (true, true) => "the path is that of a gRPC method, and the content type is not `application/grpc`",
            (true, false) => "the request's query or headers are not those of the API",
        });
    }
    if matches(&pattern, trimmed, str::eq_ignore_ascii_case) {
        return Some(
            "the path differs from a route in a `/` at its end or in upper and lower case; paths are compared exactly",
        );
    }
    // One literal segment at least has to agree, or any path would be like `/{name}`.
    let has_literal = |pattern: &[&str]| pattern.iter().any(|segment| !segment.starts_with('{'));
    if path.len() > pattern.len()
        && has_literal(&pattern)
        && matches(&pattern, &path[path.len() - pattern.len()..], str::eq)
    {
        return Some(
            "the path has a prefix that the route does not have: the layer stands outside of a nested router (axum's `nest`) \
             or of a proxy that takes the prefix away; declare the route with its prefix, or put the layer inside",
        );
    }
    if let Some(without) = pattern.len().checked_sub(path.len()).map(|prefix| &pattern[prefix..])
        && without.len() < pattern.len()
        && has_literal(without)
        && matches(without, &path, str::eq)
    {
        return Some(
            "the route has a prefix that the path does not have: the layer stands inside of a nested router (axum's `nest` takes \
             its prefix away) or behind a proxy that does so; declare the route without the prefix",
        );
    }
    None
}

fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix('/').unwrap_or(path).split('/').collect()
}

fn matches(pattern: &[&str], path: &[&str], equal: fn(&str, &str) -> bool) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([last], [_, ..]) if last.starts_with("{*") => true,
        ([segment, pattern @ ..], [own, path @ ..]) => {
            let same = if segment.starts_with('{') {
                !own.is_empty()
            } else {
                equal(segment, own)
            };
            same && matches(pattern, path, equal)
        }
        _ => false,
    }
}

/// A path with `{…}` for each segment that no route has: it may be an id. The path of a gRPC call has none.
fn shown(path: &str, headers: &HeaderMap, endpoints: &[Endpoint]) -> String {
    if is_grpc(headers) {
        return path.to_owned();
    }
    let is_word = |segment: &str| {
        let has_it = |endpoint: &Endpoint| endpoint.path.split('/').any(|word| word.eq_ignore_ascii_case(segment));
        segment.is_empty() || endpoints.iter().any(has_it)
    };
    let segments = path.split('/');
    let shown: Vec<_> = segments
        .map(|segment| if is_word(segment) { segment } else { "{…}" })
        .collect();
    shown.join("/")
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get("content-type");
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
