use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a request that belong to one caller's call alone, not to a call that others share.
const OF_ONE_CALLER: [HeaderName; 11] = [
    HeaderName::from_static("grpc-timeout"),
    // Callers that share the reply can read it only if it is not compressed.
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-correlation-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("b3"),
    HeaderName::from_static("x-b3-traceid"),
    HeaderName::from_static("x-b3-spanid"),
    HeaderName::from_static("x-b3-sampled"),
];

/// Says how long the body is that replaces a request's own.
pub(super) fn set_length(headers: &mut HeaderMap, body: &Bytes) {
    headers.remove(TRANSFER_ENCODING);
    if headers.contains_key(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
}

/// Takes headers out of those that `Connection` names, because the next hop would drop them.
pub(super) fn keep_from_connection(headers: &mut HeaderMap, names: &[&HeaderName]) {
    let is_ours = |member: &str| {
        names
            .iter()
            .any(|name| member.trim().eq_ignore_ascii_case(name.as_str()))
    };
    let lists = headers
        .get_all(CONNECTION)
        .iter()
        .map(|list| list.to_str().unwrap_or_default());
    if !lists.flat_map(|list| list.split(',')).any(is_ours) {
        return;
    }
    let lists = headers.get_all(CONNECTION).iter().filter_map(|list| list.to_str().ok());
    let others: Vec<&str> = lists
        .flat_map(|list| list.split(','))
        .filter(|member| !is_ours(member))
        .collect();
    let rest = HeaderValue::try_from(others.join(","))
        .ok()
        .filter(|rest| !rest.is_empty());
    headers.remove(CONNECTION);
    if let Some(rest) = rest {
        headers.insert(CONNECTION, rest);
    }
}

/// Removes from a request's headers what belongs to one caller's call alone.
pub(super) fn strip_own_call(headers: &mut HeaderMap) {
    OF_ONE_CALLER.iter().for_each(|name| drop(headers.remove(name)));
}
