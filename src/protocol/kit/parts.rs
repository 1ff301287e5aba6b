//! A request's method, URI and headers: what of them belongs in a key, and which bodies can be read.
//!
//! The layer itself puts the caller's credentials, the authority, the `Host` and the headers that negotiate the reply's
//! form into every key ([`Key::base`]). The rest is up to the protocol: the path, the query, and the headers that its
//! servers read.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};

use crate::cache::{FingerprintBuilder, Named, Part};
use crate::protocol::call::{Key, Unreadable};
use crate::token::parameters;

/// Adds the query to `fingerprint`, without the tokens of the carriers.
///
/// Parameters are keyed in their order and with their escapes, because servers differ in which queries they treat as
/// equal.
///
/// # Errors
///
/// [`Unreadable`] if a parameter is repeated: servers differ in which of the two they read.
pub fn query(fingerprint: &mut FingerprintBuilder, uri: &Uri, key: &Key<'_>) -> Result<(), Unreadable> {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    if key.query.repeated {
        return Err(Unreadable("the query repeats a parameter"));
    }
    if fingerprint.is_traced() {
        for parameter in parameters(uri).filter(|parameter| !key.carriers.is_query_carrier(&parameter.name())) {
            fingerprint.note(Named::Query, &parameter.name(), parameter.text.as_bytes());
        }
    }
    if !key.query.zookies {
        fingerprint.add(Part::Query, query.as_bytes());
        return Ok(());
    }
    let others = parameters(uri).filter(|parameter| !key.carriers.is_query_carrier(&parameter.name()));
    fingerprint.add_pairs(Part::Query, others.map(|parameter| parameter.text));
    Ok(())
}

/// Adds every value of the header `name` to `fingerprint`, in their order. A header that is not there adds nothing, and
/// is not equal to an empty one.
pub fn header(fingerprint: &mut FingerprintBuilder, headers: &HeaderMap, name: &HeaderName) {
    for value in headers.get_all(name) {
        fingerprint.note(Named::Header, name.as_str(), value.as_bytes());
        fingerprint.add_named(Part::Header, name.as_str().as_bytes(), value.as_bytes());
    }
}

/// Whether the headers announce a body: a content length other than 0, or a transfer encoding. A protocol that ignores
/// the body of a GET has to reject such a request as unreadable, because a server may read the body.
pub fn announces_body(parts: &Parts) -> bool {
    let length = parts.headers.get(CONTENT_LENGTH);
    length.is_some_and(|length| length != "0") || parts.headers.contains_key(TRANSFER_ENCODING)
}

/// Whether the body has a content encoding, such as compression. Neither requests nor replies with one can be read.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The parameters of the content type `application/json`, such as `; version=2`. They belong in the key, because a
/// server may read them. `charset=utf-8` is left out, because it is the default
/// ([RFC 8259, section 8.1](https://www.rfc-editor.org/rfc/rfc8259#section-8.1)).
///
/// # Errors
///
/// [`Unreadable`] if the body is not JSON, has no content type or more than one, or has a content encoding.
pub fn json_parameters(headers: &HeaderMap) -> Result<&str, Unreadable> {
    const NOT_JSON: Unreadable = Unreadable("the content type is not application/json");
    if is_encoded(headers) {
        return Err(Unreadable("the body has a content encoding"));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else {
        return Err(NOT_JSON);
    };
    if content_type == "application/json" {
        return Ok("");
    }
    let content_type = content_type.to_str().map_err(|_| NOT_JSON)?;
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err(NOT_JSON);
    }
    let parameters = parameters.trim();
    let usual = ["charset=utf-8", "charset=\"utf-8\""];
    Ok(if usual.iter().any(|usual| parameters.eq_ignore_ascii_case(usual)) {
        ""
    } else {
        parameters
    })
}
