//! Headers that mean one connection, not the request.

use http::header::{CONNECTION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue};

const OF_A_CONNECTION: [HeaderName; 4] = [
    CONNECTION,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Removes them from a request, but for how its body is delimited.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    let trailers = lists(headers, &TE, "trailers");
    strip_named(headers, &[TRANSFER_ENCODING]);
    headers.remove(TE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Removes them from a reply.
pub(crate) fn strip_reply(headers: &mut HeaderMap) {
    strip_named(headers, &[]);
    headers.remove(TRANSFER_ENCODING);
}

fn strip_named(headers: &mut HeaderMap, but: &[HeaderName]) {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|name| name.parse().ok())
        .collect();
    for name in named.iter().chain(&OF_A_CONNECTION) {
        if !but.contains(name) {
            headers.remove(name);
        }
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}
